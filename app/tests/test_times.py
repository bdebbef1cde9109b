"""Moments: how people write them, and what a restore to one of them includes."""

import json
import threading

import pytest
from conftest import pra
from helpers import add, as_rows, rows

from pra.base import clock, moments
from pra.base.errors import Refused, UsageError
from pra.events.sqlite import SqliteEvents
from pra.pitr import by_time, targets
from pra.recovery import restore

#: 2026-11-28T08:39:28Z, a Saturday.
THEN = 1_795_855_168


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T08:39:28Z",
        "2026-11-28t08:39:28.000z",
        "2026-11-28 08:39:28 UTC",
        "2026-11-28T09:39:28+01:00",
        "2026-11-28T09:39:28+0100",
        "2026-11-28 10:39:28+02",
        "2026-11-28T03:09:28.000000-05:30",
        "2026-11-28T08:39:28,000000000+00:00",
        "Sat Nov 28 08:39:28 UTC 2026",
        "Sat Nov 28 08:39:28 AM UTC 2026",
        "Sat 28 Nov 08:39:28 UTC 2026",
        "Sat, 28 Nov 2026 09:39:28 +0100",
        "Sat, 28 Nov 2026 08:39:28 GMT",
        "Sat Nov 28 2026 09:39:28 GMT+0100 (Central European Standard Time)",
        "@1795855168",
    ],
)
def test_a_moment_is_read_as_its_writer_meant_it(text):
    assert moments.is_one(text)
    assert moments.parse(text) == THEN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 min ago", 600),
        ("2 hours ago", 7200),
        ("1 h 30 min ago", 5400),
        ("90s ago", 90),
        ("3 Days ago", 259_200),
        ("il y a 10 min", 600),
        ("il y a 2 heures", 7200),
        ("il y a 1 jour", 86_400),
    ],
)
def test_so_long_ago_counts_from_now(monkeypatch, text, seconds):
    monkeypatch.setattr(clock, "now", lambda: THEN + 0.25)
    assert moments.is_one(text)
    assert moments.is_relative(text)
    assert moments.parse(text) == THEN + 0.25 - seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no moment"),
        ("now", "no moment"),
        ("--force", "no moment"),
        ("2026-11-21", "no moment"),
        ("2026-11-21T10:15:00", "no time zone"),
        ("Sat Nov 28 08:39:28 2026", "no time zone"),
        ("Sat Nov 28 08:39:28 CET 2026", "CET is no offset"),
        ("2026-11-31T10:15:00Z", "day is out of range"),
        ("2026-11-21T25:15:00Z", "hour must be"),
        ("10 min", "no moment"),
        ("10 moons ago", "moons is no unit"),
        ("999999 weeks ago", "out of range"),
        ("2026-11-21T10:15:00Z; rm -rf /", "no moment"),
    ],
)
def test_what_could_mean_several_moments_is_none(text, why):
    with pytest.raises(UsageError, match=why):
        moments.parse(text)


def test_the_time_that_a_row_shows_includes_that_row(config, where):
    """Under load, times that are read before the turn to write differ from the order."""

    def write(name):
        mine = SqliteEvents(config)
        for number in range(25):
            mine.add(f"{name} {number}")

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    known = []
    for identifier, shown, _ in rows(where):
        goal = by_time.at_time(where, known, moments.parse(shown), "--to it")
        assert goal.until >= identifier, "the first ids are the first transactions' numbers"


def test_a_point_stands_in_for_its_transaction_without_a_step_of_the_clock(
    config, where, events, monkeypatch
):
    """It is published later than the next transaction, which its time must not hide."""
    from pra.journal import segments
    from pra.points import catalogue
    from pra.protect import backup

    now = [THEN + 0.0]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    add(events, 1)
    point = backup.run(config)
    known = [
        one._replace(manifest={**one.manifest, "created_time": THEN + 60.0})
        for one in catalogue.scan(where)
        if one.name == point.name
    ]
    now[0] += 10
    shown = events.add("next")["timestamp"]
    # The point's own record is gone, as after a new base or retention.
    everything = targets.Path.everything
    monkeypatch.setattr(
        targets.Path,
        "everything",
        lambda path: everything(path, after={path.line[-1].number: 1}),
    )
    assert segments.listing(where)
    goal = by_time.at_time(where, known, moments.parse(shown), "--to it")
    assert goal.until == 2


def test_a_moment_that_is_to_come_is_refused_with_the_reach(environment, config, where, events):
    add(events, 3)
    last = events.add("BAD")["timestamp"]
    before = rows(where)
    done = pra(environment, "restore", "--to", "2099-01-01T00:00:00Z")
    assert done.returncode == 2
    assert f"that is yet to come: the journal reaches to {last}" in done.stderr
    assert "restore latest" in done.stderr
    assert rows(where) == before
    assert pra(environment, "restore", "2099-01-01T00:00:00Z", "--plan").returncode == 2
    # Between the last write and now nothing was written: that is a known moment.
    assert pra(environment, "restore", "--to", "0 s ago").returncode == 0
    assert rows(where) == before


def test_a_moment_behind_now_counts_where_the_clock_was_set_back(
    config, where, events, monkeypatch
):
    now = [THEN + 1000.0]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    added = add(events, 2)
    now[0] = THEN + 0.0
    goal = by_time.at_time(where, [], THEN + 1000.0, "--to it")
    assert goal.until == 2
    with pytest.raises(Refused, match="yet to come"):
        by_time.at_time(where, [], THEN + 1001.0, "--to it")
    assert as_rows(added) == rows(where)


def test_a_job_takes_no_moment_that_moves_with_its_attempts(environment, where, events):
    add(events, 1)
    relative = {**environment, "PRA_RESTORE_POINT": "10 min ago"}
    done = pra(relative, "restore", "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert "another moment with each attempt" in said["error"]
    assert "python -m pra moment '10 min ago'" in said["next"]


def test_the_moment_that_is_meant_is_said(environment, where, events):
    added = events.add("one")
    done = pra(environment, "moment", "2026-11-28 09:39:28 +0100", "--json")
    assert json.loads(done.stdout) == {"moment": "2026-11-28T08:39:28.000Z"}
    assert pra(environment, "moment", "@1795855168").stdout == "2026-11-28T08:39:28.000Z\n"
    assert pra(environment, "moment", "yesterday").returncode == 2
    done = pra(environment, "restore", added["timestamp"].replace("Z", "+00:00"))
    assert f"restored --to {added['timestamp']}: 1 rows" in done.stdout


def test_the_ends_of_the_reach_can_be_restored_as_they_are_shown(environment, where, events):
    add(events, 2)
    reach = json.loads(pra(environment, "points", "--json").stdout)["journal"]
    assert pra(environment, "restore", "--plan", "--to", reach["from"]).returncode == 0
    planned = pra(environment, "restore", "--plan", "--to", reach["to"], "--json")
    assert json.loads(planned.stdout)["rows"] == 2


def test_restoring_to_the_time_of_a_row_brings_that_row(config, where, events):
    add(events, 2)
    shown = events.add("the one")["timestamp"]
    moment = moments.parse(shown)
    restore.run(config, lambda where, known: by_time.at_time(where, known, moment, "--to it"))
    assert rows(where)[-1][1:] == (shown, "the one")


@pytest.mark.parametrize("milliseconds", [0, 999, 1000, 1763719200123, 1795996097999])
def test_a_row_shows_its_moment_to_the_millisecond(milliseconds):
    assert clock.stamp(milliseconds) == clock.rfc3339(milliseconds / 1000, 3)
