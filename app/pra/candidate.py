"""Building the database that a restore will make current, aside."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pra import (
    copying,
    current,
    fileops,
    generations,
    history,
    manifest,
    records,
    replay,
    room,
    schema,
    segments,
    sqlite,
    targets,
    verify,
    volumes,
)
from pra.errors import Damaged, NoRoom, PraError, Refused
from pra.history import Path, Run, Start
from pra.layout import Layout
from pra.points import Point
from pra.records import Place
from pra.targets import Goal

if TYPE_CHECKING:
    from pra.archive import Copy

#: Space that a restore leaves free on the data volume, in bytes.
HEADROOM = 4 << 20
_REPLACED = "it keeps what an unfinished restore was to replace: restore it by name if wanted"
_ADOPTING = "adopting the exported copy"


class Timer:
    """Seconds spent in each phase."""

    def __init__(self):
        self._began = time.monotonic()
        self._phases = dict.fromkeys(("verify", "build", "swap"), 0.0)

    def lap(self, phase: str) -> None:
        """Count the time since the last lap to a phase."""
        spent = time.monotonic() - self._began - sum(self._phases.values())
        self._phases[phase] += spent

    def report(self) -> dict[str, float]:
        """Seconds by phase, and "total"."""
        total = time.monotonic() - self._began
        return {**{k: round(v, 4) for k, v in self._phases.items()}, "total": round(total, 4)}


class Candidate:
    """A database built aside.

    Attributes:
        path: where it lies.
        base: name of the point it was built from; None for the empty beginning.
        began: where that stands; None if it continues no known history.
        reached: where it stands; None if it continues no known history.
        rows: how many it holds, where that was proven when the base was made and
            nothing was replayed; else None.
        replayed: transactions applied onto the base.
        skipped: better bases that were not fit, as [{"name", "reason"}].
        unchecked: what is wrong with its pages, taken as they read now (only with force).
        short: why it does not reach its goal (only with force).
        end: where the journal ends, if that was reached.
        tail: what is wrong with that end, if anything behind it is wanted.
    """

    def __init__(
        self,
        path: str,
        base: str | None,
        began: Start | None,
        rows: int | None = None,
        skipped: list[dict] | None = None,
        unchecked: current.Unchecked | None = None,
    ):
        self.path, self.base, self.rows = path, base, rows
        self.began = self.reached = began
        self.replayed = 0
        self.skipped = skipped or []
        self.unchecked = unchecked
        self.short: str | None = None
        self.end: Place | None = None
        self.tail: str | None = None


def build(
    where: Layout, known: list[Point], goal: Goal, number: int, force: bool, timer: Timer
) -> Candidate:
    """Build what ``goal`` asks for in the folder of generation ``number``.

    Args:
        force: take a quarantined or damaged point or database, and go as far as
            the journal leads where it has a gap.

    Raises:
        PraError: it cannot be built; nothing that is in use was touched.
    """
    if goal.current:
        return _from_current(where, number, force, timer)
    if goal.copy:
        return _from_copy(where, goal.copy, number, timer)
    if goal.point:
        return _from_point(where, goal.point, number, force, timer)
    candidate = _replayed(where, known, goal, number, force, timer)
    _note_doubt(candidate, goal)
    timer.lap("build")
    return candidate


def catch_up(candidate: Candidate, goal: Goal, force: bool) -> None:
    """Add what was written while the candidate was built; needs the writer lock."""
    if goal.path and goal.until is None and not candidate.short:
        with sqlite.errors(f"restoring {goal.label}"):
            _replay(candidate, goal, force, [], anyhow=force)
        _note_doubt(candidate, goal)


def _note_doubt(candidate: Candidate, goal: Goal) -> None:
    if goal.open_end and candidate.end and not candidate.short:
        candidate.tail = history.end_of(goal.path.where, goal.path.line[-1]).doubt


def _from_point(where: Layout, point: Point, number: int, force: bool, timer: Timer) -> Candidate:
    _refuse_unfit(where, point, force)
    path, rows = _copy_verified(where, point, number, force, timer)
    start = targets.start_of(point) if point.status in ("verified", "safety") else None
    return Candidate(path, point.name, start, rows)


def _from_current(where: Layout, number: int, force: bool, timer: Timer) -> Candidate:
    path = generations.folder(where, number)
    source = f"{where.generation(volumes.current(where))}/app.db"
    size = (fileops.size(source) or 0) + (fileops.size(f"{source}-wal") or 0)
    _refuse_without_room(where, current.DOING, size)
    start, unchecked = current.copy(where, source, path, force)
    timer.lap("build")
    return Candidate(path, None, start, unchecked=unchecked)


def _from_copy(where: Layout, copy: "Copy", number: int, timer: Timer) -> Candidate:
    """Take an exported copy in as it arrives; what is refused leaves nothing behind."""
    _refuse_without_room(where, _ADOPTING, copy.content["bytes"])
    path = generations.folder(where, number)
    fd = fileops.open_new(path)
    try:
        for piece in copy.database():
            fileops.write_all(fd, piece)
        fileops.fsync(fd)
    finally:
        fileops.close(fd)
    timer.lap("build")
    if copying.sha256(path) != copy.content["sha256"]:
        raise Damaged(_ADOPTING, "the copy reads back differently", "check the data volume")
    reason = verify.content_fault(path, copy.content)
    if reason:
        raise Damaged(_ADOPTING, reason, "take another copy")
    timer.lap("verify")
    return Candidate(path, None, None)


def _replayed(
    where: Layout, known: list[Point], goal: Goal, number: int, force: bool, timer: Timer
) -> Candidate:
    """The nearest base that is sound and that the journal fits, with the journal replayed onto it.

    A base can have been made of rows that had gone bad before, with nothing to tell by then:
    the journal, which says what was there, does not fit it. An older one may be good.
    """
    skipped: list[dict] = []
    misfits: list[str] = []
    last = False
    while True:
        try:
            candidate = _base(where, known, goal, number, timer, skipped)
            last = last or (candidate.base is None and not misfits)
            with sqlite.errors(f"restoring {goal.label}"):
                _replay(candidate, goal, force, known, anyhow=force and last)
            return candidate
        except Refused as error:
            if isinstance(error, replay.Misfit) and candidate.base is not None:
                misfits.append(candidate.base)
                _skip(skipped, candidate.base, error.happened)
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
) -> Candidate:
    """Copy the nearest base that is sound and none of the skipped."""
    bad = [entry["name"] for entry in skipped]
    left = [point for point in known if point.name not in bad]
    for base in targets.base_candidates(goal.path, left, goal.until):
        if isinstance(base, Start):
            path = generations.folder(where, number)
            generations.write_empty(path)
            return Candidate(path, None, base, skipped=skipped)
        if not targets.vouched(where, base):
            continue
        if _is_beyond_the_journal(goal.path, base):
            _skip(skipped, base.name, _REPLACED)
            continue
        try:
            _refuse_unfit(where, base, force=base.status == "quarantined")
            _refuse_contradicted(where, base)
            path, rows = _copy_verified(where, base, number, False, timer)
            return Candidate(path, base.name, targets.start_of(base), rows, skipped=skipped)
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

    A restore that died behind its safety point would otherwise bring back, when it is
    tried again, just what it was to replace.
    """
    if point.status != "safety":
        return False
    start = targets.start_of(point)
    end = history.end_of(path.where, path.line[path.index_of(start)])
    return start.place.seq > end.seq and end.doubt is None


def _replay(
    candidate: Candidate, goal: Goal, force: bool, known: list[Point], anyhow: bool
) -> None:
    """Replay the way to the goal; ``anyhow`` takes a misfit for an end as ``force`` does a gap."""
    conn = sqlite.open_new(candidate.path)
    try:
        work = replay.Replay(conn, candidate.reached)
        try:
            work.run(_bounded(goal, candidate))
            _refuse_early_end(goal, candidate.end, known)
        except PraError as error:
            if not force or (isinstance(error, replay.Misfit) and not anyhow):
                seq = work.reached.place.seq
                raise type(error)(
                    f"restoring {goal.label}",
                    f"{error.happened} (reached: transaction {seq})",
                    error.next_step,
                ) from error
            candidate.short = error.happened
        candidate.reached = work.reached
        candidate.replayed += work.count
        candidate.rows = None if work.count else candidate.rows
        # Equal hashes prove the base alone: pages that the replay wrote may be split,
        # moved or freed ones, so no smaller check than that of all covers them.
        reason = schema.fault(conn) if work.count else None
        if reason:
            raise Damaged(f"restoring {goal.label}", reason, "restore another point")
    finally:
        conn.close()


def _bounded(goal: Goal, candidate: Candidate) -> Iterator[Run]:
    """The way to the goal; notes the journal's end where it comes to that."""
    runs, candidate.end = goal.path.runs(candidate.reached), None
    while True:
        try:
            run = next(runs)
        except StopIteration as over:
            candidate.end = over.value
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
        raise history.gap(f"the journal ends at transaction {end.seq}, before {goal.until}")
    if not goal.open_end or not segments.of_timeline(goal.path.where, live.number):
        return
    for point in known:
        start = targets.start_of(point)
        made_here = start and start.timeline == live.number and point.status != "safety"
        if made_here and point.status != "quarantined" and start.place.seq > end.seq:
            raise history.gap(
                f"the journal ends at transaction {end.seq}, and {point.name}, which cannot be"
                f" used, was made at {start.place.seq}"
            )


def _refuse_unfit(where: Layout, point: Point, force: bool) -> None:
    doing = f"restoring {point.name}"
    if not point.bytes:
        raise Refused(doing, "its file is missing or empty", "choose another point")
    if point.status in ("quarantined", "damaged") and not force:
        raise Refused(
            doing,
            f"it is {point.status}: {point.reason}",
            "choose another point, or add --force to restore it all the same",
        )
    if point.manifest and not manifest.proves_content(point.manifest) and not force:
        raise Refused(doing, f"it is a {point.reason}", "choose another point, or add --force")
    _refuse_without_room(where, doing, point.bytes)


def _refuse_contradicted(where: Layout, point: Point) -> None:
    reason = history.contradiction(where, targets.start_of(point))
    if reason:
        raise Refused(f"restoring {point.name}", reason, "restore it by name, or another one")


def _refuse_without_room(where: Layout, doing: str, size: int) -> None:
    needed = size + HEADROOM
    free = room.of(where, where.data).free
    if free < needed:
        raise NoRoom(
            doing, f"it needs {needed} bytes on the data volume, {free} are free", "free space"
        )


def _copy_verified(
    where: Layout, point: Point, number: int, force: bool, timer: Timer
) -> tuple[str, int | None]:
    """Copy, and check the copy as it reads back.

    Integrity and rows were proven when the point was made; equal hashes carry them over.
    A point without a manifest has no such proof and is checked page by page.

    Returns:
        The copy's path, and its rows where they are proven.
    """
    doing = f"restoring {point.name}"
    source, path = where.point(point.name), generations.folder(where, number)
    found = copying.copy_read_back(source, path)
    timer.lap("build")
    known = point.manifest
    proven = known and found == known["sha256"]
    # Where nothing says what it should be, the copy is held against its source.
    if not proven and found != copying.sha256(source):
        raise Damaged(doing, "the copy reads back differently", "check the data volume")
    if known and not proven and not force:
        raise Damaged(doing, "the file's SHA-256 is not the manifest's", "choose another point")
    proven = proven and manifest.proves_content(known)
    reason = None if proven else verify.content_fault(path, None)
    if reason:
        raise Damaged(doing, reason, "choose another point")
    timer.lap("verify")
    return path, known["rows"] if proven else None
