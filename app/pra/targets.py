"""What a restore is asked for, and which history and moment that means."""

from typing import TYPE_CHECKING, NamedTuple

from pra import clock, history, points, segments, timelines
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
        copy: an exported copy, which continues no history of these volumes.
    """

    label: str
    point: Point | None = None
    path: Path | None = None
    until: int | None = None
    copy: "Copy | None" = None


def latest(where: Layout, known: list[Point]) -> Goal:
    """The newest moment of the current timeline that the volume holds."""
    path = history.live_path(where)
    if path is None:
        return exact_point(points.latest(known) or _nothing())
    return Goal("latest", path=path)


def exact_point(point: Point) -> Goal:
    """A point as it is."""
    return Goal(point.name, point=point)


def just_before(where: Layout, seq: int) -> Goal:
    """The moment before transaction ``seq``, on the current timeline or an abandoned one.

    Raises:
        Unknown: the journal has no such transaction.
        Damaged: it may have had it.
    """
    return Goal(f"--to-before {seq}", path=_path_with(where, seq), until=seq - 1)


def at_time(where: Layout, known: list[Point], moment: float, label: str) -> Goal:
    """The last moment of the current timeline that is not later than ``moment``.

    Transactions are taken in their order, never sorted by time.

    Raises:
        Unknown: it lies before the history or is yet to come, or clocks make it ambiguous.
    """
    path = history.live_path(where) or _nothing()
    times = _times(path, known)
    doing = f"restoring {label}"
    _refuse_future(doing, moment, max(seconds for _, seconds in times))
    until, later = None, []
    for seq, seconds in times:
        if seconds <= moment and not later:
            until = seq
        else:
            later.append((seq, seconds))
    if until is None:
        begins = clock.rfc3339(times[0][1], 3)
        raise Unknown(
            doing, f"that is before all that is kept: it begins at {begins}", "python -m pra points"
        )
    back = [seq for seq, seconds in later if seconds <= moment]
    if back:
        raise Unknown(
            doing,
            f"the clock was set back: transactions {later[0][0]} to {back[-1]} carry times"
            " around that moment",
            f"choose by number: --to-before {later[0][0]} or {_just_after(back[-1], times)}",
        )
    return Goal(label, path=path, until=until)


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


def _just_after(seq: int, times: list[tuple[int, float]]) -> str:
    """The target that includes transaction ``seq`` and nothing behind it."""
    following = next((number for number, _ in times if number > seq), None)
    return "latest" if following is None else f"--to-before {following}"


def undo(where: Layout, known: list[Point]) -> Goal:
    """What was there before the last restore.

    Raises:
        Unknown: there was no restore, or nothing was there before it.
    """
    live = timelines.live(where)
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
    """Where a replay could start, the nearest to its goal first."""
    found = []
    for point in known:
        start = start_of(point)
        if point.status not in ("verified", "safety") or start is None:
            continue
        index = path.index_of(start)
        if index is not None and (until is None or start.place.seq <= until):
            found.append(((index, start.place.seq, point.serial), point))
    found.sort(key=lambda entry: entry[0], reverse=True)
    origin = path.origin()
    return [point for _, point in found] + ([origin] if origin else [])


def start_of(point: Point) -> Start | None:
    """Where a point stands; None if that is unknown."""
    place = (point.manifest or {}).get("position")
    if not place:
        return None
    return Start(place["timeline"], Place(place["seq"], bytes.fromhex(place["hash"])))


def _times(path: Path, known: list[Point]) -> list[tuple[int, float]]:
    """Numbers and times of the path's transactions, in the order of history.

    Points stand in for transactions that the journal does not have: with the time of
    the next transaction where they were published later than that, which is no step of
    the clock.
    """
    first = path.line[0]
    points_made = {first.seq: first.created}
    for point in known:
        start = start_of(point)
        if start and point.status in ("verified", "safety") and path.index_of(start) is not None:
            points_made.setdefault(start.place.seq, point.manifest["created_time"])
    happened = {step.record.seq: step.record.time_ms / 1000 for step in path.everything()}
    times, following = [], float("inf")
    for seq in sorted({*points_made, *happened}, reverse=True):
        following = happened[seq] if seq in happened else min(points_made[seq], following)
        times.append((seq, following))
    return times[::-1]


def _path_with(where: Layout, seq: int) -> Path:
    """The history that holds transaction ``seq``: the current one if it does."""
    doing = f"restoring --to-before {seq}"
    live = history.live_path(where)
    others = [timelines.read(where, number) for number in reversed(timelines.numbers(where))]
    for path in [live] + [history.path_to(where, other) for other in others if other.active]:
        if path and any(step.record.seq == seq for step in path.everything()):
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
        "bring a copy of a point to the backup volume, or begin anew with two empty volumes",
    )
