"""After the COMMIT: a write counts once the disks of both volumes hold it.

The journal's file and the database's log are synced outside of the writer lock: one
sync serves all whose bytes were written before it. On a slow disk
the two syncs go on at the same time.
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future

import apsw

from pra.disk import files, look
from pra.journal import segments

#: From how many seconds on a sync takes longer than handing another one to a thread.
_SLOW = 0.0005


class Log:
    """The ``-wal`` of a database that a connection holds open, to be synced.

    SQLite would do that itself within each COMMIT (synchronous=FULL), while every
    other writer waits. Its locks are on the database and its ``-shm``, which nobody
    but SQLite may open: closing such a descriptor drops them. This file has none, and
    is not deleted while a connection has used it.

    Attributes:
        slow: the last sync took so long that another is best done at the same time as the next.
    """

    def __init__(self, database: str):
        self.slow = False
        self._failed = _mark(database)
        self._fd = files.open_read(f"{database}-wal")

    def __del__(self):
        if hasattr(self, "_fd"):
            files.close(self._fd)

    def sync(self) -> None:
        """Make every transaction durable that was committed so far.

        Raises:
            OSError: they may not be.
        """
        began = time.monotonic()
        files.sync_data(self._fd)
        self.slow = time.monotonic() - began > _SLOW

    def note_failure(self) -> None:
        """Tell those who open it later: only who had it open is told by the system."""
        with contextlib.suppress(OSError):
            files.write_new(self._failed, b"")

    def empty(self, conn: apsw.Connection) -> str | None:
        """Bring all that is in it into the database, durably; needs the writer lock.

        Where a sync failed, a later one would report success for pages that never
        reached the disk, and all after them would be lost with the power.

        Returns:
            Why that cannot be done now; None if it is done.
        """
        try:
            reason = checkpoint(conn)
            if reason is None:
                files.remove(self._failed)
            return reason
        except OSError as error:
            return str(error)


def failed(database: str) -> bool:
    """Whether somebody's sync of a database's log failed, and it was not emptied since."""
    return look.size(_mark(database)) is not None


def _mark(database: str) -> str:
    return f"{database}-failed"


def checkpoint(conn: apsw.Connection) -> str | None:
    """Checkpoint: bring all that the log holds into the database, durably; needs the writer lock.

    Returns:
        Why that cannot be done now; None if it is done.
    """
    try:
        busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except apsw.Error as error:
        return str(error)
    return "somebody is reading what was there before" if busy else None


def sync(
    segment: segments.Open | None, log: Log, begin: Callable[[Callable[[], None]], Future | None]
) -> list[OSError | None]:
    """Sync both files; returns what went wrong with the segment and with the log.

    Args:
        begin: begins to sync the segment meanwhile, where syncs are slow; None where it cannot,
            and then it does not do so later either.
    """
    if segment is None:
        return [None, _error_of(log.sync)]
    syncing = begin(segment.sync) if log.slow else None
    if syncing:
        failed_log = _error_of(log.sync)
        return [_error_of(syncing.result), failed_log]
    # The disk is at both before either is waited for, without the cost of a thread.
    begun_segment = _error_of(segment.begin)
    failed_log = _error_of(log.sync)
    return [begun_segment or _error_of(segment.sync), failed_log]


def _error_of(act: Callable[[], object]) -> OSError | None:
    try:
        act()
        return None
    except OSError as error:
        return error
