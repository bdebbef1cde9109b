"""/metrics of a real server: formats, counts of requests, and the switch that takes it away."""

import json
import urllib.error
import urllib.request

import helpers
import pytest
from conftest import serving
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from told import Told, parsed

from pra.base import errors
from pra.web.counting import OTHER, Requests


def asked(url, method="GET", **headers):
    """Status, type and text of an answer."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_a_server_counts_what_it_answers_and_tells_it_in_both_formats(environment):
    with serving(environment) as (url, _):
        for path, method in (
            ("/add?message=a", "GET"),
            ("/add?message=b", "POST"),
            ("/add", "POST"),
            ("/made/up", "GET"),
            ("/also/made/up", "GET"),
            ("/count", "PROPFIND"),
        ):
            asked(url + path, method)

        def counted():
            status, kind, text = asked(url + "/metrics")
            assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
            return parsed(text)

        # The last one is counted a moment after its answer.
        helpers.until(lambda: ("pra_http_requests_total", "other", "/count", "405") in counted())
        found = counted()
        assert found["pra_http_requests_total", "GET", "/add", "200"] == 1
        assert found["pra_http_requests_total", "POST", "/add", "200"] == 1
        assert found["pra_http_requests_total", "POST", "/add", "400"] == 1
        assert found["pra_http_requests_total", "GET", "other", "404"] == 2
        assert found["pra_http_refusals_total", "client", "/add"] == 1
        assert found["pra_http_request_duration_seconds_count", "/add"] == 3
        assert found["pra_http_request_duration_seconds_bucket", "+Inf", "/add"] == 3
        assert found["process_resident_memory_bytes",] > 1 << 20
        status, kind, text = asked(url + "/metrics", Accept="application/openmetrics-text")
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert {one.name for one in text_string_to_metric_families(text)} >= {"pra_rows"}
        # Where a version is none, any format is better than no answer.
        assert asked(url + "/metrics", Accept="text/plain;version=x")[0] == 200
        assert asked(url + "/metrics", "POST")[0] == 405
        assert asked(url + "/metrics", "HEAD")[::2] == (200, "")


def test_switched_off_there_is_no_such_route(environment):
    with serving({**environment, "PRA_METRICS": "off"}) as (url, _):
        status, _, text = asked(url + "/metrics")
        assert status == 404
        assert "/metrics" not in json.loads(text)["next"]
        assert asked(url + "/add?message=a")[0] == 200


def test_a_refusal_is_counted_by_its_reason(config, where):
    helpers.lose_data(where)
    told = Told(config)
    assert told.client.get("/add?message=x").status_code == 503
    assert [key for key, value in told.refusals().items() if value] == [("needs_restore", "/add")]


def test_each_reason_is_told_before_the_first_refusal(config):
    """An increase needs a value of before: the first burst would raise no alert."""
    told = Told(config)
    before = told.refusals()
    assert set(before.values()) == {0}
    assert {reason for reason, _ in before} == set(errors.KINDS)
    assert {route for _, route in before} >= {"/add", "/count", "/consultation", "/status"}
    told.client.post("/add")
    assert told.refusals().keys() == before.keys()


@pytest.mark.parametrize("error", [one for one in vars(errors).values() if isinstance(one, type)])
def test_every_error_has_a_word_that_is_listed(error):
    if issubclass(error, errors.PraError):
        assert error.kind in errors.KINDS


def test_what_clients_make_up_makes_no_series():
    requests = Requests()
    requests.know(["/add"])
    for number in range(100):
        requests.answered(f"/{number}", f"M{number}", 404, 0.1)
    requests.answered("/add", "GET", 200, 0.1)
    answers, _ = requests.told()
    assert answers.values == {(OTHER, OTHER, "404"): 100, ("/add", "GET", "200"): 1}
    assert [timed.route for timed in requests.timed()] == [OTHER, "/add"]


def test_a_duration_counts_in_every_bucket_that_holds_it():
    requests = Requests()
    for seconds in (0.001, 0.002, 0.3, 60):
        requests.answered("/x", "GET", 200, seconds)
    (timed,) = requests.timed()
    assert dict(timed.buckets) == {
        "0.001": 1,
        "0.0025": 2,
        "0.005": 2,
        "0.01": 2,
        "0.025": 2,
        "0.05": 2,
        "0.1": 2,
        "0.25": 2,
        "0.5": 3,
        "1.0": 3,
        "2.5": 3,
        "5.0": 3,
        "10.0": 3,
        "+Inf": 4,
    }
    assert timed.sum == pytest.approx(60.303)
