"""Which history is here: do database, journal and points belong together, and is it the live one.

Nothing decides that alone. Where a record is lost, or the database is not what the
backup volume takes for the live one, the program stops, changes nothing and says what
there is and which ways lead on.
"""

from collections.abc import Iterable

from pra.base.errors import Damaged, Refused
from pra.base.layout import Layout
from pra.journal import segments
from pra.lineage import in_use, marks, timelines
from pra.lineage.timelines import Branch, Timeline
from pra.points import catalogue
from pra.points.catalogue import Point, Points
from pra.sql.schema import Position
from pra.state import volumes

_WAYS = (
    "python -m pra restore latest takes the live history (what is here is kept as a safety"
    " point); python -m pra restore current makes this database the live one"
)
_LOST = (
    "put the records back from a copy of the backup volume if there is one; python -m pra"
    " restore current makes the database that is here the live history; python -m pra points"
    " lists what can be restored by name"
)


class NoPair(Refused):
    """Database and backup volume are not of one history."""

    def __init__(self, doing: str, where: Layout):
        if marks.readable(where.backup) or volumes.restorable(where):
            happened = "database and backup volume do not belong together"
            next_step = f"mount the volumes that were initialised as a pair; or {_WAYS}"
        else:
            happened = "the backup volume is an empty one, and not this database's"
            next_step = (
                "mount the one that is (PRA_BACKUP_DIR); if that is lost: python -m pra backup"
                " --new-volume takes this one in its place"
            )
        super().__init__(doing, happened, next_step)


class Elsewhere(Refused):
    """The database is not on the live timeline of its backup volume."""

    def __init__(self, doing: str, happened: str):
        super().__init__(doing, happened, _WAYS)


def faults(where: Layout) -> list[str]:
    """Copies of marks and timeline records that are lost; the next backup writes them again."""
    marked = [marks.fault(where.data), marks.fault(where.backup)]
    return [reason for reason in marked if reason] + timelines.faults(where)


def heal(where: Layout) -> None:
    """Write lost copies of marks and records again; needs the maintenance lock.

    Raises:
        Damaged: both copies of one are lost.
    """
    for directory in (where.data, where.backup):
        marks.heal(directory)
    timelines.heal(where)


def refuse_unknown(where: Layout, doing: str, known: Iterable[Point] = ()) -> None:
    """Refuse where it cannot be told which timeline is the live one.

    Args:
        known: points, which name timelines too.

    Raises:
        Refused: the mark or a record is lost, or something names a timeline after the
            live one that was never registered or never became the current one.
    """
    reason = _unknown(where, known)
    if reason:
        raise Refused(doing, f"which history is the latest is uncertain: {reason}", _LOST)


def refuse_elsewhere(where: Layout, doing: str, here: Position) -> Timeline:
    """Refuse a database that does not stand on the live timeline; returns that one.

    One that a restore made current just before it was killed is on the live timeline
    too, though nobody has noted that yet (``active`` is False then). Taking it for
    that loses nothing: the restore recorded where the journal ended then, and it still
    does, so no row was acknowledged anywhere since.

    Raises:
        Elsewhere: it does not.
        Damaged: that cannot be told.
    """
    if marks.lineage_of(where.backup) != here.lineage:
        raise NoPair(doing, where)
    live, mine = timelines.live(where), timelines.read(where, here.timeline)
    if live and live.number == here.timeline:
        return live
    if mine and not mine.active and completes(where, mine):
        return mine
    at = f"the database is on timeline {here.timeline}, at transaction {here.seq}"
    if mine is None:
        raise Elsewhere(
            doing, f"{at}, and the backup volume knows no such timeline: it may be an older copy"
        )
    raise Elsewhere(doing, f"{at}; the live one is {live.number if live else 'unknown'}")


def end_of_journal(where: Layout, timeline: Timeline | None) -> Branch | None:
    """Where the journal of a timeline ends, as far as it can be read; None without one."""
    if timeline is None:
        return None
    last = segments.last_of(where, timeline.number)
    if last is None:
        return Branch(timeline.number, timeline.seq, timeline.hash)
    try:
        _, scan = segments.read(last)
    except Damaged:
        return Branch(timeline.number, last.first - 1, "")
    scan.read()
    place = scan.state.applied
    return Branch(timeline.number, place.seq, place.hash.hex())


def unrecorded(where: Layout, known: Iterable[Point]) -> set[int]:
    """Timelines that something names and of which there is no record: nothing of them is to go."""
    named = {number for _, number, _ in _named(where, known, set())}
    return named - {timeline.number for timeline in timelines.readable(where)}


def completes(where: Layout, mine: Timeline) -> bool:
    """Whether a timeline that was never noted as the current one can be noted now.

    Raises:
        Damaged: that cannot be told.
    """
    if _written(where, mine.number):
        return False
    live = timelines.live(where)
    newer = live is None or live.number < mine.number
    if not newer or end_of_journal(where, live) != mine.before:
        return False
    # Without a journal that end tells nothing; points made since, and who serves it now, do.
    return not (_went_on(where, live, mine) or in_use.others(where))


def _went_on(where: Layout, live: Timeline | None, mine: Timeline) -> bool:
    """Whether a point holds something of the live timeline that the restore did not know of.

    A timeline begins after every number that any point or journal had by then.
    """
    places = ((point.manifest or {}).get("position") for point in catalogue.scan(where))
    return live is not None and any(
        place and place["timeline"] == live.number and place["seq"] > mine.seq
        for place in places
        if place and place["lineage"] == live.lineage
    )


def _written(where: Layout, number: int) -> bool:
    """Whether anything tells that a timeline was written on, so that it was the current one."""
    named = _named(where, catalogue.scan(where), set())
    return any(number == other and not begins for _, other, begins in named)


def _unknown(where: Layout, known: Iterable[Point]) -> str | None:
    """Why the live timeline is uncertain; None if it is not."""
    try:
        lineage, newest = marks.mark_of(where.backup), timelines.live(where)
    except Damaged as error:
        return error.happened
    if lineage is None:
        named = next(iter(segments.listing(where)), None)
        return "the backup volume has a journal and no mark" if named else None
    live = newest.number if newest else 0
    registered = {timeline.number: timeline for timeline in timelines.readable(where)}
    active = {number for number, timeline in registered.items() if timeline.active}
    for name, number, begins in _named(where, known, active):
        if number <= live:
            # A later restore was asked to leave it, whatever it was.
            continue
        timeline = registered.get(number)
        if timeline is None:
            return f"{name} is of timeline {number}, of which there is no record"
        if not (timeline.active or begins):
            return f"{name} is of timeline {number}, which no record calls the current one"
    return None


def _named(where: Layout, known: Iterable[Point], active: set[int]):
    """What names a timeline of this history: its name, the number, and whether it just begins it.

    Segments of timelines that were ``active`` are in order, and are left out.

    A restore makes a point of what begins a timeline before it swaps: killed then, the
    point is there and the timeline never became the current one.
    """
    foreign = None
    for segment in segments.listing(where):
        if segment.timeline not in active:
            foreign = set(segments.foreign(where)) if foreign is None else foreign
            if segment not in foreign:
                yield f"the journal's {segment.timeline}-{segment.first}", segment.timeline, False
    points = known if isinstance(known, Points) else Points(known)
    for (number, begins), name in points.branches.items():
        yield name, number, begins
