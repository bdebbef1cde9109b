"""The disks: what is synced before it counts, and what follows where a sync fails or power goes."""

import contextlib
import errno
import os
import subprocess
import sys

import apsw
import pytest
from helpers import (
    add,
    as_rows,
    bring,
    content,
    lose_data,
    rows,
    sync_fails,
)

from pra.base.errors import OutcomeUnknown, Refused, StorageError
from pra.data import transaction
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import durability, segments
from pra.sql import connect


def test_what_is_found_is_written_again_before_anything_is_built_on_it(config, where, events):
    """A sync of it may have failed while nobody who is alive was told."""
    add(events, 2)
    with sync_fails(".seg", times=0) as steps:
        other = SqliteEvents(config)
        other.add("next")
        other.add("after that")
    again, synced, added, *rest = steps
    assert b"message 0" in again and b"message 1" in again
    assert synced == "sync"
    assert b"next" in added and b"message" not in added
    assert rest[0] == "sync" and b"message" not in rest[1]


def test_a_sync_that_fails_is_made_good_by_writing_once_more(config, where, events):
    """Not by syncing once more, which would report success for what is not there."""
    SqliteEvents(config).add("of another")
    add(events, 1)
    with sync_fails(".seg") as steps:
        added = events.add("acknowledged")
    one, failed, again, synced = steps
    assert b"acknowledged" in one and b"of another" not in one
    assert b"acknowledged" in again and b"of another" in again
    assert failed == synced == "sync"
    lose_data(where)
    bring(config)
    assert rows(where)[-1] == as_rows([added])[0]


def test_a_journal_that_cannot_sync_makes_one_write_unknown_and_refuses_the_next(
    config, where, events
):
    add(events, 1)
    with sync_fails(".seg", times=3):
        with pytest.raises(OutcomeUnknown, match="while the row went to the database"):
            events.add("unknown")
        with pytest.raises(StorageError) as refused:
            events.add("refused")
        assert not isinstance(refused.value, OutcomeUnknown)
    events.add("next")
    assert [row[2] for row in rows(where)] == ["message 0", "unknown", "next"]
    lose_data(where)
    bring(config)
    assert [row[2] for row in rows(where)] == ["message 0", "unknown", "next"]


def test_a_log_that_cannot_sync_is_emptied_into_the_database(where, events):
    add(events, 1)
    live = os.path.realpath(where.link)
    with sync_fails("-wal"):
        events.add("acknowledged")
    assert os.path.getsize(f"{live}-wal") == 0
    assert b"acknowledged" in content(live)


@pytest.fixture
def a_reader(where):
    """Somebody who reads what was there before: the log cannot be emptied meanwhile."""
    reader = connect.open_live(os.path.realpath(where.link))
    reader.execute("BEGIN; SELECT * FROM events").fetchall()
    yield reader
    reader.close()


def test_a_log_that_cannot_be_emptied_makes_one_write_unknown_and_refuses_the_next(
    config, where, events, a_reader, monkeypatch
):
    monkeypatch.setattr(connect, "BUSY_MS", 10)
    with sync_fails("-wal"), pytest.raises(OutcomeUnknown, match="may not outlive a crash"):
        events.add("unknown")
    # Whoever opens it later is told nothing by the system.
    for writer in (events, SqliteEvents(config)):
        with pytest.raises(StorageError, match="cannot be emptied") as refused:
            writer.add("refused")
        assert not isinstance(refused.value, OutcomeUnknown)
    a_reader.close()
    events.add("next")
    assert [row[2] for row in rows(where)] == ["unknown", "next"]
    assert not os.path.exists(f"{os.path.realpath(where.link)}-failed")


def test_a_log_that_cannot_sync_before_a_segment_is_left_ends_that_write_alone(
    where, events, monkeypatch
):
    """It is not synced again and believed: it is emptied before the next write."""
    monkeypatch.setattr(segments, "SIZE", 2048)
    added, refused = add(events, 1), False
    while not refused:
        with log_fails_first():
            try:
                added.append(events.add("x"))
            except Refused:
                refused = True
    live = os.path.realpath(where.link)
    assert os.path.exists(f"{live}-failed")
    added.append(events.add("goes on"))
    assert not os.path.exists(f"{live}-failed")
    assert added[-2]["message"].encode() in content(live), "the log was emptied"
    assert rows(where) == as_rows(added)


@contextlib.contextmanager
def log_fails_first():
    """Let a sync that comes before the first write to the journal fail."""
    written = []

    def hook(phase, operation, arguments):
        if phase == "before" and operation == "write_at_once":
            written.append(arguments)
        if phase == "before" and operation == "sync_data" and not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.hook = hook
    try:
        yield
    finally:
        files.hook = None


def test_a_transaction_that_failed_is_recorded_as_such_before_that_is_said(
    where, events, monkeypatch
):
    """Else it could come back with the power."""
    add(events, 1)

    def refuse(conn, doing):
        raise apsw.SQLError("refused")

    monkeypatch.setattr(transaction, "_commit", refuse)
    with sync_fails(".seg", times=0) as steps, pytest.raises(StorageError):
        events.add("refused")
    assert steps[-1] == "sync" and len(steps) == 3


def test_a_disk_that_fails_at_the_beginning_has_failed(config, where, events, monkeypatch):
    """The sync behind it may not be told."""
    monkeypatch.setattr(durability, "_SLOW", 3600.0)
    add(events, 1)

    def fail(fd):
        assert os.readlink(f"/proc/self/fd/{fd}").endswith(".seg")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with sync_fails(".seg", times=0) as steps, monkeypatch.context() as patch:
        patch.setattr(files, "begin_writing_out", fail)
        add(events, 1)
    assert len(steps) == 3
    assert rows(where)[-1][2] == "message 0"


def test_what_the_system_says_of_a_beginning_is_not_lost(tmp_path, monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("this system has no such call")
    closed = os.open(tmp_path, os.O_RDONLY)
    os.close(closed)
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.begin_writing_out(closed)
    read, write = os.pipe()
    files.begin_writing_out(write)
    os.close(read)
    os.close(write)
    monkeypatch.setattr(files, "_sync_file_range", lambda: lambda *_: errno.ENOSYS)
    files.begin_writing_out(closed)


def test_a_python_without_ctypes_does_without_the_hint():
    code = (
        "import sys; sys.modules['_ctypes'] = None; from pra.disk import files;"
        " files.begin_writing_out(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_disks_failing_leave_neither_unmended(config, where, events, monkeypatch):
    monkeypatch.setattr(connect, "BUSY_MS", 10)
    add(events, 1)
    reader = connect.open_live(os.path.realpath(where.link))
    reader.execute("BEGIN; SELECT * FROM events").fetchall()
    with sync_fails(("-wal", ".seg"), times=2) as steps, pytest.raises(OutcomeUnknown):
        events.add("unknown")
    assert b"unknown" in steps[0] and b"unknown" in steps[-2], "written to the journal once more"
    reader.close()
    events.add("next")
    lose_data(where)
    bring(config)
    assert [row[2] for row in rows(where)] == ["message 0", "unknown", "next"]


def test_a_volume_that_is_lost_between_commit_and_sync_takes_nothing_along(config, where, events):
    add(events, 1)
    fresh, lost = SqliteEvents(config), []

    def hook(phase, operation, arguments):
        if phase == "before" and operation == "sync_data" and not lost:
            lost.append(where.data)
            lose_data(where)

    files.hook = hook
    added = fresh.add("acknowledged, or not there")
    files.hook = None
    bring(config)
    assert rows(where)[-1] == as_rows([added])[0]


def test_a_database_that_somebody_took_out_of_wal_mode_is_put_back(config, where, events):
    """Without its log, what is synced would not be what was written."""
    path = os.path.realpath(where.link)
    conn = apsw.Connection(path)
    assert conn.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    conn.close()
    assert not os.path.exists(f"{path}-wal")
    writer = SqliteEvents(config)
    add(writer, 1)
    assert os.path.getsize(f"{path}-wal") > 0


def test_a_database_that_cannot_be_put_in_wal_mode_is_said(where):
    """SQLite reports the mode that it kept, and no error."""
    with pytest.raises(StorageError, match="stays in the mode memory"):
        connect.use_log(apsw.Connection(":memory:"))


def test_much_that_others_wrote_makes_nobody_write_it_again(config, where, events):
    add(events, 1)
    other = SqliteEvents(config)
    for _ in range(8):
        other.add("x" * 4000)
    with sync_fails(".seg", times=0) as steps:
        events.add("mine")
    assert b"mine" in steps[0] and b"xxxx" not in steps[0]
