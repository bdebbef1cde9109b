"""SIGTERM and SIGINT, none of which is lost however busy the event loop is."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT)
#: By how much a timer of the loop may be early, in seconds.
_TICKS = 0.002


def _die(number: int) -> None:
    """As the signal does by itself, except to the first process of a container."""
    os._exit(128 + number)


class Signals:
    """Asks to stop: until somebody waits for them they end the process, as by default.

    A thread waits for the signals. asyncio's own handlers learn of one by a byte in a
    socket that also wakes the loop for other threads: full of those, it loses the signal.
    """

    def __init__(self):
        """Take the signals over; before any thread starts, since threads inherit that."""
        self._then: Callable[[int], object] = _die
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        threading.Thread(target=self._wait, name="signals", daemon=True).start()

    def _wait(self) -> None:
        while True:
            number = signal.sigwait(_STOPS)
            self._then(number)

    def asked_of(self, loop: asyncio.AbstractEventLoop) -> "Asked":
        """From now on, tell an event loop."""
        asked = Asked()
        self._then = lambda number: loop.call_soon_threadsafe(asked.told)
        return asked


class Asked:
    """How often a loop was asked to stop: each further time cuts a wait short."""

    def __init__(self):
        self._times = asyncio.Semaphore(0)
        self.told = self._times.release

    async def next(self) -> None:
        """Wait until asked, once for each time."""
        await self._times.acquire()

    async def within(self, seconds: float) -> None:
        """Wait for some time, or until asked."""
        waiting = asyncio.ensure_future(self.next())
        # Timers count whole milliseconds, of a clock that was looked at before.
        await asyncio.wait((waiting,), timeout=seconds + _TICKS)
        waiting.cancel()
