"""Steady time: time as the backups saw it pass, which no jump of the clock disturbs.

Each point carries, next to what the clock said, the time of the point before it and the
step between the two, as the order of the points has them. A step is never negative and
never longer than STEP: a clock that was set ahead by a year makes things an hour older,
and one that was set back nothing younger. Where no backup ran for longer, that time does not
count either: what goes by its age is kept for longer than the settings say, not shorter.
"""

from pra.base import clock
from pra.points.catalogue import Point, Points

#: The longest step between two points that is believed, in seconds.
STEP = 3600


def now(known: list[Point]) -> float:
    """The present, in seconds since 1970 as far as the clock never jumped.

    Args:
        known: the points that there are, newest first.
    """
    newest = _newest(known)
    if newest is None:
        return clock.now()
    return of(newest) + min(max(0.0, _since(newest)), STEP)


def of(point: Point) -> float:
    """When a point was made, on the same scale; what the clock said where it has no more."""
    return (point.manifest or {}).get("steady_time", point.epoch)


def jump(known: list[Point]) -> str | None:
    """What is odd about the clock against the newest point, in words; None if nothing is."""
    newest, by = _newest(known), step(known)
    if by < 0:
        return (
            f"{newest.name} was made {_duration(-by)} from now, by the clock of that time:"
            " it was ahead then, or is behind now"
        )
    if by > 0:
        return (
            f"{_duration(by)} passed by the clock since {newest.name} was made: the clock was"
            " set, or no backup ran"
        )
    return None


def step(known: list[Point]) -> float:
    """By how much the clock stepped against the newest point, in seconds; 0: nothing is odd.

    Negative: that point is from later than now.
    """
    newest = _newest(known)
    by = 0.0 if newest is None else _since(newest)
    return by if by < -1 or by > STEP else 0.0


def recorded(known: Points) -> str | None:
    """What was odd about the clock when one of the points of the last hour was made."""
    since = now(known) - STEP
    return next((point.manifest["clock"] for point in known.odd if of(point) > since), None)


def _newest(known: list[Point]) -> Point | None:
    return next((point for point in known if point.manifest and point.status != "foreign"), None)


def _since(newest: Point) -> float:
    """Seconds by the clock since a point was made; negative where it went back."""
    return clock.now() - newest.manifest.get("created_time", newest.epoch)


def _duration(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"
