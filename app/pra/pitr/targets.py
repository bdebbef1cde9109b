"""What a restore is asked for, and which history and moment that means."""

from typing import TYPE_CHECKING, NamedTuple

from pra.base.errors import Damaged, Refused, Unknown
from pra.base.layout import Layout
from pra.journal import history, places, segments
from pra.journal.history import Path, Start
from pra.journal.records import Place
from pra.lineage import timelines
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.state import identity, volumes

if TYPE_CHECKING:
    from pra.points.archive import Copy


#: The label of a copy that comes from elsewhere: nothing is replayed onto it.
COPY = "the exported copy"


class Goal(NamedTuple):
    """Where a restore is to arrive.

    Attributes:
        label: what was asked for, for messages.
        point: exactly this point, without the journal; None otherwise.
        path: the history to follow; None with ``point`` or ``copy``.
        until: the last number to include; None for all there is.
        open_end: what the journal may lack at its end belongs to it.
        copy: an exported copy, which continues no history of these volumes.
        current: the database that is there, as it is.
    """

    label: str
    point: Point | None = None
    path: Path | None = None
    until: int | None = None
    open_end: bool = False
    copy: "Copy | None" = None
    current: bool = False


def latest(where: Layout, known: list[Point]) -> Goal:
    """The newest moment of the current timeline that the volume holds."""
    path = _live_path(where, known)
    if path is None:
        return exact_point(catalogue.latest(known) or _nothing())
    return Goal("latest", path=path, open_end=True)


def current(where: Layout, known: list[Point]) -> Goal:
    """The database on the data volume as it is, whatever the backup volume says.

    Raises:
        NeedsRestore: there is none.
    """
    if volumes.current(where) is None:
        raise volumes.missing(where, "making the database the live history")
    return Goal("current", current=True)


def _live_path(where: Layout, known: list[Point]) -> Path | None:
    identity.refuse_unknown(where, "choosing what to restore", known)
    return history.live_path(where)


def exact_point(point: Point) -> Goal:
    """A point as it is."""
    return Goal(point.name, point=point)


def just_before(where: Layout, seq: int) -> Goal:
    """The moment before transaction ``seq``, on the current timeline or an abandoned one.

    Raises:
        Unknown: the journal has no such transaction.
        Damaged: it may have had it.
    """
    identity.refuse_unknown(where, f"restoring --to-before {seq}")
    return Goal(f"--to-before {seq}", path=_path_with(where, seq), until=seq - 1)


def undo(where: Layout, known: list[Point]) -> Goal:
    """What was there before the last restore.

    Raises:
        Unknown: there was no restore, or nothing was there before it.
    """
    identity.refuse_unknown(where, "undoing the last restore", known)
    live = timelines.live(where)
    if live and live.safety is None and live.also_kept:
        raise Unknown(
            "undoing the last restore",
            f"no database was in use before it; what was there is in {', '.join(live.also_kept)}",
            f"restore it by name: python -m pra restore {live.also_kept[-1]}",
        )
    if live is None or live.safety is None:
        raise Unknown(
            "undoing the last restore",
            "nothing was there before it" if live and live.point else "there was no restore",
            "python -m pra points lists what can be restored",
        )
    safety = catalogue.find(known, live.safety)
    left = live.left
    place = (safety.manifest or {}).get("position")
    if left is None or not place or (place["seq"], place["hash"]) == (left.seq, left.hash):
        return exact_point(safety)
    path = history.path_to(where, timelines.read(where, left.timeline))
    return Goal("undo", path=path, until=left.seq)


def bases(path: Path, known: list[Point], until: int | None) -> list[Point | Start]:
    """Where a replay could start, the nearest to its goal first.

    A quarantined point is among them: what is suspect of it is what the history says, and
    the same rows come of an older point. Whoever uses it asks ``in_journal`` first.
    """
    found = []
    for point in known:
        start = start_of(point)
        if point.status not in ("verified", "safety", "quarantined") or start is None:
            continue
        index = path.index_of(start)
        if index is not None and (until is None or start.place.seq <= until):
            found.append(((index, start.place.seq, point.serial), point))
    found.sort(key=lambda entry: entry[0], reverse=True)
    origin = path.origin()
    return [point for _, point in found] + ([origin] if origin else [])


def in_journal(where: Layout, point: Point) -> bool:
    """Whether the journal holds a point's transaction, so that its rows are those of history.

    A quarantined point that it does not hold cannot be trusted, nor any where there is no journal.
    """
    return point.status != "quarantined" or places.holds(where, start_of(point))


def start_of(point: Point) -> Start | None:
    """Where a point stands in this history; None if that is unknown, or in another one.

    What a restore found in the place of the database may have come from anywhere.
    """
    known = point.manifest or {}
    place = known.get("position")
    if not place or point.status == "foreign" or place["lineage"] != known["lineage"]:
        return None
    return Start(place["timeline"], Place(place["seq"], bytes.fromhex(place["hash"])))


def _path_with(where: Layout, seq: int) -> Path:
    """The history that holds transaction ``seq``: the current one if it does."""
    doing = f"restoring --to-before {seq}"
    live = history.live_path(where)
    others = timelines.readable(where)
    for path in [live] + [history.path_to(where, other) for other in others if other.active]:
        if path and path.holds(seq):
            return path
    missing = f"the journal has no transaction {seq}"
    listed = "python -m pra log lists those it has"
    damage = _damage(where)
    if damage:
        raise Damaged(doing, f"{missing} that can be read: {damage}", listed)
    raise Unknown(doing, missing, listed)


def _damage(where: Layout) -> str | None:
    """What hides transactions of the journal, if anything does."""
    for segment in segments.listing(where):
        try:
            _, scan = segments.read(segment)
        except Damaged as error:
            return error.happened
        scan.read()
        if hole := scan.hole():
            return hole
    return None


def _nothing():
    raise Refused(
        "restoring latest",
        "there is no verified point and no journal",
        "bring a copy of a point to the backup volume, or python -m pra adopt FILE; a database that"
        " is there and lost its backup volume: python -m pra backup --new-volume",
    )
