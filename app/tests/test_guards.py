"""Writes past the application: refused by the guards, found out where these are gone."""

import json
import os
import subprocess
import sys

import pytest
from conftest import pra
from helpers import add, as_rows, bring, lose_data, rows

from pra.base import settings
from pra.base.errors import Damaged
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore
from pra.sql import guards

DELETE = "DELETE FROM events WHERE id <= 2"


_SHELL = """
import sqlite3, sys
shell = sqlite3.connect(sys.argv[1])
try:
    for statement in sys.argv[2:]:
        shell.execute(statement)
    shell.commit()
except sqlite3.Error as error:
    print(error)
"""


def foreign(where, *statements):
    """What somebody types into a sqlite3 of their own; returns what it complains of.

    Its own process: two SQLite libraries in one would drop each other's locks.
    """
    shell = [sys.executable, "-c", _SHELL, os.path.realpath(where.link), *statements]
    return subprocess.run(shell, check=True, capture_output=True, text=True).stdout.strip()


def unguard(where, *statements):
    """The same by somebody who removes the guards first."""
    names = [f"DROP TRIGGER pra_guard_{event}" for event in ("insert", "update", "delete")]
    assert foreign(where, *names, *statements) == ""


@pytest.mark.parametrize(
    "statement",
    [
        DELETE,
        "UPDATE events SET message = 'x'",
        "INSERT INTO events(ts, message) VALUES('t', 'x')",
        "REPLACE INTO events VALUES(1, 't', 'x')",
    ],
)
def test_a_foreign_write_is_refused_and_changes_nothing(where, events, statement):
    added = add(events, 3)
    assert foreign(where, statement) == "no such function: pra_writer"
    assert rows(where) == as_rows(added)
    assert events.status()["unprotected"] is None
    events.add("goes on")


@pytest.mark.parametrize("mode", ["required", "off"])
def test_without_the_guards_writes_are_refused_until_a_restore(environment, where, mode):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events = SqliteEvents(config)
    added = add(events, 5)
    good = backup.run(config)
    unguard(where, DELETE)
    with pytest.raises(Damaged, match="write guards were removed") as failure:
        events.add("not onto that")
    assert "backup --accept keeps it" in failure.value.next_step
    assert "write guards were removed" in events.status()["unprotected"]
    assert events.count() == 3
    planned = plan.run(config, targets.latest)
    assert (planned["gained"], planned["lost"]) == (2, 0)
    assert bring(config)["point"] == good.name
    assert rows(where) == as_rows(added)
    assert events.status()["unprotected"] is None
    events.add("goes on")


def test_one_guard_that_does_something_else_counts_as_removed(where, events):
    add(events, 1)
    trigger = "CREATE TRIGGER pra_guard_delete BEFORE DELETE ON events BEGIN SELECT 1; END"
    foreign(where, "DROP TRIGGER pra_guard_delete", trigger)
    with pytest.raises(Damaged):
        events.add("x")


def test_a_snapshot_without_the_guards_is_quarantined_once(config, where, events):
    add(events, 5)
    good = backup.run(config)
    unguard(where, "DELETE FROM events WHERE id = 1")
    found = backup.run(config)
    assert found.status == "quarantined"
    assert "write guards were removed" in found.reason
    assert backup.run(config).name == found.name
    assert catalogue.latest(catalogue.scan(where)).name == good.name


def test_the_way_back_from_a_write_past_the_guards_is_the_latest_moment(environment, where, events):
    """The journal has no transaction of it, so none to restore before."""
    added = add(events, 5)
    pra(environment, "backup")
    unguard(where, DELETE)
    with pytest.raises(Damaged) as write:
        events.add("not onto that")
    (before,) = events.status()["notices"]
    assert before["what"] == events.status()["unprotected"]
    refused = pra(environment, "backup", "--json")
    (notice,) = events.status()["notices"]
    # Whoever writes, looks or takes a point is told the same ways on.
    ways = [write.value.next_step, before["next"], json.loads(refused.stdout)["next"]]
    assert [*ways, notice["next"]] == [guards.WAYS_ON] * 4
    assert "Writes are refused until then" in notice["what"]
    pra(environment, "restore", "latest")
    assert rows(where) == as_rows(added)
    pra(environment, "backup")
    assert events.status()["notices"] == []


@pytest.mark.parametrize("mode", ["required", "off"])
def test_what_is_accepted_is_a_new_base_with_guards(environment, where, mode):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events = SqliteEvents(config)
    add(events, 5)
    backup.run(config)
    unguard(where, DELETE)
    assert backup.run(config, accept=True).status == "verified"
    assert events.status()["unprotected"] is None
    events.add("journaled onto the new base")
    if mode == "off":
        backup.run(config)
    live = rows(where)
    assert [row[0] for row in live] == [3, 4, 5, 6]
    assert "no such function" in foreign(where, DELETE)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_what_a_restore_replaces_is_kept_as_it_is_and_can_be_undone(config, where, events):
    """A point of the same place in history holds other rows."""
    added = add(events, 5)
    backup.run(config)
    unguard(where, DELETE)
    kept = bring(config)["safety_point"]
    assert catalogue.find(catalogue.scan(where), kept).manifest["rows"] == 3
    events.add("meanwhile")
    restore.run(config, targets.undo)
    assert rows(where) == as_rows(added)[2:]


def test_best_effort_goes_on_and_says_so(environment, where):
    config = settings.load({**environment, "PRA_JOURNAL": "best-effort"})
    events = SqliteEvents(config)
    add(events, 3)
    unguard(where, DELETE)
    events.add("unprotected")
    assert "write guards were removed" in events.status()["unprotected"]
    backup.run(config)
    assert "Writes go on, without the journal" in events.status()["notices"][0]["what"]


def test_what_best_effort_writes_meanwhile_is_kept_too(environment, where, monkeypatch):
    config = settings.load({**environment, "PRA_JOURNAL": "best-effort"})
    events = SqliteEvents(config)
    add(events, 3)
    backup.run(config)
    unguard(where, DELETE)
    built = restore.build.catch_up

    def late(*arguments):
        # Under the writer lock: as if it had been written just before.
        monkeypatch.setattr(restore.build, "catch_up", built)
        foreign(where, "INSERT INTO events(ts, message) VALUES('t', 'late')")
        return built(*arguments)

    monkeypatch.setattr(restore.build, "catch_up", late)
    bring(config)
    restore.run(config, targets.undo)
    assert rows(where)[-1][2] == "late"
