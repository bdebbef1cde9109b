"""A restore's job dies at any step and is tried again: the same as if it had run once.

Users write in between. Where the swap was done they write to what was restored, and
that write stays; where it was not, the restore comes after it.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faults import steps
from faults.scenarios import as_rows, export_to, prepare, to_before
from faults.world import Ledger, Reporter, World, check, in_child
from pra.base.errors import Refused
from pra.disk import copying
from pra.events.sqlite import SqliteEvents
from pra.lineage import timelines
from pra.points import archive, catalogue
from pra.protect import backup
from pra.recovery import arguments, restore
from pra.recovery.arguments import Asked
from pra.sql import connect
from pra.state import volumes

#: Kills of each job in a short run.
_SHORT = 5
_REQUEST = "the-job"


@dataclass
class Job:
    """One restore: the volumes before it, and what it asks for there."""

    name: str
    template: World
    asked: Callable[[World], Asked]

    def attempt(self, world: World, reporter: Reporter) -> None:
        """What one of its pods does."""
        # Even so small a point is copied in several parts.
        copying.CHUNK = copying.PART = 4096
        asked = self.asked(world)
        config = world.config._replace(request=_REQUEST)
        reporter.tell("answer", restore.run(config, asked.choose, target=asked.target))


@dataclass
class Outcome:
    """Rows as [id, message], and the rows of which the job spoke."""

    rows: list
    answered: int


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Each job killed at every step (a sample in the short run), half of them once more."""
    for job in _jobs(f"{folder}/templates"):
        once = _Once(job, folder)
        stride = 1 if long else once.steps // _SHORT
        for step in range(1 + rng.randrange(stride), once.steps + 1, stride):
            again = rng.randrange(1, once.steps) if rng.random() < 0.5 else None
            yield _case(once, step, again)


def _jobs(folder: str) -> list[Job]:
    busy = World.empty(f"{folder}/busy")
    in_child(lambda reporter: prepare(busy, reporter))
    restored = busy.copy(f"{folder}/restored")
    in_child(lambda reporter: to_before(restored, 6))
    lost = busy.copy(f"{folder}/lost")
    lost.lose_data()
    plain = World.empty(f"{folder}/plain", "off")
    in_child(lambda reporter: _prepare_plain(plain, reporter))
    looted = busy.copy(f"{folder}/looted")
    in_child(lambda reporter: _delete_past_the_application(looted))
    copy = f"{folder}/copy.tar"
    in_child(lambda reporter: export_to(restored, copy))
    latest = arguments.named("latest")
    return [
        Job("undo", restored, lambda _: arguments.undo()),
        Job("before a transaction", busy, lambda _: arguments.named("before:6")),
        Job("latest", busy, lambda _: latest),
        Job("latest onto a lost volume", lost, lambda _: latest),
        Job("latest after a delete past the application", looted, lambda _: latest),
        Job("a point", busy, _oldest),
        Job("adopt", busy, lambda _: arguments.adopt(archive.Copy(open(copy, "rb")))),
        Job("latest without a journal", plain, lambda _: latest),
        Job("a point without a journal", plain, _oldest),
    ]


def _prepare_plain(world: World, reporter: Reporter) -> None:
    """A restore was done before, and rows were written since the newest point."""
    prepare(world, reporter)
    restore.run(world.config, _oldest(world).choose)
    events = SqliteEvents(world.config)
    events.add("in the newest point")
    backup.run(world.config)
    events.add("in none")


def _delete_past_the_application(world: World) -> None:
    """Somebody removes the guards and then rows; a scheduled backup has seen it."""
    conn = connect.open_live(os.path.realpath(world.where.link))
    conn.execute("DROP TRIGGER pra_guard_delete; DELETE FROM events")
    conn.close()
    backup.run(world.config)


def _oldest(world: World) -> Asked:
    verified = [one for one in catalogue.scan(world.where) if one.status == "verified"]
    return arguments.named(verified[-1].name)


class _Once:
    """What a job amounts to when it runs once.

    Attributes:
        steps: how many it takes.
        before, after: the outcome where a user writes before it, and after it.
    """

    def __init__(self, job: Job, folder: str):
        self.job, self.folder = job, folder
        self.steps = self._told([self._count])["steps"]
        self.before = self._outcome([_write, job.attempt])
        self.after = self._outcome([job.attempt, _write])

    def _count(self, world: World, reporter: Reporter) -> None:
        counter = steps.Counter()
        vfs = steps.observe(counter)
        self.job.attempt(world, reporter)
        steps.stop(vfs)
        reporter.tell("steps", counter.count)

    def _outcome(self, works: list[Callable]) -> Outcome:
        told = self._told([*works, _tell_rows])
        return Outcome(told["rows"], told["answer"]["rows"])

    def _told(self, works: list[Callable]) -> dict:
        world = self.job.template.copy(f"{self.folder}/once")
        try:
            return _done(world, works)
        finally:
            world.remove()


def _done(world: World, works: list[Callable]) -> dict:
    """Do one thing after the other, each in a process of its own; returns what they told."""
    told: dict = {}
    for work in works:
        values = in_child(lambda reporter, work=work: work(world, reporter)).values
        if "exception" in values:
            raise AssertionError(values["exception"])
        told.update(values)
    return told


def _case(once: _Once, step: int, again: int | None) -> tuple[str, str | None]:
    job, name = once.job, f"{once.job.name}, killed at step {step}"
    if again is not None:
        name += f" and, tried again, at step {again}"
    world = job.template.copy(f"{once.folder}/case")
    try:
        return name, _tried_again(once, world, step, again)
    except AssertionError as error:
        return name, str(error)
    finally:
        world.remove()


def _tried_again(once: _Once, world: World, step: int, again: int | None) -> str | None:
    stood = volumes.current(world.where)
    _kill(once.job, world, step)
    swapped = volumes.current(world.where) != stood
    _done(world, [_write])
    if again is not None:
        _kill(once.job, world, again)
    done_by_now = swapped or volumes.current(world.where) != stood
    told = _done(world, [once.job.attempt, _tell_rows])
    wanted = once.after if swapped else once.before
    if told["rows"] != wanted.rows:
        return f"not as if it had run once: {told['rows']} instead of {wanted.rows}"
    answer = told["answer"]
    if (answer["rows"], answer["already"]) != (wanted.answered, done_by_now):
        return f"a wrong answer: {answer}"
    if told["done"] != 1:
        return f"the request was carried out {told['done']} times"
    more = _done(world, [once.job.attempt, _tell_rows])
    if (more["rows"], more["answer"]["already"]) != (told["rows"], True):
        return f"one try more changed something: {more}"
    if world.mode == "off":
        return None
    return check(world, [], Ledger(), [as_rows(told["all"])])


def _kill(job: Job, world: World, step: int) -> None:
    def die(reporter: Reporter) -> None:
        vfs = steps.observe(steps.Counter(step, steps.die))
        job.attempt(world, reporter)
        steps.stop(vfs)

    in_child(die)


def _write(world: World, reporter: Reporter) -> None:
    """A user writes, and may be refused while there is no database, or a looted one."""
    with contextlib.suppress(Refused):
        SqliteEvents(world.config).add("in between")


def _tell_rows(world: World, reporter: Reporter) -> None:
    found = world.rows()
    reporter.tell("all", found)
    reporter.tell("rows", [[row[0], row[2]] for row in found])
    opened = (timelines.read(world.where, one) for one in timelines.numbers(world.where))
    reporter.tell("done", sum(one.active and one.request is not None for one in opened))
