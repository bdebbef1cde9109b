"""After the COMMIT: a write counts once the disks of both volumes hold it.

The journal's file and the database's log are synced outside of the writer lock: one
sync serves all whose bytes were written before it. On a disk that takes its time the
two go on side by side.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import apsw

from pra import beside, fileops
from pra.errors import OutcomeUnknown
from pra.writing import Written

#: From how many seconds on a sync takes longer than handing another one to a thread.
_SLOW = 0.0005


class Log:
    """The ``-wal`` of a database that a connection holds open, to be synced.

    SQLite would do that itself within each COMMIT (synchronous=FULL), while every
    other writer waits. Its locks are on the database and its ``-shm``, which nobody
    but SQLite may open: closing such a descriptor drops them. This file has none, and
    is not deleted while a connection has used it.

    Attributes:
        slow: the last sync took so long that another is best done beside the next one.
    """

    def __init__(self, database: str):
        self.slow = False
        self._fd = fileops.open_read(f"{database}-wal")

    def __del__(self):
        if hasattr(self, "_fd"):
            fileops.close(self._fd)

    def sync(self) -> None:
        """Make every transaction durable that was committed so far.

        Raises:
            OSError: they may not be.
        """
        began = time.monotonic()
        fileops.sync_data(self._fd)
        self.slow = time.monotonic() - began > _SLOW


class Failed(NamedTuple):
    """What could not be synced, each with its error."""

    journal: OSError | None
    log: OSError | None


def sync(written: Written, log: Log, companion: beside.Companion) -> Failed:
    """Sync both files."""
    if written.record is None:
        return Failed(None, _error_of(log.sync))
    file = written.record.file
    beside_log = log.slow
    if beside_log:
        companion.start(file.sync)
    failed_log = _error_of(log.sync)
    return Failed(_error_of(companion.wait if beside_log else file.sync), failed_log)


def _error_of(act: Callable[[], object]) -> OSError | None:
    try:
        act()
        return None
    except OSError as error:
        return error


def empty_log(conn: apsw.Connection, doing: str, cause: OSError | None) -> None:
    """Bring all that is in the log into the database, durably; needs the writer lock.

    Where a sync of the log failed, a later one would report success for pages that
    never reached the disk, and all behind them would be lost with the power.

    Raises:
        OutcomeUnknown: it failed, or somebody is reading what was there before.
    """
    try:
        busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except apsw.Error as error:
        busy, cause = True, cause or error
    if busy:
        raise OutcomeUnknown(
            doing,
            f"the database's log cannot be synced ({cause}); the row may not outlive a crash",
            "look before trying again: GET /consultation",
        ) from cause
