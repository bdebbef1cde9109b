"""Clocks that jump: said, and nothing is removed because of it."""

import json

import pytest
from conftest import pra
from helpers import add, bring

from pra.base import clock, settings
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.points import catalogue, elapsed
from pra.protect import backup

START = 1_800_000_000
YEAR = 365 * 86_400


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""

    def set_clock(seconds):
        monkeypatch.setattr(clock, "now", lambda: float(START + seconds))

    set_clock(0)
    return set_clock


def kept(where):
    """What a clock that jumps could remove."""
    names = {point.name for point in catalogue.scan(where)}
    return names | {segment.path for segment in segments.listing(where)}


@pytest.fixture
def full(config, at, where, events):
    """Points of several minutes, two restores, and the journal of what they left behind."""
    for minute in range(4):
        at(60 * minute)
        add(events, 2)
        first = backup.run(config)
    for minute in range(4, 6):
        at(60 * minute)
        add(events, 1)
        bring(config, first.name)
    add(events, 1)
    return kept(where)


@pytest.mark.parametrize("wrong", [YEAR, 12 * 3600, -YEAR, -12 * 3600])
def test_one_backup_with_a_wrong_clock_removes_nothing(config, at, where, full, wrong):
    at(360 + wrong)
    backup.run(config)
    assert full <= kept(where)
    at(420)
    backup.run(config)
    assert full <= kept(where)


def test_an_hour_of_wrong_time_makes_things_an_hour_older(config, at, where, full):
    for minute in range(60):
        at(360 + YEAR + 60 * minute)
        backup.run(config)
    known = catalogue.scan(where)
    # The step onto the wrong clock counts as one of the longest that is believed.
    assert elapsed.of(known[0]) == START + 300 + elapsed.STEP + 59 * 60
    assert {point.name for point in known if point.status == "safety"} <= full


def test_what_is_old_goes_by_steady_time(environment, at, where, full):
    config = settings.load({**environment, "PRA_KEEP_SAFETY_HOURS": "2"})
    safety = [point.name for point in catalogue.scan(where) if point.status == "safety"]
    undone = safety[-1]
    for minute in range(6, 6 + 125, 5):
        at(60 * minute)
        backup.run(config)
    left = {point.name for point in catalogue.scan(where)}
    assert undone not in left
    assert safety[0] in left, "undo needs it"


@pytest.mark.parametrize(
    ("wrong", "before", "after"),
    [(YEAR, "365 days passed by the clock", "365 days from now"), (-YEAR, "from now", "passed")],
)
def test_a_jump_is_said_then_and_for_an_hour_after(config, at, where, events, wrong, before, after):
    backup.run(config)
    at(60 + wrong)
    assert before in events.status()["notices"][0]["what"]
    backup.run(config)
    assert before in events.status()["notices"][0]["what"], "the point remembers it"
    at(120)
    assert after in events.status()["notices"][0]["what"]
    for minute in range(2, 65):
        at(60 * minute)
        backup.run(config)
    assert events.status()["notices"] == []


def test_a_point_that_remembers_nothing_goes_by_its_clock(where):
    point = catalogue.Point("app-1.db", 1, 1, "verified", None, {"serial": 1})
    assert elapsed.of(point) == 1
    assert elapsed.now([]) == pytest.approx(clock.now(), abs=10)


def test_by_command_line(environment, config, where, events, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: START + YEAR + 0.0)
        backup.run(config)
    done = pra(environment, "backup", "--json")
    assert done.returncode == 0
    (notice,) = json.loads(done.stdout)["notices"]
    assert "ahead then, or is behind now" in notice["what"]
    assert notice["what"] in done.stderr
    assert SqliteEvents(config).status()["notices"] == [notice]
