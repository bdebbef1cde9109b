"""Volumes that do not belong together: rolled back, of another lab, emptied, in all pairs.

Also in the middle of a restore: killed at a step, then one of the volumes is put back to
what it was. Whatever the start, a write, the scheduled backup and retention make of
that, each row that somebody was told of is in the live database afterwards, or a
command that a refusal named brings it there; and what is acknowledged meanwhile stays.
"""

import itertools
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator

from faults import steps
from faults.kill import count_steps
from faults.scenarios import Scenario
from faults.world import Reporter, Rows, World, in_child
from pra.base.errors import PraError
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import targets
from pra.protect import backup, new_volume, retention
from pra.recovery import restore
from pra.state import volumes

#: Moments of one history, then what is of no moment of it.
MOMENTS = ("begun", "written", "many", "restored", "continued", "undone")
STRANGE = ("other", "emptied")
#: What a refusal can name, and how that is done.
WAYS: dict[str, Callable[[World], object]] = {
    "restore latest": lambda world: world.restore_latest(),
    "restore current": lambda world: restore.run(world.config, targets.current),
    "--new-volume": lambda world: new_volume.run(world.config),
}
NEW = "written meanwhile"


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """All pairs and every second step in the long run, a sample of both in the short one."""
    known = prepare(f"{folder}/moments")
    pairs = list(itertools.product((*MOMENTS, *STRANGE), repeat=2))
    for data, saved in pairs if long else rng.sample(pairs, 16):
        world = paired(folder, known[data][0], known[saved][0])
        wanted = {"data": known[data][1], "backup": known[saved][1]}
        yield f"data {data}, backup {saved}", judged(world, wanted)
    scenario = Scenario("restore", known["written"][0], [], lambda world, _: _before(world, 3))
    total = count_steps(scenario, folder)
    for step in range(1, total + 1, 2) if long else rng.sample(range(1, total + 1), 6):
        for which, moment in itertools.product(("data", "backup"), ("begun", "written")):
            if long or rng.random() < 0.5:
                name = f"restore killed at step {step}, then {which} {moment}"
                yield name, _killed(folder, known, step, which, moment)


def prepare(folder: str) -> dict[str, tuple[World, Rows]]:
    """Volumes at each moment, and the rows that were acknowledged and not undone by then."""
    world, found = World.empty(f"{folder}/live"), {}

    def at(moment: str, work: Callable[[World], None], source: World = world) -> None:
        told = in_child(lambda reporter: _tell_rows(source, work, reporter)).values
        if "rows" not in told:
            raise RuntimeError(f"preparing {moment}: {told}")
        rows = [tuple(row) for row in told["rows"]]
        found[moment] = source.copy(f"{folder}/{moment}"), rows

    at("begun", lambda w: (volumes.ensure_initialised(w.where), _add(w, 3), backup.run(w.config)))
    at("written", lambda w: _add(w, 3))
    at("many", lambda w: (_add(w, 300), backup.run(w.config)))
    at("restored", lambda w: _before(w, 5))
    at("continued", lambda w: (_add(w, 2), backup.run(w.config)))
    at("undone", lambda w: (restore.run(w.config, targets.undo), _add(w, 1)))
    other = World.empty(f"{folder}/of-others")
    at(
        "other",
        lambda w: (volumes.ensure_initialised(w.where), _add(w, 7), backup.run(w.config)),
        other,
    )
    found["emptied"] = World.empty(f"{folder}/emptied"), []
    return found


def paired(folder: str, data: World, saved: World) -> World:
    """The data volume of one and the backup volume of another."""
    world = World(f"{folder}/case")
    shutil.copytree(data.where.data, world.where.data, symlinks=True)
    shutil.copytree(saved.where.backup, world.where.backup, symlinks=True)
    return world


def judged(world: World, wanted: dict[str, Rows]) -> str | None:
    """Let everything happen that happens without a person, and look for the wanted rows."""
    try:
        told = in_child(lambda reporter: _unattended(world, reporter))
        if "exception" in told.values:
            return told.values["exception"]
        outcomes = _outcomes(world, told.values["next"], told.acknowledged)
        for name, rows in wanted.items():
            if not any(set(rows) <= set(outcome) for outcome in outcomes.values()):
                return f"rows of {name} are nowhere: {told.values['next']}, {_counted(outcomes)}"
        kept = set(outcomes["as it is"]) & set(outcomes.get("after a loss", ()))
        lost = set(told.acknowledged) - kept
        return f"{len(lost)} rows acknowledged meanwhile are lost" if lost else None
    finally:
        world.remove()


def _unattended(world: World, reporter: Reporter) -> None:
    """A start, a write, the scheduled backup, retention; tells what the refusals name."""
    named: set[str] = set()
    start.prepare(world.config)
    reporter.add(SqliteEvents(world.config), NEW)
    for act in (
        lambda: SqliteEvents(world.config).add("again"),
        lambda: backup.run(world.config),
        lambda: retention.run(world.config._replace(keep_safety_hours=0), dry_run=False),
    ):
        try:
            act()
        except PraError as error:
            named |= {way for way in WAYS if way in error.next_step}
    reporter.tell("next", sorted(named))


def _outcomes(world: World, named: list[str], acknowledged: Rows) -> dict[str, Rows]:
    """The rows of the live database: as it is, after the loss of its volume, after each way."""
    tried: dict[str, Callable[[World], object]] = {"as it is": lambda copy: None}
    tried |= {name: _then_lost(WAYS[name]) for name in named}
    if acknowledged or not named:
        tried["after a loss"] = _then_lost(lambda copy: None)
    found = {}
    for name, act in tried.items():
        copy = world.copy(f"{world.folder}-{re.sub('[^a-z]', '-', name)}")
        told = in_child(lambda reporter, c=copy, a=act: _tell_rows(c, a, reporter)).values
        found[name] = [tuple(row) for row in told.get("rows", [])]
        copy.remove()
    return found


def _then_lost(way: Callable[[World], object]) -> Callable[[World], None]:
    """Go a way, write once more, lose the data volume, restore: the decision holds."""

    def act(world: World) -> None:
        way(world)
        if volumes.current(world.where) is not None:
            SqliteEvents(world.config).add("after the decision")
            backup.run(world.config)
            world.lose_data()
            world.restore_latest()

    return act


def _killed(folder: str, known: dict, step: int, which: str, moment: str) -> str | None:
    """Kill a restore, then put one volume back; the other one holds what it holds."""
    killed = known["written"][0].copy(f"{folder}/killed")
    try:
        in_child(lambda reporter: _dying(killed, step))
        back = known[moment][0]
        data, saved = (back, killed) if which == "data" else (killed, back)
        wanted = {"the other": known[moment][1], "data": _rows_of(data), "backup": _latest(saved)}
        return judged(paired(folder, data, saved), wanted)
    finally:
        killed.remove()


def _dying(world: World, step: int) -> None:
    vfs = steps.observe(steps.Counter(step, steps.die))
    _before(world, 3)
    steps.stop(vfs)


def _rows_of(world: World) -> Rows:
    told = in_child(
        lambda reporter: _tell_rows(world.copy(f"{world.folder}-look"), _nothing, reporter)
    )
    shutil.rmtree(f"{world.folder}-look")
    return [tuple(row) for row in told.values.get("rows", [])]


def _latest(world: World) -> Rows:
    """What the backup volume alone leads to."""
    copy = world.copy(f"{world.folder}-look")
    copy.lose_data()
    told = in_child(
        lambda reporter: _tell_rows(copy, lambda w: w.restore_latest(), reporter)
    ).values
    copy.remove()
    return [tuple(row) for row in told.get("rows", [])]


def _nothing(world: World) -> None:
    """Leave all as it is."""


def _tell_rows(world: World, work: Callable[[World], object], reporter: Reporter) -> None:
    work(world)
    there = os.path.exists(world.where.link)
    reporter.tell("rows", world.rows() if there else [])


def _add(world: World, count: int) -> None:
    segments.SIZE = 4096
    events = SqliteEvents(world.config)
    for number in range(count):
        events.add(f"row {number}")


def _before(world: World, seq: int) -> None:
    restore.run(world.config, lambda where, known: targets.just_before(where, seq))


def _counted(outcomes: dict[str, Rows]) -> dict[str, int]:
    return {name: len(rows) for name, rows in outcomes.items()}
