"""What /metrics answers: figures of this process, and of what all replicas share."""

import threading
from collections.abc import Iterator

from pra.base.metrics import Metric, Told
from pra.events.interface import Events
from pra.web.counting import DURATION, Requests
from pra.web.observer import Observer

#: Where they are asked for.
PATH = "/metrics"
SUCCESS = Metric(
    "pra_collector_success", "1: all that this collector tells was read.", ("collector",)
)


class Exposition:
    """The figures in the formats of the official client library."""

    def __init__(self, events: Events, requests: Requests):
        self._events, self._requests = events, requests
        self._observer = Observer(events.collected)
        self._guard = threading.Lock()
        self._registry = None

    def answer(self, accept: str) -> tuple[bytes, str]:
        """The body and its type, as the header ``Accept`` of a request prefers it."""
        # Who starts is to serve at once: the library is loaded when it is first asked for.
        from prometheus_client.exposition import choose_encoder

        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):
            # It names a version that is none.
            encode, kind = choose_encoder("")
        # One after the other: they share what was seen last.
        with self._guard:
            return encode(self._loaded()), kind

    def collect(self) -> Iterator:
        """As the library asks for it."""
        from prometheus_client.core import HistogramMetricFamily

        found = self._observer.found()
        success = {
            name: found.get(name) is not None for name in sorted({*self._events.collectors, *found})
        }
        told = [*SUCCESS.are_now(success), *self._requests.told()]
        for part in found.values():
            told += part or []
        yield from _families(told)
        durations = HistogramMetricFamily(DURATION.name, DURATION.about, labels=DURATION.labels)
        for timed in self._requests.timed():
            durations.add_metric((timed.route,), timed.buckets, timed.sum)
        yield durations

    def _loaded(self):
        from prometheus_client import CollectorRegistry, ProcessCollector

        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            ProcessCollector(registry=self._registry)
            self._registry.register(self)
        return self._registry


def _families(told: list[Told]) -> Iterator:
    """Each metric once, with the values that all parts have for it."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    merged: dict[Metric, dict] = {}
    for metric, values in told:
        merged.setdefault(metric, {}).update(values)
    for metric, values in merged.items():
        kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
        family = kind(metric.name, metric.about, labels=metric.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        yield family
