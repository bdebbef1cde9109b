"""Journaled writes against plain SQLite writes of the same durability."""

import hashlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import apsw

from benches import lab as labs
from pra.disk import files
from pra.events.sqlite import SqliteEvents

WRITERS = (1, 8)
#: How long one kind of writes goes on before the next one's turn, in seconds.
SLICE = 0.5
_MESSAGE = "a message of the usual length"


def measure(folder: str, seconds: float, runs: int) -> Iterator[dict]:
    """Rates and tail latencies, with one writer and with several."""
    for writers in WRITERS:
        journaled, plain, disk, *alone = _side_by_side(folder, writers, seconds * runs)
        yield labs.row(
            f"journaled writes, {writers} writers",
            journaled.rate,
            "per second",
            "plain writes, synchronous=FULL",
            plain.rate,
            "at least half",
        )
        for least in alone:
            yield labs.row(
                "a session, a record, a commit, two syncs and no check, 1 writer",
                least.rate,
                "per second",
                "plain writes, synchronous=FULL",
                plain.rate,
                "the most that these libraries and this disk leave room for",
            )
        yield labs.row(
            f"added p99, {writers} writers",
            max(0.0, journaled.p99 - plain.p99),
            "s",
            "p99 of the disk's fsync",
            disk.p99,
            "at most twice",
        )
        yield labs.row(
            f"slowest write, {writers} writers",
            journaled.slowest,
            "s",
            "plain writes, synchronous=FULL",
            plain.slowest,
            "reported",
        )


class _Measured(NamedTuple):
    """The median rate of all slices, in writes a second; latencies of all writes, in seconds.

    SQLite's own wait for a lock is no queue: most writes of several writers go ahead of
    others, which its p99 does not see. Its slowest write does.
    """

    rate: float
    p99: float
    slowest: float


def _side_by_side(folder: str, writers: int, seconds: float) -> list[_Measured]:
    """Journaled writes, plain ones, the disk's own fsync and, for one, the least, in short slices.

    A disk that others use is five times slower one second than the next:
    only what lies side by side can be compared.
    """
    plain = f"{folder}/plain-{writers}.db"
    _create_plain(plain)
    kinds = (
        (_journaled, labs.create(f"{folder}/journaled", "required"), writers),
        (_plain, plain, writers),
        (_synced, f"{folder}/synced", 1),
    )
    if writers == 1:
        kinds += ((_least, f"{folder}/least.db", 1),)
    rounds = max(1, round(seconds / SLICE))
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers)
    answers = context.Queue()
    processes = [
        context.Process(target=_work, args=(number, ready, answers, rounds, kinds))
        for number in range(writers)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60 + len(kinds) * 4 * seconds) for _ in processes]
    for process in processes:
        process.join()
    return [_measured([slices[kind] for slices in found]) for kind in range(len(kinds))]


def _measured(slices: list[list[list[float]]]) -> _Measured:
    """What one kind came to, of the latencies by writer and by round."""
    rates = [sum(map(len, together)) / SLICE for together in zip(*slices, strict=True)]
    latencies = sorted(one for rounds in slices for latencies in rounds for one in latencies)
    p99 = latencies[int(len(latencies) * 0.99)]
    return _Measured(statistics.median(rates), p99, latencies[-1])


def _work(number: int, ready, answers, rounds: int, kinds) -> None:
    """One writer, in a process of its own: the latencies by kind and by round."""
    writes = [prepare(argument) if number < most else None for prepare, argument, most in kinds]
    for write in filter(None, writes):
        write()
    found = [[] for _ in writes]
    for _ in range(rounds):
        for write, slices in zip(writes, found, strict=True):
            ready.wait()
            slices.append(_slice(write) if write else [])
    answers.put(found)


def _slice(write: Callable[[], object]) -> list[float]:
    latencies = []
    end = time.monotonic() + SLICE
    while (began := time.monotonic()) < end:
        write()
        latencies.append(time.monotonic() - began)
    return latencies


def _journaled(lab: labs.Lab) -> Callable[[], object]:
    events = SqliteEvents(lab.settings())
    return lambda: events.add(_MESSAGE)


def _create_plain(path: str) -> None:
    for leftover in (path, f"{path}-wal", f"{path}-shm"):
        if os.path.exists(leftover):
            os.remove(leftover)
    conn = apsw.Connection(path)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute(
        "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " ts TEXT NOT NULL, message TEXT NOT NULL)"
    )
    conn.close()


def _plain(path: str) -> Callable[[], object]:
    conn = apsw.Connection(path)
    conn.set_busy_timeout(10_000)
    conn.execute("PRAGMA synchronous=FULL")

    def write():
        conn.execute("BEGIN IMMEDIATE")
        _insert(conn)
        conn.execute("COMMIT")

    return write


def _insert(conn: apsw.Connection) -> None:
    conn.execute("INSERT INTO events(ts, message) VALUES(?, ?)", ("2026-01-01T00:00:00Z", _MESSAGE))


def _synced(path: str) -> Callable[[], object]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write():
        os.write(fd, bytes(4096))
        os.fsync(fd)

    return write


def _least(path: str) -> Callable[[], object]:
    """What no journaled write can do without: no lock, no check, no number, no chain."""
    _create_plain(path)
    conn = apsw.Connection(path)
    conn.execute("PRAGMA synchronous=NORMAL")
    conn.execute("CREATE TABLE place(id INTEGER PRIMARY KEY, hash BLOB)")
    conn.execute("INSERT INTO place VALUES(1, x'00')")
    journal = os.open(f"{path}-journal-to-be", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(journal, bytes(1 << 20))
    os.fsync(journal)
    log = os.open(f"{path}-wal", os.O_RDONLY)

    def write():
        conn.execute("BEGIN IMMEDIATE")
        session = apsw.Session(conn, "main")
        session.attach("events")
        _insert(conn)
        record = session.changeset()
        session.close()
        conn.execute("UPDATE place SET hash=?", (hashlib.sha256(record).digest(),))
        os.pwrite(journal, record, 0)
        conn.execute("COMMIT")
        for fd in (journal, log):
            files.begin_writing_out(fd)
        for fd in (journal, log):
            files.sync_data(fd)

    return write
