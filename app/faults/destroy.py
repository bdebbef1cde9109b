"""Write at full speed, kill every writer and destroy the data volume, restore, compare."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator

from faults.world import Reporter, World, in_child
from pra.base.errors import PraError
from pra.events.sqlite import SqliteEvents
from pra.protect import backup
from pra.state import volumes

WRITERS = 4


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """One case a disaster: 50 in the long run, 5 in the short one."""
    for number in range(50 if long else 5):
        world = World.empty(f"{folder}/world")
        try:
            yield f"disaster {number}", _disaster(world, rng)
        finally:
            world.remove()


def _disaster(world: World, rng: random.Random) -> str | None:
    in_child(lambda reporter: volumes.ensure_initialised(world.where))
    context = multiprocessing.get_context("fork")
    ledgers = [f"{world.folder}/ledger-{number}" for number in range(WRITERS)]
    writers = [
        context.Process(target=_write, args=(world, number, ledgers[number]))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    time.sleep(rng.uniform(0.1, 0.5))
    in_child(lambda reporter: backup.run(world.config))
    time.sleep(rng.uniform(0.0, 0.5))
    # Some writers die before the disaster, the others live through it.
    for writer in writers[: rng.randrange(WRITERS + 1)]:
        os.kill(writer.pid, signal.SIGKILL)
    world.lose_data()
    for writer in writers:
        writer.join(10)
    told = in_child(lambda reporter: _restore(world, reporter)).values
    if "exception" in told:
        return told["exception"]
    return _compare(ledgers, [tuple(row) for row in told["rows"]])


def _write(world: World, writer: int, path: str) -> None:
    """Write until the database is gone; the ledger tells what was sent and acknowledged."""
    events = SqliteEvents(world.config)
    with open(path, "w", buffering=1) as ledger:
        number = 0
        while True:
            number += 1
            ledger.write(f"sent {writer} {number}\n")
            try:
                added = events.add(f"{writer} {number}")
            except (PraError, OSError):
                return
            ledger.write(f"acknowledged {added['id']} {writer} {number}\n")


def _restore(world: World, reporter: Reporter) -> None:
    world.restore_latest()
    reporter.tell("rows", [(row[0], row[2]) for row in world.rows()])


def _compare(ledgers: list[str], rows: list[tuple[int, str]]) -> str | None:
    sent, acknowledged = set(), set()
    for path in ledgers:
        with open(path) as lines:
            for line in lines:
                kind, _, rest = line.rstrip("\n").partition(" ")
                if kind == "sent":
                    sent.add(rest)
                elif kind == "acknowledged":
                    identifier, _, message = rest.partition(" ")
                    acknowledged.add((int(identifier), message))
    lost = acknowledged - set(rows)
    phantom = {message for _, message in rows} - sent
    doubtful = len(set(rows) - acknowledged)
    if not acknowledged:
        return "nothing was written"
    if lost or phantom or doubtful > WRITERS:
        return f"{len(lost)} lost, {len(phantom)} phantom, {doubtful} in doubt"
    return None
