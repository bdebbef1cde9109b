"""Errors of the disk at every step: full, failing, read-only; and writes that go only in part."""

import errno
import os
import random
from collections.abc import Iterator

from faults import steps
from faults.kill import count_steps
from faults.scenarios import Scenario, everything
from faults.world import Reporter, World, check, in_child
from pra.disk import files

_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Every case's name and what went wrong; short runs take each twelfth step and one error."""
    for scenario in everything(f"{folder}/templates"):
        total = count_steps(scenario, folder)
        stride = 1 if long else 12
        for step in range(1 + rng.randrange(stride), total + 1, stride):
            for number in _ERRORS if long else (rng.choice(_ERRORS),):
                yield _case(scenario, folder, step, number)
        yield _short_writes(scenario, folder, rng.randrange(1 << 30))


def _case(scenario: Scenario, folder: str, step: int, number: int) -> tuple[str, str | None]:
    def work(world: World, reporter: Reporter) -> None:
        vfs = steps.observe(steps.Counter(step, steps.failing(number)))
        scenario.work(world, reporter)
        steps.stop(vfs)

    name = f"{scenario.name}, {errno.errorcode[number]} at step {step}"
    return name, _run(scenario, folder, work)


def _short_writes(scenario: Scenario, folder: str, seed: int) -> tuple[str, str | None]:
    """Every write of ours goes in part only, the rest with the next call."""
    rng = random.Random(seed)

    def work(world: World, reporter: Reporter) -> None:
        def some(data) -> int:
            return rng.randrange(1, len(data) + 1)

        files.write_once = lambda fd, data: os.write(fd, data[: some(data)])
        files.write_at_once = lambda fd, data, at: os.pwrite(fd, data[: some(data)], at)
        scenario.work(world, reporter)
        reporter.tell("finished", True)

    return f"{scenario.name}, short writes (seed {seed})", _run(scenario, folder, work)


def _run(scenario: Scenario, folder: str, work) -> str | None:
    world = scenario.template.copy(f"{folder}/case")
    try:
        ledger = in_child(lambda reporter: work(world, reporter))
        return check(world, scenario.before, ledger, scenario.states)
    finally:
        world.remove()
