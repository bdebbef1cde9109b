"""A look at what can hang: no answer waits for it longer than a moment."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from pra.base.metrics import Collected, Told
from pra.web.threads import Threads

#: How long an answer waits, in seconds.
SECONDS = 2.0


class _Round:
    """One look: what it found so far."""

    def __init__(self):
        self.found: dict[str, list[Told] | None] = {}
        self.over = threading.Event()


class Observer:
    """Looks in a thread of its own, one look at a time."""

    def __init__(self, look: Callable[[], Iterator[Collected]], seconds: float = SECONDS):
        """``look`` yields part by part, and may take any time for each."""
        self._look, self._seconds = look, seconds
        self._thread = Threads("observer", 1)
        self._round: _Round | None = None

    def found(self) -> dict[str, list[Told] | None]:
        """What is seen now, by part; without those that were not seen in time.

        For one thread at a time.
        """
        deadline = time.monotonic() + self._seconds
        # What an earlier answer left unfinished is old by now.
        if self._round and not self._round.over.wait(self._seconds):
            return {}
        began = self._round = _Round()
        self._thread.give(partial(self._go, began))
        began.over.wait(max(0.0, deadline - time.monotonic()))
        return began.found.copy()

    def _go(self, began: _Round) -> None:
        try:
            for part in self._look():
                began.found[part.collector] = part.told
        finally:
            began.over.set()
