"""kill -9 at every step of every operation, and again during the recovery from it."""

import random
from collections.abc import Iterator

from faults import steps
from faults.scenarios import Scenario, everything
from faults.world import Ledger, Reporter, World, check, in_child, recover, rows_of


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Every case's name and what went wrong; short runs take each ninth step
    and either one kill or two."""
    for scenario in everything(f"{folder}/templates"):
        total = count_steps(scenario, folder)
        stride = 1 if long else 9
        for step in range(1 + rng.randrange(stride), total + 1, stride):
            once = rng.random() < 0.5
            if long or once:
                yield _case(scenario, folder, step, None)
            if long or not once:
                yield _case(scenario, folder, step, again=rng.randrange(1, 150))


def count_steps(scenario: Scenario, folder: str) -> int:
    """How many steps an operation takes."""
    world = scenario.template.copy(f"{folder}/counting")
    counter = steps.Counter()

    def work(reporter: Reporter) -> None:
        vfs = steps.observe(counter)
        scenario.work(world, reporter)
        steps.stop(vfs)
        reporter.tell("steps", counter.count)

    told = in_child(work)
    world.remove()
    if "steps" not in told.values:
        raise RuntimeError(f"{scenario.name} fails without any fault: {told.values}")
    return told.values["steps"]


def _case(scenario: Scenario, folder: str, step: int, again: int | None) -> tuple[str, str | None]:
    world = scenario.template.copy(f"{folder}/case")
    try:
        ledger = in_child(lambda reporter: _killed(step, lambda: scenario.work(world, reporter)))
        name = f"{scenario.name}, killed at step {step}"
        if again is not None:
            in_child(lambda reporter: _killed(again, lambda: recover(world)))
            name += f" and at step {again} of the recovery"
            return name, _check_recovered(scenario, world, ledger)
        return name, check(world, scenario.before, ledger, scenario.states)
    finally:
        world.remove()


def _killed(step: int, work) -> None:
    vfs = steps.observe(steps.Counter(step, steps.die))
    work()
    steps.stop(vfs)


def _check_recovered(scenario: Scenario, world: World, ledger: Ledger) -> str | None:
    """As check; the recovery's own row may exist, too."""
    ledger.sent.append("after the fault")
    if scenario.states is None:
        return check(world, scenario.before, ledger, None)
    told = in_child(lambda reporter: reporter.tell("rows", rows_of(world)))
    found = [tuple(row) for row in told.values.get("rows", [])]
    rows = [row for row in found if row[2] != "after the fault"]
    if rows not in scenario.states:
        return f"neither the old nor the new state: {rows}"
    return check(world, rows, ledger, None)
