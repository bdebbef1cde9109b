"""The figures of /metrics, read as a scraper reads them."""

import contextlib

from prometheus_client.parser import text_string_to_metric_families

from pra.events.sqlite import SqliteEvents
from pra.web.counting import Requests
from pra.web.routes import create_app


def parsed(text):
    """Every sample: its name with its labels' values, sorted by their names, and the value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            assert (sample.name, *labels) not in found
            found[(sample.name, *labels)] = sample.value
    return found


class Told:
    """What one application answers."""

    def __init__(self, config, events=None):
        self.requests = Requests()
        self.events = events or SqliteEvents(config)
        self.client = create_app(self.events, self.requests).test_client()

    def text(self, **headers):
        """The answer."""
        answer = self.client.get("/metrics", headers=headers)
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def now(self):
        """All samples."""
        return parsed(self.text())

    def failed(self, now=None):
        """The collectors that could not read all."""
        found = (now or self.now()).items()
        return {key[1] for key, value in found if key[0] == "pra_collector_success" and not value}

    def one(self, name, *labels):
        """One sample; None where it is absent."""
        return self.now().get((name, *labels))

    def of(self, name):
        """The samples of a metric with one label, by that."""
        return {key[1]: value for key, value in self.now().items() if key[0] == name}

    def refusals(self):
        """How many requests were refused, by reason and route."""
        found = self.now().items()
        return {key[1:]: value for key, value in found if key[0] == "pra_http_refusals_total"}

    def true(self, name):
        """The words of a metric's one label for which it is so."""
        return {word for word, value in self.of(name).items() if value}


def refused(client, path="/add?message=x"):
    """A request that is refused; which status it got."""
    with contextlib.suppress(OSError):
        return client.get(path).status_code
