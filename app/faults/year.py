"""A simulated year of one backup a minute: the volume stays bounded, the promised points stay.

Now and then one backup is made with a clock that is a year wrong: that counts as an hour at most.
"""

import os
import random
import shutil
from collections.abc import Iterator

from faults.world import World, in_child
from pra.base import clock
from pra.points import elapsed
from pra.points.catalogue import Point
from pra.protect import keep
from pra.state import volumes

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
YEAR = 365 * DAY
#: The minute of some days in which the clock is wrong once.
JUMPS = 700
#: Size of the database, in bytes, and what all points may fill.
DATABASE, BOUND = 1 << 20, 200 << 20
START = 1_800_000_000 - 1_800_000_000 % WEEK


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """One case a simulated day: 365 in the long run, 10 in the short one."""
    world = World.empty(f"{folder}/year")
    in_child(lambda reporter: volumes.ensure_initialised(world.where))
    kept: list[Point] = []
    moment = [0.0]
    before, clock.now = clock.now, lambda: moment[0]
    try:
        for day in range(365 if long else 10):
            problem = None
            for minute in range(DAY // MINUTE):
                moment[0] = START + day * DAY + minute * MINUTE
                if minute == JUMPS and day % 3 == 1:
                    before_jump = kept
                    moment[0] += rng.choice((-1, 1)) * YEAR
                    kept = _backed_up(world, kept, int(moment[0]))
                    problem = problem or _removed_by_a_jump(world, before_jump, kept)
                    moment[0] = START + day * DAY + minute * MINUTE + 1
                kept = _backed_up(world, kept, int(moment[0]))
                problem = problem or _problem(kept, int(elapsed.of(kept[0])))
            yield f"day {day}", problem
    finally:
        clock.now = before
        shutil.rmtree(world.folder)
        assert not os.path.exists(world.folder)


def _backed_up(world: World, kept: list[Point], now: int) -> list[Point]:
    """A backup more, and what retention leaves of all; no file is written."""
    serial = kept[0].serial + 1 if kept else 1
    manifest = {"serial": serial, "position": None, "rows": 1, "steady_time": elapsed.now(kept)}
    known = [Point(f"app-{now}.db", now, DATABASE, "verified", None, manifest), *kept]
    decision = keep.decide(world.config, world.where, known, [])
    return [point for point in known if point.name in decision.points]


def _removed_by_a_jump(world: World, before: list[Point], after: list[Point]) -> str | None:
    """What a clock that was wrong once removed, beyond what an hour more would have."""
    now = int(elapsed.now(before))
    allowed = {point.name for point in _backed_up(world, before, now + HOUR)}
    gone = {point.name for point in before if point.name in allowed} - {one.name for one in after}
    return f"a jump of the clock removed {sorted(gone)}" if gone else None


def _problem(kept: list[Point], now: int) -> str | None:
    size = sum(point.bytes for point in kept)
    if size > BOUND:
        return f"{size} bytes are kept"
    epochs = [elapsed.of(point) for point in kept]
    newest = [point.serial for point in kept[:60]]
    if newest != list(range(newest[0], newest[0] - len(newest), -1)):
        return "one of the newest 60 points is gone"
    for period, count in ((HOUR, 24), (DAY, 7), (WEEK, 4)):
        for back in range(count):
            index = now // period - back
            if index * period >= START and not any(e // period == index for e in epochs):
                return f"no point is left of {period} s number {back} before now"
    return None
