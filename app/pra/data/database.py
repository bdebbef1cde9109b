"""Reading and writing the current database, and what has to follow where a disk fails."""

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import apsw

from pra.base.errors import (
    OutcomeUnknown,
    Refused,
    StorageError,
    VolumeGone,
    from_os_error,
)
from pra.base.lack import Lack
from pra.base.settings import Settings
from pra.data import changes
from pra.data.connection import Handle
from pra.data.group import GroupCommit
from pra.data.pool import Pool
from pra.data.protection import Protection
from pra.data.transaction import Writer, Written
from pra.disk import fairlock, locks, space
from pra.journal import durability
from pra.points.catalogue import Points
from pra.sql import connect

logger = logging.getLogger("pra")
T = TypeVar("T")
#: What the system says of a volume that is gone, broken or set read-only by it.
_VOLUME_FAILED = (errno.EIO, errno.ENODEV, errno.ENOENT, errno.EROFS)


class Database:
    """The current database of a volume pair, for any number of threads.

    Attributes:
        layout: where it is.
        writer: what runs its transactions.
        pool: its connections.
        group: the writes of this process that are under way.
    """

    def __init__(self, settings: Settings):
        self.layout = settings.layout
        self._settings = settings
        self.writer = Writer(self.layout, settings.journal)
        self.pool = Pool(settings)
        self._protection = Protection(settings)
        self._guard = threading.Lock()
        self._locks: list[tuple[int, fairlock.FairLock]] = []
        self.group = GroupCommit()
        # A sync of the log failed: nothing may be written before the log is empty.
        self._log_failed = False

    @contextlib.contextmanager
    def read(self, doing: str) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction: what it shows is of one moment.

        Raises:
            NeedsRestore: there is no database.
        """
        with connect.errors(doing), _Borrowed(self, doing) as conn:
            conn.execute("BEGIN")
            yield conn
            conn.execute("COMMIT")

    def write(self, doing: str, work: Callable[[apsw.Connection], T]) -> T:
        """Run ``work`` in a durable transaction and return its result.

        Threads that write at the same time share one. So it may run in another thread, the
        one that waited for the writer lock, and twice, where one of them fails: then each
        is run again in a transaction of its own.

        Raises:
            NeedsRestore, Locked, Refused, Damaged, StorageError: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        if self.group.of != os.getpid():
            self.group = GroupCommit()
        with connect.errors(doing):
            return self.group.write(self, doing, work)

    def commit(self, doing: str, work: Callable) -> tuple[Handle, Written]:
        """Run a work in a transaction and commit it, to be settled; needs the writer lock."""
        entry = self.pool.checkout(doing)
        log_there, log_failed = entry.look()
        if not log_there:
            self.leave_removed_log(entry, doing)
            entry = self.pool.checkout(doing)
            _, log_failed = entry.look()
        try:
            return entry, self._run(entry, doing, work, log_failed)
        except BaseException:
            entry.close()
            raise

    def settle(self, doing: str, committed: tuple[Handle, Written]) -> None:
        """Make what was committed durable on both volumes; does not need the writer lock.

        Raises:
            OutcomeUnknown: a disk failed.
        """
        entry, written = committed
        try:
            self._make_durable(entry, doing, written)
        except BaseException:
            entry.close()
            raise
        self.pool.give_back(entry)

    def full(self) -> bool:
        """Whether the transaction under way has changed enough for one."""
        return self.writer.changed_bytes() >= changes.ENOUGH

    def _run(self, entry: Handle, doing: str, work: Callable, log_failed: bool) -> Written:
        try:
            space.reserve_write(self.layout)
            log = entry.open_log()
            known = entry.acknowledged(create=self._settings.journal == "off").last()
        except OSError as error:
            raise from_os_error(doing, error) from error
        if self._log_failed or log_failed:
            reason = log.empty(entry.conn)
            if reason:
                raise StorageError(
                    doing,
                    f"a sync of the database's log failed, and it cannot be emptied ({reason})",
                    "try again in a moment; check the data volume",
                )
            self._log_failed = False
        return self.writer.run(
            entry.conn, doing, work, lambda: self._sync_before_sealing(log), known
        )

    def _sync_before_sealing(self, log: durability.Log) -> None:
        """Sync the log while a transaction is under way, which ends if that fails."""
        try:
            log.sync()
        except OSError as error:
            self._note_failure(log)
            raise Refused(
                "syncing the database's log", error.strerror or str(error), "try again in a moment"
            ) from error

    def _note_failure(self, log: durability.Log) -> None:
        self._log_failed = True
        log.note_failure()

    def _make_durable(self, entry: Handle, doing: str, written: Written) -> None:
        """Wait for both disks; where one fails, see to it that the next write is safe."""
        record, log = written.record, entry.open_log()
        segment = entry.segment(record.file) if record else None
        failed_journal, failed_log = durability.sync(segment, log, entry.begin)
        if failed_log:
            self._note_failure(log)
        elif written.alone:
            self._note_alone(entry, written.alone)
        if failed_journal:
            self.writer.doubt()
        elif record:
            self.writer.note_durable(record)
        if failed_journal or failed_log:
            self._repair(entry, doing, record, failed_journal, failed_log)

    def _note_alone(self, entry: Handle, number: int) -> None:
        try:
            entry.acknowledged(create=True).note(number)
        except OSError as error:
            # The row is where it should be; only its loss would go unseen.
            logger.warning("what is acknowledged cannot be noted: %s", error)

    def leave_removed_log(self, entry: Handle, doing: str) -> None:
        """Leave a log whose name was removed, once what it holds is brought in.

        Needs the writer lock.

        Raises:
            StorageError: it cannot be brought in now; the connection is kept for it.
        """
        try:
            alone = entry.checkpoint_removed_log(doing)
        except StorageError:
            self.pool.give_back(entry)
            raise
        entry.close(checkpoint=alone)
        self.pool.close_idle(checkpoint=alone)

    def _repair(self, entry: Handle, doing: str, record, failed_journal, failed_log) -> None:
        def repair() -> str | None:
            if failed_journal:
                self.writer.repair(doing, record, failed_journal)
            reason = entry.open_log().empty(entry.conn) if failed_log else None
            self._log_failed = bool(reason) or (self._log_failed and not failed_log)
            return reason

        try:
            reason = self.locked(doing, repair)
        except (Refused, OSError) as error:
            raise _unknown(doing, f"a disk failed, and then: {error}") from error
        if reason:
            said = f"the database's log cannot be synced ({failed_log}), nor emptied ({reason})"
            raise _unknown(doing, f"{said}; the row may not outlive a crash") from failed_log

    def unprotected(self, known: Points | None = None) -> Lack | None:
        """Why the database is not what points and journal lead to; None if it is.

        Args:
            known: the points that there are, where the caller has listed them.

        Raises:
            PraError: the database cannot be read.
        """
        return self._protection.lacking(self.read, known)

    def locked(self, doing: str, act: Callable[[], T], seconds: float | None = None) -> T:
        """Act while holding the writer lock, or without it where that is allowed.

        Where the journal may fail, so may the volume with the lock: SQLite's
        own then has to do, and no restore can run without that volume anyway.
        What fails in this process alone, as for want of a file descriptor, is no such
        thing: a restore may hold the lock meanwhile.

        Args:
            seconds: how long to wait for it; ``locks.WRITE_WAIT`` by default.
        """
        with self._guard:
            pid, lock = self._locks.pop() if self._locks else (None, None)
        if pid != os.getpid():
            lock = locks.writer_lock(self.layout)
        begun = []

        def acting() -> T:
            begun.append(True)
            return act()

        try:
            return lock.run(doing, acting, locks.WRITE_WAIT if seconds is None else seconds)
        except (VolumeGone, OSError) as error:
            failed = isinstance(error, VolumeGone) or error.errno in _VOLUME_FAILED
            if begun or not failed or self._settings.journal == "required":
                raise
            return act()
        finally:
            # Also where its wait ran out: its place in the queue is for the next one.
            self._locks.append((os.getpid(), lock))


def _unknown(doing: str, happened: str) -> OutcomeUnknown:
    return OutcomeUnknown(doing, happened, "look before trying again: GET /consultation")


class _Borrowed:
    """A connection for the length of a ``with``."""

    def __init__(self, database: Database, doing: str):
        self._database, self._doing = database, doing

    def __enter__(self) -> apsw.Connection:
        database, doing = self._database, self._doing
        self._entry = database.pool.checkout(doing)
        if not self._entry.look()[0]:
            database.locked(doing, lambda: database.leave_removed_log(self._entry, doing))
            self._entry = database.pool.checkout(doing)
        return self._entry.conn

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._database.pool.give_back(self._entry)
        else:
            self._entry.close()
