"""Which primaries answered, one after the other: a successor is told from one that came back."""

import time
from enum import Enum

from pra.postgres.session import Server


class Met(Enum):
    """What one that answers is to those that did before.

    Attributes:
        SAME: the one that is known.
        NEXT: its successor, or itself after a restart.
        LATE: asked before the current one was known: it may have ended meanwhile.
        EARLIER: of an earlier timeline: it lacks what was acknowledged since.
        BACK: one that had a successor and lives on, on no earlier timeline: both take writes.
    """

    SAME, NEXT, LATE, EARLIER, BACK = range(5)


class Primaries:
    """Those that answered this process.

    Attributes:
        current: the newest one; None before there was one.
    """

    def __init__(self):
        self.current: Server | None = None
        self._since = -1.0
        self._before: set[Server] = set()

    def meet(self, found: Server, asked: float) -> Met:
        """Note one that answers, unless another one had come after it.

        Args:
            asked: since when, by the monotonic clock.
        """
        current = self.current
        if found == current:
            return Met.SAME
        if current:
            if not found.replaces(current):
                return Met.EARLIER
            promoted = found.system == current.system and found.timeline > current.timeline
            if not promoted and asked < self._since:
                return Met.LATE
            if found in self._before:
                # No server is started twice at the same microsecond: it never ended.
                return Met.BACK
            self._before.add(current)
        self.current, self._since = found, time.monotonic()
        return Met.NEXT
