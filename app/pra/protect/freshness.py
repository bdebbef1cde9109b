"""Whether restore points come as often as they should, whatever keeps them from coming."""

import time

from pra.base import clock
from pra.points.catalogue import Point
from pra.protect.notices import Notice


class Freshness:
    """Watches the newest point that a backup made, for one process.

    A suspect one shows as well that the schedule runs: what to do about that is said of it.

    Its age is what the wall clock says or, if that is more, how long this process has
    seen no newer one: a clock that was set back makes no point young.
    """

    def __init__(self, limit: int):
        """``limit``: the age in seconds that no point reaches on schedule; 0: not judged."""
        self._limit = limit
        self._seen, self._since = 0, time.monotonic()

    def overdue(self, known: list[Point]) -> Notice | None:
        """What to say of the newest point, or of there being none; None if all is well.

        Args:
            known: the points that there are, newest first.
        """
        if not self._limit:
            return None
        made = [point for point in known if point.status in ("verified", "quarantined")]
        last = made[0] if made else None
        serial = last.serial if last else 0
        if serial != self._seen:
            self._seen, self._since = serial, time.monotonic()
        told = clock.now() - last.epoch if last else 0.0
        age = max(told, time.monotonic() - self._since)
        if age <= self._limit:
            return None
        what = "the newest restore point is" if last else "there has been no restore point for"
        why = "it is suspended, fails, or does not run"
        if last and last.status == "quarantined":
            why += f", or finds just what is in {last.name}, which is quarantined"
        return Notice(
            f"backups are overdue: {what} {age:.0f} s{' old' if last else ''}, and the schedule"
            f" makes one within {self._limit} s; {why}",
            "cargo xtask backup takes one now, or says why it cannot",
        )
