"""One connection to a primary: opened with its limits, checked, and told from those to others."""

import contextlib
import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg

from pra.postgres import way
from pra.postgres.target import CONNECT, HELD, Target

_SETTINGS = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in HELD.items())
_BEGINNING = f"""
SELECT (SELECT system_identifier FROM pg_control_system()),
  ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
  extract(epoch FROM pg_postmaster_start_time())::float8,
  current_setting('session_replication_role'), {_SETTINGS}"""
#: At which share of its limit a work is cancelled.
_ASKED_AFTER = 0.75
#: The function of the server that waits for standbys.
_SYNC_REP = "SyncRepWaitForLSN"


class Server(NamedTuple):
    """A primary that runs, told from its predecessors and from itself before a restart.

    Attributes:
        system: the same for all that came from one ``initdb``.
        timeline: of its history, one more after each promotion.
        started: when it was started, by its clock, which may have been set back since.
    """

    system: int
    timeline: int
    started: float

    def replaces(self, other: "Server | None") -> bool:
        """Whether it comes after another one; the same one does not."""
        if other is None or self.system != other.system:
            return True
        return self.timeline >= other.timeline and self != other


class Session:
    """A connection that is in nobody's transaction when it is handed on.

    Attributes:
        connection: psycopg's.
        server: to which it leads.
        since: when its work was begun, by the monotonic clock.
        limit: how long that may take, in seconds.
        writes: it changes something, and may wait for a standby.
        cancelled: the server was asked to end it: another work might be hit by that.
        cut: why somebody else ended the connection; None if nobody did.
    """

    def __init__(self, connection: psycopg.Connection, server: Server):
        self.connection, self.server = connection, server
        self.since = self.limit = 0.0
        self.cut: str | None = None
        self.cancelled = self.writes = False
        self._warned = False
        connection.add_notice_handler(self._noticed)
        # Its own name for the socket: the number of libpq's may be another's a moment later.
        self._line = socket.socket(fileno=os.dup(connection.pgconn.socket))

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        # The place in the server's source: texts are translated, and it has no code of its own.
        if notice.source_function == _SYNC_REP:
            self._warned = True

    @property
    def unconfirmed(self) -> bool:
        """Whether a COMMIT may not have waited until a standby had it.

        It did not where the server says so. Where it was asked to end what was under way, and
        that succeeded all the same, the warning is not relied on: it may be held back.
        """
        return self._warned or self.cancelled

    def begin(self, limit: float) -> None:
        """Note that a work is begun, or goes on."""
        self.since, self.limit, self._warned = time.monotonic(), limit, False

    def rest(self) -> None:
        """Note that nobody waits for the server now."""
        self.since = math.inf

    def silent(self) -> bool:
        """Whether nothing came while nobody asked: else it is the end, or what announces it."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return not poll.poll(0)

    def usable(self) -> bool:
        """Whether another work can follow."""
        state = self.connection.pgconn.transaction_status
        return (
            self.cut is None and not self.cancelled and state == psycopg.pq.TransactionStatus.IDLE
        )

    def overdue(self, now: float) -> bool:
        """Whether the server is to be asked to end the work, before it is given up."""
        return not self.cancelled and now - self.since > self.limit * _ASKED_AFTER

    def cancel(self) -> None:
        """Ask the server to end what is under way.

        It ends statements by itself, but not a COMMIT that waits for a standby: of a
        connection that is just closed that would go on, and hold its place, until one comes.
        """
        self.cancelled = True
        threading.Thread(target=self._cancel, daemon=True).start()

    def _cancel(self) -> None:
        # It may have ended in the meantime.
        with contextlib.suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=CONNECT)

    def end_from_outside(self, why: str) -> None:
        """Let whoever waits for an answer wait no longer."""
        self.cut = why
        # The other side may have ended it before.
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self._line.close()
        self.connection.close()


def opened(target: Target, look: Callable[[psycopg.Connection], None] | None = None) -> Session:
    """A connection to the primary that answers there now.

    Args:
        look: looks at what it leads to, and may refuse that; within the limit for all of it.

    Raises:
        psycopg.Error, OSError: there is none.
    """
    connection = way.first(target.ways())
    try:
        with _ended_after(connection, CONNECT):
            server = _checked(connection)
            if look:
                look(connection)
        return Session(connection, server)
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def _ended_after(connection: psycopg.Connection, seconds: float) -> Iterator[None]:
    """End a connection that does not answer: who authenticates may still answer no query."""
    line = socket.socket(fileno=os.dup(connection.pgconn.socket))

    def end() -> None:
        # The other side may have ended it before.
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()


def _checked(connection: psycopg.Connection) -> Server:
    try:
        found = connection.execute(_BEGINNING).fetchone()
    except psycopg.errors.QueryCanceled:
        # Meant for whoever had this place at a pooler, or in a queue, before.
        found = connection.execute(_BEGINNING).fetchone()
    system, timeline, started, triggers, *settings = found
    if triggers != "origin":
        # Else the number of events would not be kept; /status says so where the role may not.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET session_replication_role = 'origin'")
    for (name, wanted), value in zip(HELD.items(), settings, strict=True):
        if value != wanted:
            raise psycopg.OperationalError(f"the server holds {name} at {value}, not {wanted}")
    return Server(system, timeline, started)
