"""A schedule that brings nothing is said, whatever the reason, and by whichever clock."""

import pytest
from helpers import add

from pra.base import clock, settings
from pra.events.sqlite import SqliteEvents
from pra.protect import backup, freshness


@pytest.fixture
def clocks(monkeypatch):
    """Both clocks, which move by hand: the wall's and the one that only goes on."""
    now = {"wall": 1_795_500_000.0, "monotonic": 100.0}
    monkeypatch.setattr(clock, "now", lambda: now["wall"])
    monkeypatch.setattr(freshness.time, "monotonic", lambda: now["monotonic"])
    return now


@pytest.fixture
def events(environment, clocks, where):
    return SqliteEvents(settings.load({**environment, "PRA_OVERDUE_SECONDS": "240"}))


def said(events) -> str:
    return " ".join(notice["what"] for notice in events.status()["notices"])


def test_points_that_come_on_schedule_are_not_remarked_on(events, clocks, config):
    for _ in range(5):
        backup.run(config)
        for name in clocks:
            clocks[name] += 60
        assert said(events) == ""


def test_a_schedule_that_stopped_is_said_and_one_point_ends_that(events, clocks, config):
    backup.run(config)
    assert said(events) == ""
    for name in clocks:
        clocks[name] += 241
    assert "overdue: the newest restore point is 241 s old" in said(events)
    backup.run(config)
    assert said(events) == ""


def test_a_point_does_not_stay_young_because_the_wall_clock_stands_still(events, clocks, config):
    backup.run(config)
    assert said(events) == ""
    clocks["monotonic"] += 241
    assert "overdue" in said(events)


def test_a_clock_that_was_set_back_makes_no_point_young(events, clocks, config):
    backup.run(config)
    clocks["wall"] -= 3600
    # That the clock differs is a notice of its own.
    assert "overdue" not in said(events)
    clocks["monotonic"] += 241
    assert "overdue: the newest restore point is 241 s old" in said(events)


def test_that_there_never_was_a_point_is_said(events, clocks):
    assert said(events) == ""
    clocks["monotonic"] += 241
    assert "no restore point for 241 s" in said(events)


def test_it_is_judged_only_where_the_settings_say_by_what(clocks, config, where):
    events = SqliteEvents(config)
    clocks["monotonic"] += 1_000_000
    assert said(events) == ""


def test_suspect_points_show_that_the_schedule_runs(events, clocks, config):
    add(events, 20)
    backup.run(config)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events").fetchall())
    for _ in range(5):
        for name in clocks:
            clocks[name] += 60
        events.add("goes on")
        assert backup.run(config).status == "quarantined"
    assert "is quarantined" in said(events) and "overdue" not in said(events)
    for name in clocks:
        clocks[name] += 241
    assert "fails, or does not run, or finds just what is in" in said(events)
