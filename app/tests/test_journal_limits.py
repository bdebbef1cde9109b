"""The journal at its limits: volumes that vanish, other schemas, other modes, many segments."""

import errno
import os
import shutil

import apsw
import pytest
from helpers import (
    add,
    as_rows,
    bring,
    content,
    crash_at,
    crash_before_commit,
    failing,
    journaled,
    last_segment,
    lose_data,
    overwrite,
    rows,
    sound_end,
)

from pra.base import settings
from pra.base.errors import Damaged, Refused
from pra.data import changes
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import records, segments
from pra.journal.comparison import Mismatch
from pra.lineage import marks
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore
from pra.sql import connect


def test_a_journal_whose_folder_was_deleted_accepts_nothing(where, events):
    add(events, 1)
    shutil.rmtree(where.journal)
    with pytest.raises(segments.Gone):
        events.add("into a deleted file")


@pytest.mark.parametrize("way", [targets.current, targets.latest])
def test_nobody_makes_a_folder_of_the_journal_that_is_gone_but_a_restore(config, where, way):
    add(SqliteEvents(config), 3)
    backup.run(config)
    add(SqliteEvents(config), 2)
    before = catalogue.scan(where)
    shutil.rmtree(where.journal)
    start.prepare(config)
    plan.run(config, way)
    with pytest.raises(segments.Gone) as refused:
        backup.run(config)
    assert f"python -m pra restore {way.__name__} " in refused.value.next_step
    assert catalogue.scan(where) == before and not os.path.exists(where.journal)
    assert restore.run(config, way)["rows"] == (5 if way is targets.current else 3)
    assert SqliteEvents(config).add("goes on")["id"] == 6


@pytest.mark.parametrize("tick", [0, files.TICK_NS])
def test_a_journal_whose_segment_was_deleted_accepts_nothing(where, events, monkeypatch, tick):
    """Its folder shows it, once that has been left alone for long enough to be trusted."""
    monkeypatch.setattr(files, "TICK_NS", tick)
    add(events, 2)
    os.remove(last_segment(where))
    with pytest.raises(Mismatch):
        events.add("into a deleted file")


def test_a_backup_volume_that_came_late_accepts_nothing(config, where, events):
    add(events, 1)
    os.rename(where.backup, f"{where.backup}-away")
    os.mkdir(where.backup)
    with pytest.raises(Refused):
        events.add("x")
    with pytest.raises(Refused):
        backup.run(config)
    shutil.rmtree(where.backup)
    os.rename(f"{where.backup}-away", where.backup)
    events.add("y")


def test_a_data_volume_of_another_history_is_refused(config, where, events, environment):
    add(events, 1)
    marks.write_mark(where.data, "other")
    with pytest.raises(Refused, match="do not belong together"):
        events.add("x")


def test_a_database_that_was_swapped_is_never_written_to(config, where, events):
    """Its connection is still open, and SQLite would write to the deleted file."""
    add(events, 2)
    point = backup.run(config)
    add(events, 1)
    bring(config, point.name)
    assert events.add("new")["id"] == 4
    assert len(rows(where)) == 3


def test_a_snapshots_position_is_what_it_holds(config, where, events, monkeypatch):
    add(events, 2)
    crash_before_commit(events, monkeypatch)
    _, content = backup.snapshot(where)
    assert content["position"]["seq"] == 2
    assert content["rows"] == 2


def test_what_a_crash_left_in_the_journal_alone_is_in_the_next_point(
    config, where, events, monkeypatch
):
    add(events, 2)
    crash_before_commit(events, monkeypatch)
    point = backup.run(config)
    assert point.manifest["position"]["seq"] == 3
    assert point.manifest["rows"] == 3
    lose_data(where)
    bring(config)
    assert len(rows(where)) == 3


def shell(where, sql):
    conn = apsw.Connection(os.path.realpath(where.link))
    conn.execute(sql)
    conn.close()


def test_a_changed_schema_needs_a_new_base_first(config, where, events):
    add(events, 1)
    shell(where, "CREATE TABLE extra(id INTEGER PRIMARY KEY, x)")
    with pytest.raises(Mismatch, match="tables changed"):
        events.add("x")
    backup.run(config)
    added = events.add("y")
    events._database.write(
        "testing", lambda conn: conn.execute("INSERT INTO extra VALUES(7, 'seven')")
    )
    lose_data(where)
    bring(config)
    assert rows(where)[-1][0] == added["id"]
    conn = connect.open_live(os.path.realpath(where.link))
    assert conn.execute("SELECT * FROM extra").fetchall() == [(7, "seven")]
    conn.close()


def test_the_first_write_after_a_new_base_is_taken_by_who_saw_the_old_one(config, where, events):
    add(events, 1)
    shell(where, "CREATE TABLE extra(id INTEGER PRIMARY KEY, x)")
    backup.run(config)
    assert events.add("at once")["id"] == 2


def test_a_table_without_a_key_of_its_own_is_refused(config, where, events):
    """Sessions do not see its rows: they would be missing after a restore."""
    shell(where, "CREATE TABLE loose(x)")
    with pytest.raises(Damaged, match="loose"):
        events.add("x")
    with pytest.raises(Refused, match="loose"):
        backup.run(config)


def test_a_transaction_too_large_to_apply_is_refused(where, events, monkeypatch):
    monkeypatch.setattr(changes, "MAX_CHANGESET", 2000)
    with pytest.raises(Refused, match="changes more than"):
        events.add("x" * 3000)
    events.add("small")
    assert len(rows(where)) == 1


def test_durability_is_set_and_not_assumed(where):
    conn = connect.open_live(os.path.realpath(where.link))
    assert conn.execute("PRAGMA synchronous").fetchone() == (2,)
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    conn.close()


def with_mode(environment, mode):
    return settings.load({**environment, "PRA_JOURNAL": mode})


def test_best_effort_goes_on_and_says_so_until_there_is_a_new_base(environment, where, caplog):
    config = with_mode(environment, "best-effort")
    events = SqliteEvents(config)
    add(events, 1)
    with failing("write_at_once", errno.EIO, times=2):
        events.add("unprotected")
    assert "NOT journaled" in caplog.text
    events.add("also unprotected")
    assert events.status()["unprotected"]
    assert journaled(where)[:1] == [1]
    assert backup.run(config).status == "verified"
    events.add("protected")
    assert events.status()["unprotected"] is None
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_best_effort_goes_on_where_the_disk_of_the_journal_cannot_sync(environment, where, caplog):
    events = SqliteEvents(with_mode(environment, "best-effort"))
    add(events, 1)
    with failing("sync_data", errno.EIO, times=3):
        events.add("unprotected")
    assert "NOT journaled" in caplog.text
    events.add("protected again")
    assert "journaled again" in caplog.text
    assert journaled(where) == [1, 2, 3], "what was not synced was written once more"


def test_best_effort_writes_without_the_backup_volume(environment, where):
    events = SqliteEvents(with_mode(environment, "best-effort"))
    add(events, 1)
    os.rename(where.backup, f"{where.backup}-away")
    events.add("unprotected")
    assert len(rows(where)) == 2


def test_writes_of_another_mode_end_the_journals_reach(environment, config, where, events):
    add(events, 1)
    SqliteEvents(with_mode(environment, "off")).add("unjournaled")
    with pytest.raises(Mismatch, match="stands at transaction 2, its journal ends at 1"):
        events.add("x")
    backup.run(config)
    events.add("journaled again")
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_segments_rotate_and_nothing_is_lost_between_them(config, where, monkeypatch):
    monkeypatch.setattr(segments, "SIZE", 4096)
    one, two = SqliteEvents(config), SqliteEvents(config)
    for number in range(60):
        (one if number % 3 else two).add(f"message {number}")
    assert len(segments.listing(where)) >= 3
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


@pytest.mark.parametrize(
    "operation",
    ["link_new", "fsync_directory", "write_at_once", "sync_data", "write_once"],
)
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_crash_while_rotating_loses_nothing(config, where, monkeypatch, operation, phase):
    monkeypatch.setattr(segments, "SIZE", 2048)
    acknowledged = []
    for number in range(30):
        with crash_at(operation, phase, nth=1 + number % 3):
            acknowledged.append(SqliteEvents(config).add(f"message {number}"))
    SqliteEvents(config).add("last")
    live = rows(where)
    assert set(as_rows(acknowledged)) <= set(live)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_a_missing_segment_is_said(config, where, monkeypatch):
    monkeypatch.setattr(segments, "SIZE", 2048)
    events = SqliteEvents(config)
    add(events, 40)
    found = segments.listing(where)
    os.unlink(found[len(found) // 2].path)
    lose_data(where)
    with pytest.raises(Refused, match="interrupted before transaction"):
        bring(config)
    assert bring(config, force=True)["incomplete"]
    assert 0 < len(rows(where)) < 40


def test_a_hole_in_the_last_segment_is_no_end(config, where, events):
    add(events, 5)
    path = last_segment(where)
    raw = bytearray(content(path))
    start = records.SEGMENT_HEADER + (sound_end(path) - records.SEGMENT_HEADER) // 2
    raw[start : start + 40] = bytes(40)
    overwrite(path, raw)
    lose_data(where)
    with pytest.raises(Damaged, match="are damaged"):
        bring(config)


def test_a_missing_database_is_not_created(config, where, events):
    """SQLite deletes the -wal beside a database that it finds missing or empty."""
    add(events, 1)
    live = os.path.realpath(where.link)
    os.rename(live, f"{live}.away")
    with pytest.raises(Refused):
        SqliteEvents(config).count()
    assert not os.path.exists(live)
