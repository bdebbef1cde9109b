"""Looks after the connections at work, so that nobody waits for a primary that is gone.

A statement may take long for a good reason: a COMMIT waits until a standby has it, and just
after a failover that takes seconds. Whether the primary is still there is asked on another
connection: if none can be opened, or it leads to another primary, waiting is over.
"""

import logging
import threading
import time
from typing import Protocol

from pra.postgres.session import Session
from pra.postgres.target import CONNECT

#: After how long without an answer that is asked, and how often it is looked, in seconds.
SUSPECT, LOOK = 0.5, 0.05


class Attempt:
    """A connection that is being opened, in a thread of its own.

    Attributes:
        probe: it is to show whether the primary is there.
        late: nobody waits for it any more.
    """

    def __init__(self, probe: bool):
        self.began, self.probe, self.late = time.monotonic(), probe, False


class Watched(Protocol):
    """The connections of a process; all of it is used holding the lock.

    Attributes:
        changed: the lock, and the news that something changed.
        busy: at work.
        opening: that are being opened.
    """

    changed: threading.Condition
    busy: set[Session]
    opening: set[Attempt]

    def open(self, probe: bool) -> None:
        """Begin to open a connection."""

    def expire(self, attempt: Attempt) -> None:
        """An attempt has no answer in time."""


class Watch:
    """A thread of a pool, which sleeps while nothing is at work."""

    def __init__(self, pool: Watched):
        self._pool = pool
        self.forget()

    def forget(self) -> None:
        """In a new process: there is no thread."""
        self._thread: threading.Thread | None = None
        self._answered_at = -1.0
        self._asleep = False

    def begin(self) -> None:
        """Something is about to be at work; holding the pool's lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="database", daemon=True)
            self._thread.start()
        if self._asleep:
            self._pool.changed.notify_all()

    def answered(self) -> None:
        """The primary answered on another connection; holding the pool's lock."""
        self._answered_at = time.monotonic()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK)
            try:
                with self._pool.changed:
                    if not (self._pool.busy or self._pool.opening):
                        self._asleep = True
                        self._pool.changed.wait()
                        self._asleep = False
                    self._look(time.monotonic())
            except Exception:
                logging.getLogger("pra").exception("looking after the connections failed")

    def _look(self, now: float) -> None:
        pool = self._pool
        for attempt in [one for one in pool.opening if not one.late]:
            if now - attempt.began > CONNECT:
                pool.expire(attempt)
        for one in pool.busy:
            if one.cut is None and now - one.since > one.limit:
                one.end_from_outside(f"no answer within {one.limit:.1f} s")
            elif one.overdue(now):
                one.cancel()
        oldest = min((one.since for one in pool.busy if one.cut is None), default=now)
        asked = any(one.probe and not one.late for one in pool.opening)
        if not asked and now - max(oldest, self._answered_at) > SUSPECT:
            pool.open(probe=True)
