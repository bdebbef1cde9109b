"""Journaled writes against plain SQLite writes of the same durability."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator

import apsw

from benches import lab as labs
from pra.events import Events

WRITERS = (1, 8)
_MESSAGE = "a message of the usual length"


def measure(folder: str, seconds: float, runs: int) -> Iterator[dict]:
    """Rates and tail latencies, with one writer and with several."""
    for writers in WRITERS:
        pairs = [_pair(folder, writers, seconds) for _ in range(runs)]
        journaled, plain, disk = (
            [statistics.median(column) for column in zip(*side, strict=True)]
            for side in zip(*pairs, strict=True)
        )
        yield labs.row(
            f"journaled writes, {writers} writers",
            journaled[0],
            "per second",
            "plain writes, synchronous=FULL",
            plain[0],
            "at least half",
        )
        yield labs.row(
            f"added p99, {writers} writers",
            max(0.0, journaled[1] - plain[1]),
            "s",
            "p99 of the disk's fsync",
            disk[1],
            "at most twice",
        )


def _pair(folder: str, writers: int, seconds: float) -> tuple:
    """(rate, p99) of journaled writes, of plain ones, and of the disk's own fsync."""
    journaled = labs.create(f"{folder}/journaled", "required")
    plain = f"{folder}/plain-{writers}.db"
    _create_plain(plain)
    return (
        _rate(writers, seconds, _journaled, journaled),
        _rate(writers, seconds, _plain, plain),
        _rate(1, seconds / 4, _synced, f"{folder}/synced"),
    )


def _rate(writers: int, seconds: float, prepare, argument) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers)
    answers = context.Queue()
    processes = [
        context.Process(target=_work, args=(ready, answers, seconds, prepare, argument))
        for _ in range(writers)
    ]
    for process in processes:
        process.start()
    latencies = [latency for _ in processes for latency in answers.get(timeout=seconds + 60)]
    for process in processes:
        process.join()
    latencies.sort()
    return len(latencies) / seconds, latencies[int(len(latencies) * 0.99)]


def _work(ready, answers, seconds: float, prepare, argument) -> None:
    """One writer, in a process of its own."""
    write = prepare(argument)
    write()
    latencies = []
    ready.wait()
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        write()
        latencies.append(time.monotonic() - began)
    answers.put(latencies)


def _journaled(lab: labs.Lab) -> Callable[[], object]:
    events = Events(lab.settings())
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
        conn.execute(
            "INSERT INTO events(ts, message) VALUES(?, ?)", ("2026-01-01T00:00:00Z", _MESSAGE)
        )
        conn.execute("COMMIT")

    return write


def _synced(path: str) -> Callable[[], object]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write():
        os.write(fd, bytes(4096))
        os.fsync(fd)

    return write
