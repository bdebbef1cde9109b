"""Connections to the primary, for the threads of one process.

What a failover asks of a pool: that a primary which does not answer is given up within a
second or so, also where no reset ever comes, and with it all connections to it; that nobody
queues for one that is away; and that nothing leads back to an earlier one. A library's pool
tests what it hands out, one connection at a time, and waits longer with each failure.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable

import psycopg

from pra.postgres import failures, session
from pra.postgres.primaries import Met, Primaries
from pra.postgres.session import Server, Session
from pra.postgres.target import CONNECT, Target
from pra.postgres.watch import LOOK, Attempt, Watch

#: How long a work waits for a connection, in seconds: until an attempt has no answer in time.
WAIT = CONNECT + 0.2
#: How long a write waits for its turn among as many as may write at a time, in seconds.
TURN = 0.25
#: How long attempts may fail before that is the answer, in seconds: the next one may succeed.
PATIENCE = 0.5
#: What is left of its time for a work at least, in seconds.
_LEAST = 0.5
#: Between two attempts, in seconds, where one failed or the server takes nobody more.
_PAUSE = 0.1


class Pool:
    """At most ``size`` connections at work at a time; opened as they are wanted.

    Attributes:
        trouble: why there is none now; None while there is.
    """

    def __init__(self, target: Target, size: int, look: Callable[[psycopg.Connection], None]):
        """Open nothing yet.

        Args:
            look: looks at each new connection, and may refuse it by a PraError.
        """
        self.target, self.size, self._look = target, size, look
        # Writes can wait for a standby, all at once: reads go on meanwhile.
        self.writers = max(1, size * 3 // 4)
        self._watch = Watch(self)
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self.changed = threading.Condition()
        self.busy: set[Session] = set()
        self.opening: set[Attempt] = set()
        self._idle: list[Session] = []
        self._waiting = 0
        self._primaries = Primaries()
        self.trouble: str | None = "nobody has asked it yet"
        self._failed_at = self._paused_at = self._progress_at = self._away_since = -1.0
        self._refused: failures.PraError | None = None
        self._for_good = self._stopped = False
        self._watch.forget()

    def reached(self) -> bool:
        """Whether a primary answered this process at any time."""
        return self._primaries.current is not None

    def take(self, doing: str, end: float, writes: bool = False) -> Session:
        """A connection for a work that ends by then, by the monotonic clock.

        Raises:
            Away, Busy: there is none.
            PraError: what is there cannot be used.
        """
        if self._pid != os.getpid():
            # Of a fork: the connections are the parent's.
            self._start()
        with self.changed:
            self._watch.begin()
            self._waiting += 1
            try:
                taken = self._taken(doing, writes)
            finally:
                self._waiting -= 1
            # What it waited for the connection is no longer there for the work.
            taken.begin(max(_LEAST, end - time.monotonic()))
            taken.writes = writes
            self.busy.add(taken)
            return taken

    def _taken(self, doing: str, writes: bool) -> Session:
        began = time.monotonic()
        # One attempt is waited for by some; who comes too late for that learns of the last one.
        crowded = self.trouble is not None and self._waiting > max(1, self.size // 2)
        while True:
            now = time.monotonic()
            if self._stopped:
                raise self._why(doing)
            turn = not writes or sum(one.writes for one in self.busy) < self.writers
            found = self._silent_one() if turn else None
            if found:
                return found
            if turn:
                self._refuse_if_away(doing, began, crowded)
                self._open_if_wanted()
            elif now >= began + TURN:
                raise failures.no_turn(doing)
            if now >= began + WAIT:
                if self.trouble is not None:
                    raise self._why(doing)
                raise failures.all_busy(doing, self.size)
            self.changed.wait(_PAUSE / 2)

    def _silent_one(self) -> Session | None:
        while self._idle:
            last = self._idle.pop()
            if last.silent():
                return last
            last.close()
        return None

    def _refuse_if_away(self, doing: str, began: float, crowded: bool) -> None:
        """Refuse who need not wait for another attempt."""
        if self.trouble is None or self._failed_at < 0:
            return
        # What no waiting changes; or attempts failed for long enough, and none is under way.
        under_way = any(not one.late for one in self.opening)
        enough = self._for_good or (time.monotonic() > began + PATIENCE and not under_way)
        if (enough and self._failed_at >= began) or crowded:
            raise self._why(doing)

    def _why(self, doing: str) -> failures.PraError:
        if self._refused:
            return type(self._refused)(doing, self._refused.happened, self._refused.next_step)
        return failures.away(doing, self.trouble or "")

    def _open_if_wanted(self) -> None:
        current = sum(not one.late for one in self.opening)
        if time.monotonic() - self._paused_at < _PAUSE:
            return
        # Those that are late end by themselves, and are not let become many before.
        room = (
            len(self.busy) + len(self._idle) + current < self.size
            and len(self.opening) < 2 * self.size + 2
        )
        wanted = self._waiting > current if self.trouble is None else current == 0
        if room and wanted:
            self.open(probe=False)

    def open(self, probe: bool) -> None:
        """Begin to open a connection; holding the lock."""
        attempt = Attempt(probe)
        self.opening.add(attempt)
        threading.Thread(target=self._open, args=(attempt,), daemon=True).start()

    def _open(self, attempt: Attempt) -> None:
        try:
            found = session.opened(self.target, self._look)
        except failures.PraError as error:
            self._failed(attempt, error.happened, refused=error)
        except (psycopg.Error, OSError) as error:
            said = self.said(error)
            refused = failures.refusal("connecting", error, said)
            self._failed(attempt, said, failures.answered(error), refused)
        except BaseException:
            logging.getLogger("pra").exception("opening a connection failed")
            self._failed(attempt, "unexpected error; see the log")
        else:
            self._arrived(attempt, found)

    def said(self, error: Exception) -> str:
        """The text of an error, on one line, without the password."""
        return self.target.hide(" ".join(str(error).split())) or type(error).__name__

    def _arrived(self, attempt: Attempt, found: Session) -> None:
        with self.changed:
            self.opening.discard(attempt)
            met = self._primaries.meet(found.server, attempt.began)
            if self._stopped or met not in (Met.SAME, Met.NEXT):
                found.close()
                self._refuse_server(met, found.server)
                return
            if met is Met.NEXT:
                self._retire_idle()
                self._cut(f"timeline {found.server.timeline} is served now")
            if self.trouble is not None:
                logging.getLogger("pra").info("the database can be used: %s", found.server)
            self.trouble, self._refused, self._for_good = None, None, False
            self._watch.answered()
            if len(self.busy) + len(self._idle) < self.size:
                self._idle.append(found)
            else:
                found.close()
            self.changed.notify_all()

    def _refuse_server(self, met: Met, which: Server) -> None:
        if self._stopped or met is Met.LATE:
            return
        error = failures.earlier("connecting", which.timeline)
        if met is Met.BACK:
            error = failures.two_primaries("connecting", which.timeline)
            logging.getLogger("pra").error("%s; next: %s", error, error.next_step)
        self._note_failure(error.happened, -math.inf, time.monotonic(), error)
        self._stopped = met is Met.BACK

    def _failed(
        self,
        attempt: Attempt,
        why: str,
        answered: bool = False,
        refused: failures.PraError | None = None,
    ) -> None:
        with self.changed:
            self.opening.discard(attempt)
            if attempt.late:
                return
            if answered and (self.busy or self._idle):
                # It answers: that it takes nobody more is no reason to interrupt others.
                self._refused_more()
            else:
                # Who came since waits for one that begins now: it may lead to another primary.
                self._note_failure(why, time.monotonic(), attempt.began, refused)

    def _refused_more(self) -> None:
        self._watch.answered()
        self._paused_at = time.monotonic()
        self.changed.notify_all()

    def expire(self, attempt: Attempt) -> None:
        """An attempt has no answer in time; should it have one later, that is welcome.

        Holding the lock.
        """
        attempt.late = True
        if self._progress_at > attempt.began:
            # Others were answered meanwhile: it is busy, not gone.
            self._refused_more()
        else:
            self._note_failure(f"no answer within {CONNECT:g} s", attempt.began, time.monotonic())

    def _note_failure(
        self, why: str, since: float, told: float, refused: failures.PraError | None = None
    ) -> None:
        """There is no primary now.

        Args:
            since: since when, at least, as this failure shows by itself.
            told: who has waited since then, or longer, need not wait for another attempt.
        """
        if self._stopped:
            return
        now = self._paused_at = time.monotonic()
        if self.trouble is None or self._failed_at < 0:
            logging.getLogger("pra").warning("the database cannot be used: %s", why)
            self._away_since = since
        self._failed_at, self.trouble, self._refused = told, why, refused
        self._for_good = refused is not None and not isinstance(refused, failures.Busy)
        self._retire_idle()
        # One failed attempt says little of those who wait for an answer: more are made.
        if now - max(self._away_since, self._progress_at) > CONNECT - LOOK:
            self._cut(why)
        self.changed.notify_all()

    def _retire_idle(self) -> None:
        for one in self._idle:
            one.close()
        self._idle.clear()

    def _cut(self, why: str) -> None:
        """Whoever waits for an answer learns that none will come."""
        for one in self.busy:
            one.end_from_outside(why)

    def give(self, used: Session) -> None:
        """Take a connection back that another work may use."""
        with self.changed:
            if used not in self.busy:
                # Dropped before.
                return
            self.busy.discard(used)
            if used.usable() and used.server == self._primaries.current and not self._for_good:
                self._idle.append(used)
                self._progress_at = time.monotonic()
            else:
                used.close()
            # All: a write may have to wait for its turn where a read has not.
            self.changed.notify_all()

    def drop(self, used: Session) -> None:
        """Take a connection back that is lost, and trust no other one that nobody uses."""
        with self.changed:
            self.busy.discard(used)
            used.close()
            self._retire_idle()
            self.changed.notify_all()
