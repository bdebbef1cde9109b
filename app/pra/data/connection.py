"""A connection to the current database, and the files that its writes sync and look at."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import apsw

from pra.base.errors import Locked, StorageError
from pra.disk import inode, look
from pra.journal import durability, segments
from pra.journal.acknowledged import Acknowledged
from pra.sql import connect, schema

log = logging.getLogger("pra")


def first_look(doing: str, path: str, conn: apsw.Connection) -> None:
    """Look at a database that was just opened, which opens its log.

    Raises:
        Locked: others have the log open, and it has no name any more.
    """
    try:
        # Every transaction writes this row, so a log that holds any is opened to read it.
        schema.position(conn)
    except apsw.IOError as error:
        conn.close()
        # SQLite made an empty log in its place, which its index (-shm) does not fit.
        torn = error.extendedresult == apsw.SQLITE_IOERR_SHORT_READ
        if not torn or look.size(f"{path}-wal") or look.size(f"{path}-shm") is None:
            raise
        raise Locked(
            doing,
            "the database's log (-wal) was removed, and who has it open has yet to bring it in",
            "try again in a moment; leave the servers running until then",
        ) from None


class Handle:
    """A connection, and the files that its writes sync and look at.

    Attributes:
        of: the process that opened it, and the identity of the file that it opened.
        path: of that file.
        conn: the connection.
    """

    def __init__(self, of: tuple[int, tuple[int, int]], path: str, conn: apsw.Connection):
        self.of, self.conn, self.path = of, conn, path
        self._folder, self._seen = inode.Folder(os.path.dirname(path)), (False, False)
        self._log_opened = look.identity(f"{path}-wal")
        self._acknowledged: Acknowledged | None = None
        self._executor = ThreadPoolExecutor(max_workers=1)
        self._log: durability.Log | None = None
        self._segment: tuple[segments.Open, segments.Open] | None = None

    def segment(self, shared: segments.Open) -> segments.Open:
        """An opening of its own of a segment that the threads of a process write through."""
        if self._segment is None or self._segment[0] is not shared:
            self._segment = shared, shared.opened_again()
        return self._segment[1]

    def look(self) -> tuple[bool, bool]:
        """Look at the database's log: one look at its folder, unless a name there changed.

        Returns:
            Whether its name leads to the one that the connection has open; whether somebody's
            sync of it failed, and it was not emptied since.
        """
        if not self._folder.quiet():
            holds = look.identity(f"{self.path}-wal") == self._log_opened
            self._seen = holds, durability.failed(self.path)
        return self._seen

    def open_log(self) -> durability.Log:
        """The database's log, open: what follows does not depend on its name.

        First called by the first write of a connection, under the writer lock: then the
        position gets what one of an earlier version lacks.

        Raises:
            StorageError, OSError: it cannot be opened.
        """
        if self._log is None:
            connect.use_log(self.conn)
            schema.upgrade(self.conn)
            self._log = durability.Log(self.path)
        return self._log

    def begin(self, work: Callable[[], None]) -> Future | None:
        """Begin to sync one file in a thread while another is synced; None without a thread."""
        try:
            return self._executor.submit(work)
        except RuntimeError:
            # It has queued the work, and would do it before the next: then that finds
            # nothing wrong with a file of which the system says once that it is.
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = ThreadPoolExecutor(max_workers=1)
            return None

    def acknowledged(self, create: bool) -> Acknowledged:
        """The number of the last acknowledged transaction that only the database has.

        Raises:
            OSError: it cannot be opened, or made.
        """
        if self._acknowledged is None or (create and not self._acknowledged.there):
            self._acknowledged = Acknowledged(self.path, create)
        return self._acknowledged

    def checkpoint_removed_log(self, doing: str) -> bool:
        """Checkpoint a log whose name was removed; needs the writer lock.

        Everybody who has it open still reads and writes it, and all of it would be gone
        with the last of them. A checkpoint decides nothing: it brings committed
        transactions to where any other checkpoint would. But who opened the database since
        has another log; where that holds anything, a checkpoint of the old one could
        overwrite it, and the next write compares what there is with what was acknowledged.

        Returns:
            Whether it was brought in; else another log has the name.

        Raises:
            StorageError: it cannot be brought in now; whoever has it open must keep it.
        """
        if look.size(f"{self.path}-wal"):
            log.error("the database's log (-wal) was replaced: what it held may be missing")
            return False
        reason = durability.checkpoint(self.conn)
        if reason:
            raise StorageError(
                doing,
                "the database's log (-wal) was removed, and what it holds cannot be brought"
                f" into the database yet ({reason})",
                "try again in a moment; leave the servers running until then",
            )
        log.error("the database's log (-wal) was removed: all it held was brought in")
        return True

    def close(self, checkpoint: bool = True) -> None:
        """Close it; whatever state a transaction is in, that rolls it back.

        Args:
            checkpoint: the last one of all may make a checkpoint, as SQLite does by itself.
        """
        if not checkpoint:
            self.conn.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._executor.shutdown(wait=False)
        self._log = self._segment = self._acknowledged = None
        self.conn.close(True)
