"""A clock that shows no time that can be: nothing is written down with it, and it is said."""

import pytest
from helpers import as_rows, rows

from pra.base import clock
from pra.base.errors import Refused
from pra.web.routes import create_app

PAST, FUTURE = -86_400.5, 253_402_300_800.0


@pytest.mark.parametrize("now", [PAST, FUTURE], ids=["before 1970", "after 9999"])
@pytest.mark.parametrize("key", [None, "k"])
def test_an_event_is_refused_and_the_clock_is_named(where, events, monkeypatch, now, key):
    first = events.add("before")
    headers = {"Idempotency-Key": key} if key else {}
    client = create_app(events).test_client()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: now)
        answer = client.post("/add", data={"message": "x"}, headers=headers)
        assert answer.status_code == 503
        assert "the clock of this machine is wrong" in answer.get_json()["error"]
        assert "set the clock" in answer.get_json()["next"]
        with pytest.raises(Refused, match="nothing was changed"):
            events.add("x", key)
    assert rows(where) == as_rows([first])
    # Set right, it goes on with the same key.
    assert events.add("x", key)["id"] == 2


def test_the_last_moments_that_can_be_are_written_down(where, events, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 0.0)
    assert events.add("first")["timestamp"] == "1970-01-01T00:00:00.000Z"
    monkeypatch.setattr(clock, "now", lambda: FUTURE - 0.5)
    assert events.add("last")["timestamp"] == "9999-12-31T23:59:59.500Z"
