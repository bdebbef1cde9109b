"""Which moment of the history a wished time means."""

from collections.abc import Iterator

from pra.base import clock
from pra.base.errors import Unknown
from pra.base.layout import Layout
from pra.journal.history import Path
from pra.pitr import targets
from pra.points.catalogue import Point


def at_time(where: Layout, known: list[Point], moment: float, label: str) -> targets.Goal:
    """The last moment of the current timeline that is not later than ``moment``.

    Transactions are taken in their order, never sorted by time.

    Raises:
        Unknown: it lies before the history or is yet to come, or clocks make it ambiguous.
    """
    path = targets._live_path(where, known) or targets._nothing()
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
        other = "latest" if found.after_back is None else f"--to-before {found.after_back}"
        raise Unknown(
            doing,
            f"the clock was set back: transactions {found.later} to {found.back} carry times"
            " around that moment",
            f"choose by number: --to-before {found.later} or {other}",
        )
    return targets.Goal(label, path=path, until=found.until, open_end=found.later is None)


class _Around:
    """What surrounds a moment, of transactions that are taken in one at a time, in order.

    Attributes:
        begins: time of the first one.
        highest: the latest time of all.
        until: number of the last one before the first that is later.
        later: number of the first that is later.
        back: number of the last one after that which is not later.
        after_back: number of the first one after ``back``.
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
    """Refuse a moment that is yet to come; one between the last transaction and now is none."""
    now = clock.now()
    if moment > max(now, last):
        raise Unknown(
            doing,
            f"that is yet to come: the journal reaches to {clock.rfc3339(last, 3)},"
            f" and it is {clock.rfc3339(now, 3)}",
            "python -m pra restore latest takes all there is; python -m pra log lists the times",
        )


def _times(path: Path, known: list[Point]) -> Iterator[tuple[int, float]]:
    """Numbers and times of the path's transactions, in the order of history.

    Points stand in for transactions that the journal does not have: with the time of
    the next transaction where they were published later than that, which is no step of
    the clock.
    """
    first = path.line[0]
    made = {first.seq: first.created}
    for point in known:
        start = targets.start_of(point)
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
