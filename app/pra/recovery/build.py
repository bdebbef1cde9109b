"""Building the database that a restore will make the current one, in a folder of its own."""

import sys
from collections.abc import Iterator

from pra.base import clock
from pra.base.errors import Damaged, PraError, Refused
from pra.base.layout import Layout
from pra.journal import chain, history, places, records, replay, segments
from pra.journal.chain import Run
from pra.journal.history import Path, Start
from pra.journal.records import Place
from pra.pitr import targets
from pra.pitr.targets import Goal
from pra.points.catalogue import Point
from pra.recovery import copied
from pra.recovery.built import BuiltDatabase, Timer
from pra.sql import connect, schema
from pra.state import generations

_REPLACED = "it keeps what an unfinished restore was to replace: restore it by name if wanted"


def build(
    where: Layout, known: list[Point], goal: Goal, number: int, force: bool, timer: Timer
) -> BuiltDatabase:
    """Build what ``goal`` asks for in the folder of generation ``number``.

    Args:
        force: take a quarantined or damaged point or database, and go as far as
            the journal leads where it has a gap.

    Raises:
        PraError: it cannot be built; nothing that is in use was touched.
    """
    if goal.current:
        return copied.from_current(where, number, force, timer)
    if goal.copy:
        return copied.from_copy(where, goal.copy, number, timer)
    if goal.point:
        return copied.from_point(where, goal.point, number, force, timer)
    built = _replayed(where, known, goal, number, force, timer)
    _note_doubt(built, goal)
    timer.lap("build")
    return built


def catch_up(built: BuiltDatabase, goal: Goal, force: bool) -> None:
    """Add what was written while the database was built; needs the writer lock."""
    if goal.path and goal.until is None and not built.short:
        with connect.errors(f"restoring {goal.label}"):
            _replay(built, goal, force, [], anyhow=force)
        _note_doubt(built, goal)


def _note_doubt(built: BuiltDatabase, goal: Goal) -> None:
    if goal.open_end and built.end and not built.short:
        built.tail = history.end_of(goal.path.where, goal.path.line[-1]).doubt


def _replayed(
    where: Layout, known: list[Point], goal: Goal, number: int, force: bool, timer: Timer
) -> BuiltDatabase:
    """The nearest base that is sound and that the journal fits, with the journal replayed onto it.

    A base can have been made of rows that had gone bad before, with nothing to tell by then:
    the journal, which says what was there, does not fit it. An older one may be good.
    """
    skipped: list[dict] = []
    misfits: list[str] = []
    last = False
    while True:
        try:
            built = _base(where, known, goal, number, timer, skipped)
            last = last or (built.base is None and not misfits)
            with connect.errors(f"restoring {goal.label}"):
                _replay(built, goal, force, known, anyhow=force and last)
            return built
        except Refused as error:
            if isinstance(error, replay.Misfit) and built.base is not None:
                misfits.append(built.base)
                _skip(skipped, built.base, error.happened)
                continue
            if last or not (force and misfits):
                raise
        # With force, and where none fits: what the nearest one leads to, as far as it does.
        skipped = [one for one in skipped if one["name"] != misfits[0]]
        known, last = [point for point in known if point.name == misfits[0]], True


def _skip(skipped: list[dict], name: str, reason: str) -> None:
    skipped.append({"name": name, "reason": reason})
    print(f"pra: {name} is skipped: {reason}", file=sys.stderr)


def _base(
    where: Layout,
    known: list[Point],
    goal: Goal,
    number: int,
    timer: Timer,
    skipped: list[dict],
) -> BuiltDatabase:
    """Copy the nearest base that is sound and none of the skipped."""
    bad = [entry["name"] for entry in skipped]
    left = [point for point in known if point.name not in bad]
    for base in targets.bases(goal.path, left, goal.until):
        if isinstance(base, Start):
            path = generations.folder(where, number)
            generations.write_empty(path)
            return BuiltDatabase(path, None, base, skipped=skipped)
        if not targets.in_journal(where, base):
            continue
        if _is_beyond_the_journal(goal.path, base):
            _skip(skipped, base.name, _REPLACED)
            continue
        try:
            copied.refuse_unfit(where, base, force=base.status == "quarantined")
            _refuse_contradicted(where, base)
            path, rows = copied.copy_verified(where, base, number, False, timer)
            return BuiltDatabase(path, base.name, targets.start_of(base), rows, skipped=skipped)
        except (Damaged, Refused) as error:
            _skip(skipped, base.name, error.happened)
    reasons = "; ".join(f"{entry['name']}: {entry['reason']}" for entry in skipped)
    raise Refused(
        f"restoring {goal.label}",
        f"no verified point is fit for it{': ' + reasons if reasons else ''}",
        "python -m pra points lists what there is, to be restored by name; python -m pra restore"
        " current takes the database that is there, with --force also a damaged one",
    )


def _is_beyond_the_journal(path: Path, point: Point) -> bool:
    """Whether a point is of what a restore was about to replace, unjournaled writes included.

    A restore that died after its safety point would otherwise bring back, when it is
    tried again, just what it was to replace.
    """
    if point.status != "safety":
        return False
    start = targets.start_of(point)
    end = history.end_of(path.where, path.line[path.index_of(start)])
    return start.place.seq > end.seq and end.doubt is None


def _replay(
    built: BuiltDatabase, goal: Goal, force: bool, known: list[Point], anyhow: bool
) -> None:
    """Replay the way to the goal; ``anyhow`` takes a misfit for an end as ``force`` does a gap."""
    conn = connect.open_new(built.path)
    try:
        work = replay.Replay(conn, built.reached)
        try:
            work.run(_bounded(goal, built))
            _refuse_early_end(goal, built.end, known)
        except PraError as error:
            if not force or (isinstance(error, replay.Misfit) and not anyhow):
                seq = work.reached.place.seq
                raise type(error)(
                    f"restoring {goal.label}",
                    f"{error.happened} (reached: transaction {seq})",
                    error.next_step,
                ) from error
            built.short = error.happened
        built.reached = work.reached
        built.replayed += work.count
        if work.time_ms is not None:
            built.last_write = clock.rfc3339(work.time_ms / 1000, 3)
        built.rows = None if work.count else built.rows
        # Equal hashes prove the base alone: pages that the replay wrote may be split,
        # moved or freed ones, so no smaller check than that of all covers them.
        reason = schema.fault(conn) if work.count else None
        if reason:
            raise Damaged(f"restoring {goal.label}", reason, "restore another point")
    finally:
        conn.close()


def _bounded(goal: Goal, built: BuiltDatabase) -> Iterator[Run]:
    """The way to the goal; notes the journal's end where it comes to that."""
    runs, built.end = goal.path.runs(built.reached), None
    while True:
        try:
            run = next(runs)
        except StopIteration as over:
            built.end = over.value
            return
        within = records.up_to(run.records, goal.until)
        if within:
            yield run._replace(records=within)
        if len(within) < len(run.records):
            return


def _refuse_early_end(goal: Goal, end: Place | None, known: list[Point]) -> None:
    """Refuse to call a goal reached where something says that the journal went further.

    Raises:
        Gap: it did.
    """
    if end is None:
        return
    live = goal.path.line[-1]
    if goal.until is not None and end.seq < goal.until:
        raise chain.gap(f"the journal ends at transaction {end.seq}, before {goal.until}")
    if not goal.open_end or not segments.of_timeline(goal.path.where, live.number):
        return
    for point in known:
        start = targets.start_of(point)
        made_here = start and start.timeline == live.number and point.status != "safety"
        if made_here and point.status != "quarantined" and start.place.seq > end.seq:
            raise chain.gap(
                f"the journal ends at transaction {end.seq}, and {point.name}, which cannot be"
                f" used, was made at {start.place.seq}"
            )


def _refuse_contradicted(where: Layout, point: Point) -> None:
    reason = places.contradiction(where, targets.start_of(point))
    if reason:
        raise Refused(f"restoring {point.name}", reason, "restore it by name, or another one")
