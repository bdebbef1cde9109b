"""Journaled writes against plain SQLite writes of the same durability, and PostgreSQL's."""

import contextlib
import hashlib
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import apsw

from benches import lab as labs
from benches import postgres
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import durability, segments

WRITERS = (1, 8)
#: How long one kind of writes goes on before the next one's turn, in seconds.
SLICE = 0.5
_NAMES = {
    "plain": "plain writes, synchronous=FULL",
    "postgres": "PostgreSQL with a synchronous standby",
}
_MESSAGE = "a message of the usual length"


def measure(folder: str, seconds: float, runs: int) -> Iterator[dict]:
    """Rates and tail latencies, with one writer and with several."""
    with contextlib.ExitStack() as stack:
        cluster = None
        try:
            cluster = stack.enter_context(postgres.running(folder))
        except postgres.Missing as missing:
            print(f"nothing is measured beside PostgreSQL: {missing}", file=sys.stderr)
        for writers in WRITERS:
            yield from _rows(writers, _side_by_side(folder, writers, seconds * runs, cluster))


def _rows(writers: int, found: "dict[str, _Measured]") -> Iterator[dict]:
    journaled, plain = found["journaled"], found["plain"]

    def beside(what: str, one: _Measured, other: str, target: str) -> dict:
        return labs.row(what, one.rate, "per second", _NAMES[other], found[other].rate, target)

    yield beside(f"journaled writes, {writers} writers", journaled, "plain", "at least half")
    if "threads" in found:
        yield beside(
            f"journaled writes, {writers} threads of a server",
            found["threads"],
            "plain",
            "reported",
        )
    if "postgres" in found:
        several = "threads" in found
        served = found["threads" if several else "journaled"]
        who = f"{writers} threads of a server" if several else "1 writer"
        target = "at least 0.5" if several else "at least 0.9"
        yield beside(f"journaled writes, {who}", served, "postgres", target)
        yield labs.row(
            f"p99 of journaled writes, {who}",
            served.p99,
            "s",
            _NAMES["postgres"],
            found["postgres"].p99,
            "reported",
        )
    if "least" in found:
        yield beside(
            "a session, a record, a commit, two syncs and no check, 1 writer",
            found["least"],
            "plain",
            "the most that these libraries and this disk leave room for",
        )
    yield labs.row(
        f"added p99, {writers} writers",
        max(0.0, journaled.p99 - plain.p99),
        "s",
        "p99 of the disk's fsync",
        found["disk"].p99,
        "at most twice",
    )
    yield labs.row(
        f"slowest write, {writers} writers",
        journaled.slowest,
        "s",
        _NAMES["plain"],
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


class _Kind(NamedTuple):
    """One kind of writes.

    Attributes:
        prepare: gets ready in a process, given the argument; returns what writes for one
            slice, and returns the latencies.
        argument: what ``prepare`` is given.
        processes: how many write at the same time.
        seconds: how long its slice is.
    """

    prepare: Callable[[object], Callable[[], list[float]]]
    argument: object
    processes: int
    seconds: float = SLICE


def _kinds(folder: str, writers: int, cluster: postgres.Cluster | None) -> dict[str, _Kind]:
    """Journaled writes, plain ones, the disk's own fsync, and what else there is to compare."""
    plain = f"{folder}/plain-{writers}.db"
    _create_plain(plain)
    kinds = {
        "journaled": _Kind(_journaled, labs.create(f"{folder}/journaled", "required"), writers),
        "plain": _Kind(_plain, plain, writers),
        "disk": _Kind(_synced, f"{folder}/synced", 1),
    }
    if writers == 1:
        kinds["least"] = _Kind(_least, f"{folder}/least.db", 1)
    else:
        lab = labs.create(f"{folder}/threads", "required")
        kinds["threads"] = _Kind(_threads, (lab, writers), 1)
    if cluster:
        kinds["postgres"] = _Kind(_postgres, (cluster, writers), 1, postgres.SECONDS)
    return kinds


def _side_by_side(
    folder: str, writers: int, seconds: float, cluster: postgres.Cluster | None
) -> dict[str, _Measured]:
    """All kinds of writes in short slices, by turns.

    A disk that others use is five times slower one second than the next:
    only what lies side by side can be compared.
    """
    kinds = _kinds(folder, writers, cluster)
    rounds = max(1, round(seconds / SLICE))
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers)
    answers = context.Queue()
    processes = [
        context.Process(target=_work, args=(number, ready, answers, rounds, list(kinds.values())))
        for number in range(writers)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60 + len(kinds) * 8 * seconds) for _ in processes]
    for process in processes:
        process.join()
    return {
        name: _measured([slices[place] for slices in found], kind.seconds)
        for place, (name, kind) in enumerate(kinds.items())
    }


def _measured(slices: list[list[list[float]]], seconds: float) -> _Measured:
    """What one kind came to, of the latencies by writer and by round."""
    rates = [sum(map(len, together)) / seconds for together in zip(*slices, strict=True)]
    latencies = sorted(one for rounds in slices for latencies in rounds for one in latencies)
    p99 = latencies[int(len(latencies) * 0.99)]
    return _Measured(statistics.median(rates), p99, latencies[-1])


def _work(number: int, ready, answers, rounds: int, kinds: list[_Kind]) -> None:
    """One writer, in a process of its own: the latencies by kind and by round."""
    slices = [kind.prepare(kind.argument) if number < kind.processes else list for kind in kinds]
    # What is cached of folders that changed long ago is not yet cached of new ones.
    time.sleep(files.TICK_NS / 1e9)
    found: list[list[list[float]]] = [[] for _ in kinds]
    for round_number in range(rounds + 1):
        for write, latencies in zip(slices, found, strict=True):
            ready.wait()
            taken = write()
            # The first one opens what there is to open.
            if round_number:
                latencies.append(taken)
    answers.put(found)


def _slice(write: Callable[[], object]) -> list[float]:
    """The latencies of one writer who goes on for a slice."""
    latencies = []
    end = time.monotonic() + SLICE
    while (began := time.monotonic()) < end:
        write()
        latencies.append(time.monotonic() - began)
    return latencies


def _journaled(lab: labs.Lab) -> Callable[[], list[float]]:
    events = SqliteEvents(lab.settings())
    return lambda: _slice(lambda: events.add(_MESSAGE))


def _threads(argument: tuple[labs.Lab, int]) -> Callable[[], list[float]]:
    lab, threads = argument
    events = SqliteEvents(lab.settings())
    pool = ThreadPoolExecutor(threads)

    def slices() -> list[float]:
        asked = [pool.submit(_slice, lambda: events.add(_MESSAGE)) for _ in range(threads)]
        return [latency for one in asked for latency in one.result()]

    return slices


def _postgres(argument: tuple[postgres.Cluster, int]) -> Callable[[], list[float]]:
    cluster, clients = argument
    return lambda: cluster.inserts(clients)


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


def _plain(path: str) -> Callable[[], list[float]]:
    conn = apsw.Connection(path)
    conn.set_busy_timeout(10_000)
    conn.execute("PRAGMA synchronous=FULL")

    def write():
        conn.execute("BEGIN IMMEDIATE")
        _insert(conn)
        conn.execute("COMMIT")

    return lambda: _slice(write)


def _insert(conn: apsw.Connection) -> None:
    conn.execute("INSERT INTO events(ts, message) VALUES(?, ?)", ("2026-01-01T00:00:00Z", _MESSAGE))


def _synced(path: str) -> Callable[[], list[float]]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write():
        os.write(fd, bytes(4096))
        os.fsync(fd)

    return lambda: _slice(write)


def _least(path: str) -> Callable[[], list[float]]:
    """What no journaled write can do without: no lock, no check, no number, no chain."""
    _create_plain(path)
    conn = apsw.Connection(path)
    conn.execute("PRAGMA synchronous=NORMAL")
    conn.execute("CREATE TABLE place(id INTEGER PRIMARY KEY, hash BLOB)")
    conn.execute("INSERT INTO place VALUES(1, x'00')")
    with open(f"{path}-journal-to-be", "wb") as journal:
        journal.write(bytes(1 << 20))
        os.fsync(journal.fileno())
    segment, log = segments.Open(journal.name), durability.Log(path)
    pool = ThreadPoolExecutor(1)

    def write():
        conn.execute("BEGIN IMMEDIATE")
        session = apsw.Session(conn, "main")
        session.attach("events")
        _insert(conn)
        record = session.changeset()
        session.close()
        conn.execute("UPDATE place SET hash=?", (hashlib.sha256(record).digest(),))
        os.pwrite(segment.fd, record, 0)
        conn.execute("COMMIT")
        failed = durability.sync(segment, log, pool.submit)
        if any(failed):
            raise OSError(f"a sync failed: {failed}")

    return lambda: _slice(write)
