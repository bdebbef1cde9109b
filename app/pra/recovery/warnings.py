"""The warnings of a restore: writes that are known to be missing, and those that may be.

Each is a sentence for people, told in the text as well as in the JSON answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.journal import history, segments
from pra.journal.history import Path
from pra.lineage.timelines import Branch
from pra.pitr.targets import Goal
from pra.points.catalogue import Point
from pra.recovery.built import BuiltDatabase


class Found(NamedTuple):
    """What a restore finds where it puts its own.

    Attributes:
        stood: where the database stands that is replaced, if that is certain.
        kept: the point that keeps it; None in a plan.
        raw: it could not be read.
        unfit: points that could not stand for it.
        others: generations that were not in use, with the points that keep them.
        live: the history that was the live one, if that is certain.
        unread: what of the journal may have given out higher ids, and cannot be read.
    """

    stood: Branch | None
    kept: str | None = None
    raw: bool = False
    unfit: Sequence[dict] = ()
    others: Mapping[int, Point | None] = {}
    live: Path | None = None
    unread: str | None = None


def live_path(where: Layout) -> Path | None:
    """The live history before a restore; None where that is uncertain, or there is none."""
    try:
        return history.live_path(where)
    except Damaged:
        return None


def of(
    where: Layout,
    mode: str,
    goal: Goal,
    built: BuiltDatabase,
    found: Found,
) -> list[str]:
    """What there is to say, the worst first.

    Args:
        mode: of the journal.
        found: what is replaced.
    """
    said = [
        _incomplete(where, goal, built),
        _odd_point(goal),
        _unchecked(built),
        _end_in_doubt(where, mode, goal, built),
        _beyond(goal, built, found.stood, found.kept),
        _unread(mode, goal, found),
        _left_by_current(where, goal, built, found.live),
        *_others(found),
        _ids_again(found),
    ]
    skipped = {one["name"]: one["reason"] for one in [*built.skipped, *found.unfit]}
    said += [f"{name} was passed over: {reason}" for name, reason in skipped.items()]
    return [one for one in said if one]


def _incomplete(where: Layout, goal: Goal, built: BuiltDatabase) -> str | None:
    """What --force left out."""
    if not built.short:
        return None
    said = f"INCOMPLETE, it ends at transaction {built.reached.place.seq}: {built.short}"
    left = left_out(where, goal.path, built, goal.until)
    if left is None:
        return f"{said}; none after it can be read"
    return (
        f"{said}; {left['transactions']} later ones that can be read ({left['first_seq']} to"
        f" {left['last_seq']}) are left out"
    )


def left_out(where: Layout, path: Path, built: BuiltDatabase, until: int | None) -> dict | None:
    """The transactions of a path that can be read and that a built database lacks.

    One that changed no row, as a proof leaves behind, is nothing to miss.

    Returns:
        {"first_seq", "last_seq", "transactions"}; None if there are none.
    """
    first, last, count = None, None, 0
    for run in path.everything(after=history.past(where, built.reached)):
        for seq in run.changing(until):
            first, last, count = first or seq, seq, count + 1
    if not count:
        return None
    return {"first_seq": first, "last_seq": last, "transactions": count}


def _odd_point(goal: Goal) -> str | None:
    point = goal.point
    if point is None or point.status not in ("quarantined", "damaged", "foreign"):
        return None
    return f"{point.name} is {point.status}, and was taken all the same: {point.reason}"


def _unchecked(built: BuiltDatabase) -> str | None:
    if not built.unchecked:
        return None
    return f"{built.unchecked.reason}. It was taken all the same: its rows are as they read now"


def _end_in_doubt(where: Layout, mode: str, goal: Goal, built: BuiltDatabase) -> str | None:
    """Whether writes that were acknowledged may be missing at the end."""
    doubt = built.tail
    if goal.open_end and doubt is None and not built.short and mode != "off":
        doubt = no_journal(where, goal.path, built.reached.place.seq)
    return f"the last acknowledged writes may be missing: {doubt}" if doubt else None


def no_journal(where: Layout, path: Path, seq: int) -> str | None:
    """Whether a timeline that had transactions up to ``seq`` has no journal that goes on there.

    A new base begins a segment of its own, and no segment before it says that it follows.
    """
    live = path.line[-1]
    if seq <= live.seq:
        return None
    if segments.of_timeline(where, live.number):
        end = history.end_of(where, live)
        if end.doubt or seq <= end.seq:
            return None
        return (
            f"the journal ends at transaction {end.seq}, before the last base, which stands at"
            f" {seq}: what followed that is gone"
        )
    return f"there is no journal of timeline {live.number}, which had {seq - live.seq} transactions"


def _beyond(goal: Goal, built: BuiltDatabase, stood: Branch | None, kept: str | None) -> str | None:
    """Whether what is replaced had more than the journal."""
    if not goal.open_end or stood is None or built.end is None:
        return None
    if stood.timeline != goal.path.line[-1].number or stood.seq <= built.end.seq:
        return None
    held = f"only in {kept}, and undo brings it back" if kept else "in no point and no journal"
    return (
        f"what is replaced stood at transaction {stood.seq}, the journal ends at"
        f" {built.end.seq}: what was written between is {held}"
    )


def _unread(mode: str, goal: Goal, found: Found) -> str | None:
    """Whether what is replaced may have had rows that nothing that can be read has."""
    if not (goal.open_end and found.raw) or mode == "required":
        return None
    held = f"only in {found.kept}, a copy of its bytes" if found.kept else "nowhere else"
    return (
        "what is replaced could not be read: what was written to it since the last point, and"
        f" is in no journal, is {held}"
    )


def _left_by_current(
    where: Layout, goal: Goal, built: BuiltDatabase, live: Path | None
) -> str | None:
    """What the journal has that the database lacks which becomes the live history."""
    left = left_out(where, live, built, None) if goal.current and live else None
    if left is None:
        return None
    what = f"{left['transactions']} transactions ({left['first_seq']} to {left['last_seq']})"
    whose = "that this database lacks" if built.reached else "of a history it is no part of"
    return (
        f"the journal has {what} {whose}; python -m pra restore --to-before SEQ reaches them"
        " for as long as safety points are kept (PRA_KEEP_SAFETY_HOURS)"
    )


def _others(found: Found) -> Iterator[str]:
    for number, point in found.others.items():
        if point:
            rows = point.manifest["rows"]
            held = "bytes that could not be read" if rows is None else f"{rows} rows"
            yield (
                f"g{number} was there too, without the link to it, and is kept as {point.name}"
                f" ({held}): python -m pra restore {point.name} brings it back"
            )


def _ids_again(found: Found) -> str | None:
    if found.unread is None:
        return None
    return (
        f"ids may be given out a second time: {found.unread} of the journal told of later events"
        " and cannot be read"
    )
