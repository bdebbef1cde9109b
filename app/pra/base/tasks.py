"""Tasks that share a thread: one that is about to wait lets those that follow begin first."""

from collections.abc import Callable

import greenlet


class Lane:
    """Runs tasks of one thread, one after the other; each can pause for those of other lanes.

    It is kept from one task to the next: a new one would cost more than most tasks. Tasks of
    one lane share a context (contextvars), as those of one thread do.
    """

    def __init__(self):
        self._within = _Within(self._run)
        self._work: Callable[[], None] | None = None

    def begin(self, work: Callable[[], None]) -> bool:
        """Run a task, which must not raise, until it pauses or ends; whether it ended."""
        self._work = work
        return self.go_on()

    def go_on(self) -> bool:
        """Run the task that paused until it pauses again or ends; whether it ended."""
        self._within.switch()
        return self._work is None

    def _run(self) -> None:
        while True:
            self._work()
            self._work = None
            self._within.parent.switch()


class _Within(greenlet.greenlet):
    """What ``pause`` knows a lane by: others may use the library too."""


def pause() -> None:
    """Let others of this thread begin before this one waits; outside of a lane, go on."""
    current = greenlet.getcurrent()
    if isinstance(current, _Within):
        current.parent.switch()
