"""What a step of copying did, and noting how far the copies go, for whoever watches."""

from collections.abc import Sequence
from typing import NamedTuple

from pra.base import clock
from pra.base.errors import PraError
from pra.base.settings import Settings
from pra.journal.history import Start
from pra.journal.records import Place
from pra.lineage import marks
from pra.points.catalogue import Point
from pra.state import copied
from pra.state.copied import Copied


class Result(NamedTuple):
    """What a push did.

    Attributes:
        objects, bytes: how many it sent, and their content.
        points: the names of the points that are there now, of those that were to be.
        faults: what it left out, and why, as sentences.
        base: from where the journal there leads to its end, a point or the empty beginning; None
            where nothing does.
        reached: where the journal there ends; None where something of it is missing.
        gaps: what left the volume before it was copied: timeline, first and last number.
        proven: when somebody with the key noted last that they restored the copies.
        empty: the volume has neither points nor a journal yet.
    """

    objects: int
    bytes: int
    points: list[str]
    faults: list[str]
    base: Point | Start | None
    reached: Start | None = None
    gaps: Sequence[tuple[int, int, int]] = ()
    proven: float | None = None
    empty: bool = False

    def told(self) -> list[str]:
        """What left the volume before it was copied, as sentences."""
        return [
            f"transactions {first} to {last} of timeline {timeline} left the volume before they"
            " were copied: no moment among them comes back from the copies"
            for timeline, first, last in self.gaps
        ]


def note(settings: Settings, history: str, began: float, result: Result) -> None:
    """Note what an attempt did.

    Args:
        history: the folder of the copies.
        began: before it looked at the volume, in seconds since 1970.
    """
    before = _before(settings, history)
    fault = next(iter([*result.faults, *result.told()]), None)
    covered = _covered(settings, began, result)
    # Without a journal what was written is on the volume alone until there is a point.
    nothing = result.empty and settings.journal != "off"
    if covered is None and fault is None and not nothing:
        fault = "there is no verified point from which the journal leads on"
        if settings.journal == "off":
            fault = "there is no verified point, and without a journal nothing else is copied"
    if covered is None and before:
        covered = before.covered
    reached, missing = result.reached, sum(last - first + 1 for _, first, last in result.gaps)
    place = [reached.timeline, reached.place.seq] if reached else before and before.reached
    _write(
        settings,
        covered,
        fault,
        history=history,
        reached=place,
        missing=missing + (before.missing if before else 0),
        since=before.since if before and before.since else round(began, 3),
        proven=_later(result.proven, before.proven if before else None),
    )


def note_proof(settings: Settings, history: str, proven: float) -> None:
    """Note that somebody restored these copies."""
    before = _before(settings, history)
    if before is not None:
        copied.write(settings.layout, before._replace(proven=_later(proven, before.proven)))


def _later(*moments: float | None) -> float | None:
    return max((one for one in moments if one is not None), default=None)


def note_failure(settings: Settings, error: PraError) -> None:
    """Note that an attempt failed."""
    before = copied.read(settings.layout)
    if before is None or before.place != settings.offsite.shown:
        _write(settings, None, str(error))
        return
    state = before._replace(ended=round(clock.now(), 3), what=str(error))
    copied.write(settings.layout, state)


def _covered(settings: Settings, began: float, result: Result) -> float | None:
    if result.base is None:
        return None
    if settings.journal != "off":
        return began
    # Without a journal there is nothing after the point.
    return result.base.manifest["created_time"] if isinstance(result.base, Point) else None


def copied_before(settings: Settings, history: str) -> bool:
    """Whether there are copies of this history at the configured place, as was noted."""
    before = _before(settings, history)
    return before is not None and before.covered is not None


def reached(settings: Settings, history: str) -> Start | None:
    """Where the journal in these copies ended when that was noted; None if it never was."""
    before = _before(settings, history)
    if before is None or before.reached is None:
        return None
    timeline, seq = before.reached
    return Start(timeline, Place(seq, b""))


def _before(settings: Settings, history: str) -> Copied | None:
    """What the last attempt noted of these copies at the configured place."""
    before = copied.read(settings.layout)
    same = before and before.place == settings.offsite.shown
    return before if same and before.history in (None, history) else None


def _write(settings: Settings, covered: float | None, what: str | None, **more) -> None:
    lineage = marks.lineage_of(settings.layout.backup)
    if lineage is not None:
        state = (None if covered is None else round(covered, 3), round(clock.now(), 3))
        written = Copied(lineage, settings.offsite.shown, *state, what, **more)
        copied.write(settings.layout, written)
