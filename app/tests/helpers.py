"""What several tests do: crash, lose a volume, look at the journal, bring a moment back."""

import contextlib
import errno
import os
import shutil
import threading
import time

import pytest

from pra.data import transaction
from pra.disk import files
from pra.journal import history, records, segments
from pra.journal.scanning import Scan
from pra.pitr import targets
from pra.points import catalogue
from pra.recovery import restore
from pra.sql import connect, schema


class Crash(BaseException):
    """The process dies here; nothing may catch it."""


@contextlib.contextmanager
def running(server):
    """A server of ``socketserver`` that answers meanwhile; yields it."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def crash_at(operation, phase="before", nth=1):
    """Die at the nth call of a file operation."""
    calls = 0

    def hook(when, name, arguments):
        nonlocal calls
        if (when, name) == (phase, operation):
            calls += 1
            if calls == nth:
                raise Crash

    files.hook = hook
    try:
        yield
    except Crash:
        pass
    finally:
        files.hook = None


@contextlib.contextmanager
def failing(operation, error, times=1):
    """Let the next calls of a file operation fail with an errno."""
    left = times

    def hook(when, name, arguments):
        nonlocal left
        if (when, name) == ("before", operation) and left:
            left -= 1
            raise OSError(error, os.strerror(error))

    files.hook = hook
    try:
        yield
    finally:
        files.hook = None


def add(events, count):
    """Add events; returns their rows as the application reports them."""
    return [events.add(f"message {number}") for number in range(count)]


def rewrite(where, sql):
    """Change the database behind the application's back."""
    conn = connect.open_live(os.path.realpath(where.link))
    conn.execute(sql).fetchall()
    conn.close()


def rot(where, old=b"message 1", new=b"message 9"):
    """Change bytes of a row on the data volume, as a disk does: no format is broken by it."""
    path = os.path.realpath(where.link)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as file:
        data = file.read()
        assert old in data
        file.seek(data.index(old))
        file.write(new)


def rows(where):
    """All rows of the current database."""
    conn = connect.open_live(os.path.realpath(where.link))
    try:
        return conn.execute("SELECT id, ts, message FROM events ORDER BY id").fetchall()
    finally:
        conn.close()


def as_rows(added):
    """The application's answers as rows."""
    return [(one["id"], one["timestamp"], one["message"]) for one in added]


def lose_data(where):
    """The data volume is deleted and recreated empty."""
    shutil.rmtree(where.data)
    os.mkdir(where.data)


def bring(config, name="latest", force=False):
    """Restore a point by name, or the latest moment."""
    if name == "latest":
        return restore.run(config, targets.latest, force)
    return restore.run(
        config, lambda where, known: targets.exact_point(catalogue.find(known, name)), force
    )


def last_segment(where):
    """The newest segment file's path."""
    return segments.listing(where)[-1].path


def content(path):
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def overwrite(path, data):
    """Replace a file's bytes in place."""
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate(len(data))


def journaled(where):
    """The numbers of the current timeline's committed transactions."""
    return [one.seq for run in history.live_path(where).everything() for one in run.records]


def crash_before_commit(events, monkeypatch, message="in doubt"):
    def die(conn, doing):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "_commit", die)
        with pytest.raises(Crash):
            events.add(message)


def sound_end(path):
    raw = content(path)
    scan = Scan(raw, records.SEGMENT_HEADER, records.decode_segment_header(raw).state())
    for _ in scan:
        pass
    return scan.end


def step_back(where, seq):
    """Put the database to where it stood after transaction ``seq``."""
    _, scan = segments.read(segments.listing(where)[-1])
    place = next(record for record in scan if record.seq == seq)
    conn = connect.open_live(os.path.realpath(where.link))
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("DELETE FROM events WHERE id > ?", (seq,))
    conn.execute("UPDATE sqlite_sequence SET seq=?", (seq,))
    schema.advance(conn, place.seq, place.hash.hex())
    conn.execute("COMMIT")
    conn.close()


def until(holds, seconds=10):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


@contextlib.contextmanager
def sync_fails(ending, times=1):
    """Let the next syncs of files whose names end so fail; collects writes and syncs of them."""
    steps, left = [], times

    def hook(phase, operation, arguments):
        nonlocal left
        if phase != "before" or operation not in ("write_at_once", "sync_data"):
            return
        if not os.readlink(f"/proc/self/fd/{arguments[0]}").endswith(ending):
            return
        steps.append(bytes(arguments[1]) if operation == "write_at_once" else "sync")
        if operation == "sync_data" and left:
            left -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.hook = hook
    try:
        yield steps
    finally:
        files.hook = None
