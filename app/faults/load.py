"""Snapshots under a full write load: none torn, none missing what was acknowledged before."""

import multiprocessing
import random
from collections.abc import Iterator

import apsw

from faults.world import Reporter, World, in_child
from pra.events.sqlite import SqliteEvents
from pra.points import verify
from pra.protect import backup
from pra.state import volumes

WRITERS = 4
#: Of one database. It grows at full speed, each snapshot copies all of it: the time for so
#: many grows exponentially with their number.
SNAPSHOTS = 25


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """One case a snapshot: 500 of 20 databases in the long run, 25 of one in the short one."""
    for number in range(20 if long else 1):
        world = World.empty(f"{folder}/load-{number}")
        for name, problem in _of_one_database(world):
            yield f"{name}, database {number}", problem


def _of_one_database(world: World) -> Iterator[tuple[str, str | None]]:
    in_child(lambda reporter: volumes.ensure_initialised(world.where))
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    counts = [context.Value("q", 0) for _ in range(WRITERS)]
    writers = [
        context.Process(target=_write, args=(world, number, counts[number], stop))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    try:
        for number in range(SNAPSHOTS):
            acknowledged = [count.value for count in counts]
            told = in_child(lambda reporter, known=acknowledged: _snapshot(world, known, reporter))
            problem = told.values.get("exception") or told.values.get("problem", "it died")
            yield f"snapshot {number} under load", problem
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def _write(world: World, writer: int, count, stop) -> None:
    events = SqliteEvents(world.config)
    while not stop.is_set():
        events.add(f"{writer} {count.value + 1}")
        count.value += 1


def _snapshot(world: World, acknowledged: list[int], reporter: Reporter) -> None:
    point = backup.run(world.config)
    problem = verify.fault(world.where, point)
    conn = apsw.Connection(f"file:{world.where.point(point.name)}?immutable=1", flags=0x41)
    rows = conn.execute("SELECT id, message FROM events ORDER BY id").fetchall()
    conn.close()
    reporter.tell("problem", problem or _missing(rows, acknowledged))


def _missing(rows: list[tuple[int, str]], acknowledged: list[int]) -> str | None:
    if [identifier for identifier, _ in rows] != list(range(1, len(rows) + 1)):
        return "ids have gaps"
    found: dict[int, int] = {}
    for _, message in rows:
        writer, number = map(int, message.split())
        if number != found.get(writer, 0) + 1:
            return f"writer {writer} misses a row before {number}"
        found[writer] = number
    late = [w for w, count in enumerate(acknowledged) if found.get(w, 0) < count]
    return f"rows of writers {late} are missing that were acknowledged before" if late else None
