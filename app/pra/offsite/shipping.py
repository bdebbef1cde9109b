"""What a step of copying did, and noting how far the copies go, for whoever watches."""

from typing import NamedTuple

from pra.base import clock
from pra.base.errors import PraError
from pra.base.settings import Settings
from pra.journal.history import Start
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
    """

    objects: int
    bytes: int
    points: list[str]
    faults: list[str]
    base: Point | Start | None


def note(settings: Settings, began: float, result: Result) -> None:
    """Note what an attempt did.

    Args:
        began: before it looked at the volume, in seconds since 1970.
    """
    fault = result.faults[0] if result.faults else None
    covered = _covered(settings, began, result)
    if covered is None and fault is None:
        fault = "there is no verified point from which the journal leads on"
    _write(settings, covered, fault)


def note_failure(settings: Settings, error: PraError) -> None:
    """Note that an attempt failed."""
    _write(settings, None, str(error))


def _covered(settings: Settings, began: float, result: Result) -> float | None:
    if result.base is None:
        return None
    if settings.journal != "off":
        return began
    # Without a journal there is nothing after the point.
    return result.base.manifest["created_time"] if isinstance(result.base, Point) else None


def copied_before(settings: Settings) -> float | None:
    """How far the copies at the configured place went, in seconds since 1970; None: nowhere."""
    before = copied.read(settings.layout)
    return before.covered if before and before.place == settings.offsite.shown else None


def _write(settings: Settings, covered: float | None, what: str | None) -> None:
    where = settings.layout
    if covered is None:
        covered = copied_before(settings)
    lineage = marks.lineage_of(where.backup)
    if lineage is not None:
        state = (None if covered is None else round(covered, 3), round(clock.now(), 3))
        copied.write(where, Copied(lineage, settings.offsite.shown, *state, what))
