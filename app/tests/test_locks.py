"""The writer lock as the application uses it: who gets it, and what follows where it fails."""

import errno
import gc
import os
import threading
import time

import pytest
from helpers import add, rows, until

from pra.base.errors import Locked, Refused
from pra.data.database import Database
from pra.disk import files, locks
from pra.events.sqlite import SqliteEvents


def test_a_waiting_restore_gets_its_turn_among_busy_writers(config, where, events):
    """Without the turnstile a writer that comes straight back wins every time."""
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with locks.writer(where, "writing"):
                stop.wait(0.001)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    began = time.monotonic()
    for _ in range(10):
        with locks.writer(where, "restoring"):
            pass
    seconds = time.monotonic() - began
    stop.set()
    for writer in writers:
        writer.join()
    assert seconds < 2


def test_waits_that_ran_out_do_not_add_up(config, where, events, monkeypatch):
    """Each would keep a thread and a descriptor until the lock is free."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.02)
    with locks.writer(where, "holding it"):
        with pytest.raises(Locked):
            events.add("refused")
        running, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(Locked):
                events.add("refused")
        assert threading.active_count() == running
        assert len(os.listdir("/proc/self/fd")) == descriptors
    assert events.add("goes on")["id"] == 2


def test_a_lock_file_that_was_replaced_between_two_writes_is_noticed(where, events, monkeypatch):
    """The old one is still open, and locking a deleted file excludes nobody."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.05)
    for name in ("turnstile", "writer"):
        os.remove(f"{where.locks}/{name}")
    with locks.writer(where, "restoring"), pytest.raises(Locked):
        events.add("beside a restore")
    assert len(add(events, 1)) == 1


def test_a_fork_does_not_share_the_lock_of_its_parent(where, events, monkeypatch):
    """A descriptor that it inherited would give the child the lock that its parent holds."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.05)
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.read(told, 1)
        try:
            events.add("beside the parent")
        except Locked:
            os._exit(0)
        os._exit(1)

    def look(conn):
        os.write(tell, b"now")
        return os.waitpid(child, 0)[1]

    assert events._database.write("holding the lock", look) == 0


def test_an_act_that_fails_is_not_tried_without_the_lock(config, where):
    """Where the journal is best-effort, a volume whose locks fail is gone without."""
    database, tried = Database(config._replace(journal="best-effort")), []

    def fail(conn):
        tried.append(True)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError):
        database.write("acting", fail)
    assert len(tried) == 1


def the_lock_cannot_be_opened(number):
    """While somebody holds it, a restore for instance."""

    def hook(phase, operation, arguments):
        if (phase, operation) == ("before", "open_lock"):
            raise OSError(number, os.strerror(number))

    return hook


@pytest.mark.parametrize("mode", ["off", "best-effort"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK])
def test_what_fails_in_one_process_alone_lets_it_write_beside_nobody(config, where, mode, number):
    database = Database(config._replace(journal=mode))
    SqliteEvents(config).add("before")
    with locks.writer(where, "restoring"):
        files.hook = the_lock_cannot_be_opened(number)
        with pytest.raises(OSError, match=os.strerror(number)):
            database.write("beside it", lambda conn: conn.execute("DELETE FROM events").fetchall())
    files.hook = None
    assert len(rows(where)) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ENOENT, errno.EROFS])
def test_without_a_journal_a_volume_whose_locks_fail_stops_no_write(config, where, number):
    off = SqliteEvents(config._replace(journal="off"))
    files.hook = the_lock_cannot_be_opened(number)
    off.add("goes on")
    files.hook = None
    assert len(rows(where)) == 1


def test_failures_behind_a_wait_leave_no_descriptor_to_the_garbage_collector(where, events):
    add(events, 1)

    def fail(conn):
        raise Refused("acting", "it went wrong", "do something else")

    def fail_behind_a_wait():
        asking = threading.Thread(target=attempt)
        with locks.writer(where, "holding it"):
            asking.start()
            until(lambda: not events._database._locks)
        asking.join()

    def attempt():
        with pytest.raises(Refused):
            events._database.write("acting", fail)

    fail_behind_a_wait()
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            fail_behind_a_wait()
        assert len(os.listdir("/proc/self/fd")) <= before
    finally:
        gc.enable()
