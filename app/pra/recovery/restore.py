"""Bringing a moment back: build it in a folder of its own, save what is there, swap.

Killed at any instant the database is the old one or the new one, whole: the
swap is one rename of a link, and nothing in use is touched before it. Every restore
opens a new timeline, so that the future it abandons stays apart.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pra.base.errors import Damaged, DiskFull, from_os_error, no_space
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.journal import high_water, segments
from pra.journal.history import Start
from pra.lineage import in_use, marks, timelines
from pra.lineage.timelines import Branch, Request
from pra.pitr.targets import Goal
from pra.points import catalogue, elapsed, publish
from pra.points.catalogue import Point
from pra.protect import backup, keep, retention
from pra.recovery import build, safety, warnings
from pra.recovery.built import BuiltDatabase, Timer
from pra.recovery.warnings import Found
from pra.state import attempts, generations, identity, requests, volumes
from pra.state.generations import Built

T = TypeVar("T")


class Supervision(NamedTuple):
    """What a restore that nobody asked for has to pass beside all that others pass.

    Attributes:
        begin: called under the maintenance lock, before anything is changed.
        accept: called with the answer to be, before the registry has a word of it.

    Both raise what ends the restore.
    """

    begin: Callable[[], None]
    accept: Callable[[dict], None]


#: Chooses the goal once the points are known.
Choice = Callable[[Layout, list[Point]], Goal]


class _Work:
    """One restore under way.

    Attributes:
        known: the points that there are.
        target: what was asked for.
        number: of the generation and timeline to be.
        kept: what is there; None until that is safe.
        replaced: the generations that are there and not in use, with their safety points.
        unread: what of the journal may have given out higher ids, and cannot be read.
        live: the history that was live before; None where that is unknown.
        accept: called with the answer to be, where nobody asked for the restore.
    """

    def __init__(self, settings: Settings, where: Layout, choose: Choice, target: str, accept):
        self.settings, self.where, self.target = settings, where, target
        self.accept = accept
        self.known = catalogue.scan(where)
        self.goal = choose(where, self.known)
        self.number = volumes.next_number(where)
        self.timer = Timer()
        self.kept: safety.Kept | None = None
        self.replaced: dict[int, Point | None] = {}
        self.unread: str | None = None
        self.live = warnings.live_path(where)

    @property
    def also_kept(self) -> list[str]:
        """The safety points of what was there and not in use."""
        return [point.name for point in self.replaced.values() if point]


def run(
    settings: Settings,
    choose: Choice,
    force: bool = False,
    target: str = "",
    supervision: Supervision | None = None,
) -> dict:
    """Restore what ``choose`` says, unless an attempt of the same request did so before.

    Args:
        force: take a quarantined or damaged point, and go as far as the
            journal leads where it has a gap.
        target: what was asked for, in the words of whoever asked.
        supervision: what else has to hold where nobody asked.

    Returns:
        {"status": "restored", "goal", "point", "rows", "max_id", "safety_point",
        "also_kept", "generation", "seq", "replayed", "incomplete", "tail", "warnings", "skipped",
        "seconds", "already"}; "warnings" are sentences: what is known to be missing, and
        what may be; "already" says that this is the answer of an earlier attempt;
        "also_kept" are the safety points of what was there and not in use;
        "skipped" are points that are not what their manifests say;
        "point" is the base, None where history began empty or a copy was adopted; "tail"
        says that the journal's last record is incomplete: it was being written, or went bad.

    Raises:
        PraError: nothing was changed.
    """
    where = settings.layout
    volumes.refuse_unwritable(where, "restoring")
    volumes.prepare_backup_volume(where)
    with locks.maintenance(where, "restoring"):
        if supervision:
            supervision.begin()
        publish.sweep(where)
        requests.finish(where)
        # What an interrupted restore left may be what fills the volume.
        volumes.drop_unfinished(where)
        volumes.drop_replaced(where)
        answer = requests.answered(where, settings.request, target)
        if answer:
            return answer
        if not settings.restore_take_over:
            in_use.refuse(where, "restoring")
        try:
            work = _Work(settings, where, choose, target, supervision and supervision.accept)
            if not supervision:
                attempts.leave(where, volumes.current(where) is None)
            answer = _run(work, force)
            attempts.forget(where)
            return answer
        except Exception:
            with contextlib.suppress(Exception):
                volumes.drop_unfinished(where)
            raise


def _run(work: _Work, force: bool) -> dict:
    where, goal = work.where, work.goal
    built = build.build(where, work.known, goal, work.number, force, work.timer)
    work.kept = _with_room(work, built, lambda: safety.keep(where, work.known))
    work.replaced = _with_room(work, built, lambda: safety.keep_others(where))
    work.timer.lap("build")
    with locks.writer(where, f"restoring {goal.label}", seconds=locks.MAINTENANCE_WAIT):
        if goal.current:
            # With what was written meanwhile.
            built = build.build(where, work.known, goal, work.number, force, work.timer)
        build.catch_up(built, goal, force)
        work.kept = _with_room(work, built, lambda: safety.confirm(where, work.kept))
        for last in {one.timeline for one in (built.reached, work.kept.left) if one}:
            # Its last writer may have died before the disk had the record.
            segments.write_last_again(where, last)
        finished = _swap(work, built)
    volumes.drop_replaced(where)
    work.timer.lap("swap")
    return {**_report(work, built, finished), "already": False}


def _with_room(work: _Work, built: BuiltDatabase, act: Callable[[], T]) -> T:
    """Do what needs room on the backup volume.

    On a full one it is done once more, when what the retention rules no longer keep has
    made room. What leads to the new timeline stays, and what is there.
    """
    try:
        return act()
    except (DiskFull, OSError) as error:
        if not no_space(error):
            raise
    _make_room(work, built)
    try:
        return act()
    except OSError as error:
        raise from_os_error(f"restoring {work.goal.label}", error) from error


def _make_room(work: _Work, built: BuiltDatabase) -> None:
    where = work.where
    publish.sweep(where)
    names = [built.base, work.kept.name if work.kept else None, *work.also_kept]
    needed = keep.way(where, names, work.goal.path, built.began, built.reached)
    retention.apply(work.settings, where, needed=needed)
    work.known = catalogue.scan(where)


def _swap(work: _Work, built: BuiltDatabase) -> Built:
    """Open the timeline and make the built generation the current one; needs both locks."""
    where, kept = work.where, work.kept
    mark = marks.readable(where.backup) or marks.write_mark(where.backup, _lineage(work))
    seq, highest_id = _high_water(work, built)
    finished = generations.finish(
        built.path, mark.lineage, work.number, seq, highest_id, built.rows
    )
    work.timer.lap("build")
    if work.accept:
        work.accept(_report(work, built, finished))
    reached = built.reached
    parent = _parent(where, reached)
    timelines.register(
        where,
        timelines.beginning(
            finished.position,
            parent=parent,
            point=built.base,
            safety=kept.name,
            also_kept=work.also_kept,
            left=kept.left,
            before=_end_of_live(where),
            replaced=[*work.replaced, *filter(None, [volumes.current(where)])],
            highest_id=highest_id,
            request=_request(work, built, finished),
            steady_time=round(elapsed.now(work.known), 3),
        ),
    )
    if work.goal.current or (parent is None and work.settings.journal != "off"):
        # No point leads here: without a base of its own, its journal could not be replayed.
        _with_room(work, built, lambda: backup.publish_base(where, built.path))
    if marks.lineage_of(where.data) != mark.lineage:
        marks.write_mark(where.data, mark.lineage)
    volumes.complete(where, work.number)
    volumes.switch(where, work.number)
    timelines.activate(where, work.number)
    return finished


def _request(work: _Work, built: BuiltDatabase, finished: Built) -> Request | None:
    """What the record of the new timeline says of the request that opens it."""
    name = work.settings.request
    return Request(name, work.target, _report(work, built, finished)) if name else None


def _lineage(work: _Work) -> str:
    """The history that an unmarked backup volume is to belong to."""
    known = marks.lineage_of(work.where.data) if work.goal.current else None
    return known or marks.new_identity()


def _parent(where: Layout, reached: Start | None) -> Branch | None:
    """What the new timeline continues; nothing where the record of that one is lost."""
    known = reached and {timeline.number for timeline in timelines.readable(where)}
    if not known or reached.timeline not in known:
        return None
    return Branch(reached.timeline, reached.place.seq, reached.place.hash.hex())


def _end_of_live(where: Layout) -> Branch | None:
    """Where the live timeline's journal ends; of no use where that one is uncertain."""
    try:
        return identity.end_of_journal(where, timelines.live(where))
    except Damaged:
        return None


def _high_water(work: _Work, built: BuiltDatabase) -> tuple[int, int]:
    """The highest transaction number and event id ever given out, wherever that is known."""
    journaled = high_water.everywhere(work.where)
    # A database that says how far it went has given out all ids of its timeline.
    work.unread = journaled.unread if work.kept.left is None else None
    counted = [one for one in work.known if one.status != "foreign" or one == work.goal.point]
    known = [point.manifest for point in counted if point.manifest]
    places = [content["position"]["seq"] for content in known if content["position"]]
    issued = [content.get("highest_issued") or 0 for content in known]
    if work.goal.copy:
        places.append(work.goal.copy.content["position"]["seq"])
        issued.append(work.goal.copy.content["highest_issued"])
    if built.unchecked:
        places.append(built.unchecked.seq)
        issued.append(built.unchecked.highest_id)
    seq = max([journaled.seq, work.kept.seq, *places])
    return seq, max([journaled.event, work.kept.highest_id, *issued])


def _warnings_of(work: _Work, built: BuiltDatabase) -> list[str]:
    kept, mode = work.kept, work.settings.journal
    found = Found(kept.left, kept.name, kept.raw, kept.unfit, work.replaced, work.live, work.unread)
    return warnings.of(work.where, mode, work.goal, built, found)


def _report(work: _Work, built: BuiltDatabase, finished: Built) -> dict:
    return {
        "status": "restored",
        "goal": work.goal.label,
        # What is made the live history as it is, that point holds.
        "point": work.kept.name if work.goal.current else built.base,
        "rows": finished.rows,
        "max_id": finished.max_id,
        "safety_point": work.kept.name,
        "also_kept": work.also_kept,
        "generation": work.number,
        "seq": built.reached.place.seq if built.reached else None,
        "replayed": built.replayed,
        "last_write": built.last_write,
        "incomplete": built.short,
        "tail": built.tail,
        "warnings": _warnings_of(work, built),
        "skipped": list({one["name"]: one for one in [*built.skipped, *work.kept.unfit]}.values()),
        "seconds": work.timer.report(),
    }
