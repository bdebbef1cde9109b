"""What a restore is asked for, and which history and moment that means."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pra import clock, history, identity, points, segments, timelines, volumes
from pra.errors import Damaged, Refused, Unknown
from pra.history import Path, Start
from pra.layout import Layout
from pra.points import Point
from pra.records import Place

if TYPE_CHECKING:
    from pra.archive import Copy


class Goal(NamedTuple):
    """Where a restore is to arrive.

    Attributes:
        label: what was asked for, for messages.
        point: exactly this point, without the journal; None otherwise.
        path: the history to follow; None with ``point`` or ``copy``.
        until: the last number to include; None for all there is.
        open_end: what the journal may lack behind its end belongs to it.
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
        return exact_point(points.latest(known) or _nothing())
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


def at_time(where: Layout, known: list[Point], moment: float, label: str) -> Goal:
    """The last moment of the current timeline that is not later than ``moment``.

    Transactions are taken in their order, never sorted by time.

    Raises:
        Unknown: it lies before the history or is yet to come, or clocks make it ambiguous.
    """
    path = _live_path(where, known) or _nothing()
    doing = f"restoring {label}"
    found = _Around(moment)
    for seq, seconds in _times(path, known):
        found.take(seq, seconds)
    _refuse_future(doing, moment, found.highest)
    if found.until is None:
        begins = clock.rfc3339(found.begins, 3)
        raise Unknown(
            doing, f"that is before all that is kept: it begins at {begins}", "python -m pra points"
        )
    if found.back is not None:
        behind = "latest" if found.after_back is None else f"--to-before {found.after_back}"
        raise Unknown(
            doing,
            f"the clock was set back: transactions {found.later} to {found.back} carry times"
            " around that moment",
            f"choose by number: --to-before {found.later} or {behind}",
        )
    return Goal(label, path=path, until=found.until, open_end=found.later is None)


class _Around:
    """What surrounds a moment, of transactions that are taken in one at a time, in order.

    Attributes:
        begins: time of the first one.
        highest: the latest time of all.
        until: number of the last one before the first that is later.
        later: number of the first that is later.
        back: number of the last one behind that which is not later.
        after_back: number of the first one behind ``back``.
    """

    def __init__(self, moment: float):
        self._moment, self.highest = moment, float("-inf")
        self.begins = self.until = self.later = self.back = self.after_back = None

    def take(self, seq: int, seconds: float) -> None:
        """Take in the next transaction."""
        if self.begins is None:
            self.begins = seconds
        if seconds > self.highest:
            self.highest = seconds
        if seconds <= self._moment:
            if self.later is None:
                self.until = seq
            else:
                self.back, self.after_back = seq, None
            return
        if self.later is None:
            self.later = seq
        if self.after_back is None:
            self.after_back = seq


def _refuse_future(doing: str, moment: float, last: float) -> None:
    """Refuse what nothing can be known of; between the last transaction and now all is known."""
    now = clock.now()
    if moment > max(now, last):
        raise Unknown(
            doing,
            f"that is yet to come: the journal reaches to {clock.rfc3339(last, 3)},"
            f" and it is {clock.rfc3339(now, 3)}",
            "python -m pra restore latest takes all there is; python -m pra log lists the times",
        )


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
    safety = points.find(known, live.safety)
    left = live.left
    place = (safety.manifest or {}).get("position")
    if left is None or not place or (place["seq"], place["hash"]) == (left.seq, left.hash):
        return exact_point(safety)
    path = history.path_to(where, timelines.read(where, left.timeline))
    return Goal("undo", path=path, until=left.seq)


def base_candidates(path: Path, known: list[Point], until: int | None) -> list[Point | Start]:
    """Where a replay could start, the nearest to its goal first.

    A quarantined point is among them: what is suspect of it is what the history says, and
    the same rows come of an older point. Whoever uses it asks ``vouched`` first.
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


def vouched(where: Layout, point: Point) -> bool:
    """Whether the journal holds a point's transaction, so that its rows are those of history.

    A quarantined point without that is nothing but suspect, as is every one without a journal.
    """
    return point.status != "quarantined" or history.holds(where, start_of(point))


def start_of(point: Point) -> Start | None:
    """Where a point stands in this history; None if that is unknown, or in another one.

    What a restore found in the place of the database may have come from anywhere.
    """
    known = point.manifest or {}
    place = known.get("position")
    if not place or point.status == "foreign" or place["lineage"] != known["lineage"]:
        return None
    return Start(place["timeline"], Place(place["seq"], bytes.fromhex(place["hash"])))


def _times(path: Path, known: list[Point]) -> Iterator[tuple[int, float]]:
    """Numbers and times of the path's transactions, in the order of history.

    Points stand in for transactions that the journal does not have: with the time of
    the next transaction where they were published later than that, which is no step of
    the clock.
    """
    first = path.line[0]
    made = {first.seq: first.created}
    for point in known:
        start = start_of(point)
        if start and point.status in ("verified", "safety") and path.index_of(start) is not None:
            made.setdefault(start.place.seq, point.manifest["created_time"])
    points_made = sorted(made.items(), reverse=True)
    for run in path.everything():
        for record in run.records:
            seq, seconds = record.seq, record.time_ms / 1000
            if points_made and points_made[-1][0] <= seq:
                yield from _before(points_made, seq, seconds)
            yield seq, seconds
    yield from _before(points_made, None, float("inf"))


def _before(
    points_made: list[tuple[int, float]], seq: int | None, seconds: float
) -> list[tuple[int, float]]:
    """Take from a list, the newest first, the points that stand before transaction ``seq``.

    The transaction stands for a point of its own number.
    """
    times, following = [], seconds
    taken = []
    while points_made and (seq is None or points_made[-1][0] <= seq):
        taken.append(points_made.pop())
    for number, made in reversed(taken):
        if number != seq:
            following = min(made, following)
            times.append((number, following))
    return times[::-1]


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
