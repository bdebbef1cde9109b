"""Power loss at every step: what was not synced is dropped or reordered, then the recovery runs."""

import os
import random
from collections.abc import Iterator

from faults import steps
from faults.disk import Disk
from faults.kill import count_steps
from faults.scenarios import Scenario, everything
from faults.world import World, check, in_child


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Every case's name and what went wrong; short runs take each twelfth step, long ones all."""
    for scenario in everything(f"{folder}/templates"):
        total = count_steps(scenario, folder)
        stride = 1 if long else 12
        for step in range(1 + rng.randrange(stride), total + 1, stride):
            seed = rng.randrange(1 << 30)
            yield _case(scenario, folder, step, seed)


def _case(scenario: Scenario, folder: str, step: int, seed: int) -> tuple[str, str | None]:
    world = scenario.template.copy(f"{folder}/case")
    left = World(f"{folder}/left", heals=scenario.template.heals)
    name = f"{scenario.name}, power lost at step {step} (seed {seed})"
    try:
        ledger = in_child(lambda reporter: _lose_power(scenario, world, reporter, step, left, seed))
        if "exception" in ledger.values:
            return name, ledger.values["exception"]
        return name, check(left, scenario.before, ledger, scenario.states)
    finally:
        world.remove()
        left.remove()


def _lose_power(scenario, world: World, reporter, step: int, left: World, seed: int) -> None:
    disk = Disk(world.folder)

    def lose(phase: str, operation: str, arguments: tuple) -> None:
        disk.materialise(left.folder, random.Random(seed))
        os._exit(0)

    counter = steps.Counter(step, lose)

    def observer(phase: str, operation: str, arguments: tuple) -> None:
        disk(phase, operation, arguments)
        counter(phase, operation, arguments)

    vfs = steps.observe(observer)
    scenario.work(world, reporter)
    steps.stop(vfs)
