"""A database whose file was emptied: SQLite would delete its log, which may hold every row."""

import os
import sqlite3

import pytest
from helpers import add, bring, content, overwrite, rewrite, rows

from pra.base import settings
from pra.base.errors import Damaged, Refused
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore


def emptied(environment, mode):
    """Settings, and the path of a database whose rows are in its log alone."""
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    start.prepare(config)
    events = SqliteEvents(config)
    add(events, 3)
    live = os.path.realpath(config.layout.link)
    log = content(f"{live}-wal")
    assert b"message 2" in log
    del events
    files.remove(f"{live}-wal")
    overwrite(live, b"")
    files.write_new(f"{live}-wal", log)
    return config, live, log


def read(config):
    SqliteEvents(config).count()


def write(config):
    SqliteEvents(config).add("x")


def make_current(config):
    restore.run(config, targets.current)


@pytest.mark.parametrize("mode", ["off", "best-effort", "required"])
@pytest.mark.parametrize("act", [start.prepare, read, write, backup.run, make_current])
def test_nobody_deletes_its_log(environment, mode, act):
    config, live, log = emptied(environment, mode)
    if act is start.prepare:
        act(config)
    else:
        with pytest.raises(Damaged, match="its log .-wal. may hold all of its rows"):
            act(config)
    assert content(f"{live}-wal") == log


def without_log(where, by_hand):
    """Empty a database that has no log; SQLite then makes one without tables of it, or not yet."""
    live = os.path.realpath(where.link)
    for name in (f"{live}-wal", f"{live}-shm"):
        files.remove(name)
    overwrite(live, b"")
    if by_hand:
        conn = sqlite3.connect(live)
        conn.execute("PRAGMA journal_mode=WAL")
        conn.close()
        assert os.path.getsize(live)
    return live, content(live)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("mode", ["off", "required"])
def test_one_without_tables_is_a_damaged_one_that_every_restore_replaces(
    environment, mode, by_hand
):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    start.prepare(config)
    add(SqliteEvents(config), 3)
    name = backup.run(config).name
    live, left = without_log(config.layout, by_hand)
    start.prepare(config)
    for act in (read, write, backup.run, make_current):
        with pytest.raises(Damaged) as refused:
            act(config)
        assert "restore latest" in refused.value.next_step
    assert content(live) == left, "nobody made a database of it"
    assert SqliteEvents(config).status()["notices"]
    assert plan.run(config, targets.latest)["gained"] == (None if by_hand else 3)
    for asked in ("latest", name):
        assert bring(config, asked)["rows"] == 3
        without_log(config.layout, by_hand)
    bring(config)
    kept = [point for point in catalogue.scan(config.layout) if point.status == "safety"]
    assert any(content(config.layout.point(one.name)) == left for one in kept) == by_hand
    assert len(rows(config.layout)) == 3


def test_a_restore_keeps_the_log_of_one_that_is_not_in_use(environment):
    config, live, log = emptied(environment, "required")
    where = config.layout
    os.unlink(where.link)
    assert bring(config)["rows"] == 3
    (kept,) = [point for point in catalogue.scan(where) if point.status == "safety"]
    assert content(where.raw_wal(kept.wal)) == log
    assert not os.path.exists(live)
    assert len(rows(where)) == 3


def test_a_backup_of_a_database_without_a_place_says_so(config, where, events):
    add(events, 1)
    live = os.path.realpath(where.link)
    del events
    rewrite(where, "DROP TABLE pra_position")
    with pytest.raises(Refused, match="says nothing of its place") as caught:
        backup.run(config)
    assert "restore current" in caught.value.next_step
    assert bring(config)["rows"] == 1
    assert os.path.realpath(where.link) != live
