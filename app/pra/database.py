"""Connections and transactions of the running application.

A connection belongs to the process that opened it (none crosses a fork) and to
the file that it opened: before each use the path is compared with it, so a
restore is noticed by the next request and no old file is written to.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import apsw

from pra import beside, fileops, followed, locks, room, schema, segments, settling, sqlite, volumes
from pra.errors import (
    OutcomeUnknown,
    PraError,
    Refused,
    StorageError,
    VolumeGone,
    from_os_error,
)
from pra.journal import Journal
from pra.settings import Settings
from pra.writing import Writer, Written

T = TypeVar("T")
#: How often a path may change under an opening before it is called a failure.
_OPEN_TRIES = 5


class Database:
    """The current database of a volume pair, for any number of threads."""

    def __init__(self, settings: Settings):
        self.layout = settings.layout
        self._settings = settings
        self.writer = Writer(self.layout, settings.journal)
        self._watch, self._watching = Journal(self.layout), threading.Lock()
        self._guard = threading.Lock()
        self._idle: list[_Handle] = []
        self._turns: list[tuple[int, locks.Turn]] = []
        # A sync of the log failed: nothing may be written before the log is empty.
        self._log_failed = False

    @contextlib.contextmanager
    def read(self, doing: str) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction: what it shows is of one moment.

        Raises:
            NeedsRestore: there is no database.
        """
        with sqlite.errors(doing), _Borrowed(self, doing) as conn:
            conn.execute("BEGIN")
            yield conn
            conn.execute("COMMIT")

    def write(self, doing: str, work: Callable[[apsw.Connection], T]) -> T:
        """Run ``work`` in one durable transaction and return its result.

        It may run in another thread, the one that waited for the turn.

        Raises:
            NeedsRestore, Locked, Refused, Damaged, StorageError: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        with sqlite.errors(doing):
            entry, written = self._in_turn(doing, lambda: self._commit(doing, work))
            try:
                self._settle(entry, doing, written)
            except BaseException:
                entry.close()
                raise
        self.give_back(entry)
        return written.result

    def _commit(self, doing: str, work: Callable) -> tuple["_Handle", Written]:
        entry = self.checkout(doing)
        try:
            return entry, self._run(entry, doing, work)
        except BaseException:
            entry.close()
            raise

    def _run(self, entry: "_Handle", doing: str, work: Callable) -> Written:
        try:
            room.reserve_write(self.layout)
            log = entry.open_log()
        except OSError as error:
            raise from_os_error(doing, error) from error
        if self._log_failed or log.failed:
            reason = log.empty(entry.conn)
            if reason:
                raise StorageError(
                    doing,
                    f"a sync of the database's log failed, and it cannot be emptied ({reason})",
                    "try again in a moment; check the data volume",
                )
            self._log_failed = False
        return self.writer.run(entry.conn, doing, work, lambda: self._sync_before_sealing(log))

    def _sync_before_sealing(self, log: settling.Log) -> None:
        """Sync the log while a transaction is under way, which ends if that fails."""
        try:
            log.sync()
        except OSError as error:
            self._note_failure(log)
            raise Refused(
                "syncing the database's log", error.strerror or str(error), "try again in a moment"
            ) from error

    def _note_failure(self, log: settling.Log) -> None:
        self._log_failed = True
        log.note_failure()

    def _settle(self, entry: "_Handle", doing: str, written: Written) -> None:
        """Wait for both disks; where one fails, see to it that the next write is safe."""
        record, log = written.record, entry.open_log()
        segment = entry.segment(record.file) if record else None
        failed_journal, failed_log = settling.sync(segment, log, entry.companion)
        if failed_log:
            self._note_failure(log)
        if failed_journal:
            self.writer.doubt()
        elif record:
            self.writer.note_durable(record)
        if failed_journal or failed_log:
            self._mend(entry, doing, record, failed_journal, failed_log)

    def _mend(self, entry: "_Handle", doing: str, record, failed_journal, failed_log) -> None:
        def repair() -> str | None:
            if failed_journal:
                self.writer.repair(doing, record, failed_journal)
            reason = entry.open_log().empty(entry.conn) if failed_log else None
            self._log_failed = bool(reason) or (self._log_failed and not failed_log)
            return reason

        try:
            reason = self._in_turn(doing, repair)
        except (Refused, OSError) as error:
            raise _unknown(doing, f"a disk failed, and then: {error}") from error
        if reason:
            said = f"the database's log cannot be synced ({failed_log}), nor emptied ({reason})"
            raise _unknown(doing, f"{said}; the row may not outlive a crash") from failed_log

    def unprotected(self) -> str | None:
        """Why what is there is not what the points and the journal lead to; None if it is.

        Looks without a lock, so a difference counts only if nothing was
        written while it was found.
        """
        if volumes.current(self.layout) is None:
            return None
        with self.read("looking at the protection") as conn:
            if not schema.guarded(conn):
                return schema.UNGUARDED
        if self._settings.journal == "off":
            return None
        with self._watching:
            before = self._place()
            try:
                self._watch.inspect(before)
            except (PraError, OSError) as error:
                self._watch.close()
                return str(error) if self._place() == before else None
        return None

    def _place(self) -> schema.Position:
        with self.read("looking at the protection") as conn:
            return schema.position(conn)

    def _in_turn(self, doing: str, act: Callable[[], T]) -> T:
        """Act while holding the writer lock, or without it where that is allowed.

        Where the journal may fail, so may the volume with the lock: SQLite's
        own then has to do, and no restore can run without that volume anyway.
        """
        with self._guard:
            pid, turn = self._turns.pop() if self._turns else (None, None)
        if pid != os.getpid():
            turn = locks.writing(self.layout)
        begun = []

        def acting() -> T:
            begun.append(True)
            return act()

        try:
            return turn.run(doing, acting, locks.WRITE_WAIT)
        except (VolumeGone, OSError):
            if begun or self._settings.journal == "required":
                raise
            return act()
        finally:
            # Also where its wait ran out: it keeps its place in line for the next one.
            self._turns.append((os.getpid(), turn))

    def checkout(self, doing: str) -> "_Handle":
        """A connection to the current database, for one thread."""
        identity = fileops.identity(self.layout.link)
        if identity is None:
            self._drop_idle()
            raise volumes.missing(self.layout, doing)
        mine = os.getpid(), identity
        with self._guard:
            stale = [entry for entry in self._idle if entry.of != mine]
            self._idle = [entry for entry in self._idle if entry.of == mine]
            found = self._idle.pop() if self._idle else None
        for entry in stale:
            entry.close()
        return found or self._open(doing)

    def give_back(self, entry: "_Handle") -> None:
        """Keep a connection, with no transaction open, for the next use."""
        with self._guard:
            self._idle.append(entry)

    def _open(self, doing: str) -> "_Handle":
        for _ in range(_OPEN_TRIES):
            number = volumes.current(self.layout)
            if number is None:
                raise volumes.missing(self.layout, doing)
            path = f"{self.layout.generation(number)}/app.db"
            before = fileops.identity(path)
            if before is None:
                continue
            conn = sqlite.open_live(path, synced=False)
            if self._settings.journal != "off":
                followed.restrict(conn)
            # Generation numbers are never used twice: the same identity before
            # and after means that this is the file which was opened.
            if before == fileops.identity(self.layout.link):
                return _Handle((os.getpid(), before), path, conn)
            conn.close()
        raise Refused(
            doing,
            f"the link {self.layout.link} leads to no database",
            "restore it: python -m pra restore latest",
        )

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for entry in idle:
            entry.close()


def _unknown(doing: str, happened: str) -> OutcomeUnknown:
    return OutcomeUnknown(doing, happened, "look before trying again: GET /consultation")


class _Handle:
    """A connection, and what its writes need beside it.

    Attributes:
        of: the process that opened it, and the identity of the file that it opened.
        conn: the connection.
        companion: syncs one file while another is synced.
    """

    def __init__(self, of: tuple[int, tuple[int, int]], path: str, conn: apsw.Connection):
        self.of, self.conn, self._path = of, conn, path
        self.companion = beside.Companion()
        self._log: settling.Log | None = None
        self._segment: tuple[segments.Open, segments.Open] | None = None

    def segment(self, shared: segments.Open) -> segments.Open:
        """An opening of its own of a segment that the threads of a process write through."""
        if self._segment is None or self._segment[0] is not shared:
            self._segment = shared, shared.opened_again()
        return self._segment[1]

    def open_log(self) -> settling.Log:
        """The database's log, open: what follows does not depend on its name.

        Raises:
            StorageError, OSError: it cannot be opened.
        """
        if self._log is None:
            sqlite.use_log(self.conn)
            self._log = settling.Log(self._path)
        return self._log

    def close(self) -> None:
        """Close it; whatever state a transaction is in, that rolls it back."""
        self._log = self._segment = None
        self.conn.close(True)


class _Borrowed:
    """A connection for the length of a ``with``."""

    def __init__(self, database: Database, doing: str):
        self._database, self._doing = database, doing

    def __enter__(self) -> apsw.Connection:
        self._entry = self._database.checkout(self._doing)
        return self._entry.conn

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._database.give_back(self._entry)
        else:
            self._entry.close()
