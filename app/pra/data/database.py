"""Connections and transactions of the running application.

A connection belongs to the process that opened it (none crosses a fork) and to
the file that it opened: before each use the path is compared with it, so a
restore is noticed by the next request and no old file is written to.
"""

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import apsw

from pra.base.errors import (
    Damaged,
    OutcomeUnknown,
    PraError,
    Refused,
    StorageError,
    VolumeGone,
    from_os_error,
)
from pra.base.settings import Settings
from pra.data.connection import Handle, first_look
from pra.data.transaction import Writer, Written
from pra.disk import locks, look, space, turns
from pra.journal import durability, supported, unjournaled
from pra.journal.records import Record
from pra.journal.unjournaled import Witness
from pra.journal.writer import TABLES_CHANGED, Journal, Mismatch
from pra.lineage import in_use, marks
from pra.sql import connect, guards, schema
from pra.state import admission, identity, volumes

logger = logging.getLogger("pra")
T = TypeVar("T")
_LOOKING = "looking at the protection"
#: What the system says of a volume that is gone, broken or set read-only by it.
_VOLUME_FAILED = (errno.EIO, errno.ENODEV, errno.ENOENT, errno.EROFS)
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
        self._use = in_use.Use(self.layout)
        self._idle: list[Handle] = []
        self._turns: list[tuple[int, turns.Turn]] = []
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
        """Run ``work`` in one durable transaction and return its result.

        It may run in another thread, the one that waited for the turn.

        Raises:
            NeedsRestore, Locked, Refused, Damaged, StorageError: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        with connect.errors(doing):
            entry, written = self.in_turn(doing, lambda: self._commit(doing, work))
            try:
                self._settle(entry, doing, written)
            except BaseException:
                entry.close()
                raise
        self.give_back(entry)
        return written.result

    def _commit(self, doing: str, work: Callable) -> tuple[Handle, Written]:
        entry = self.checkout(doing)
        if not entry.log_name.holds():
            self.rescue(entry, doing)
            entry = self.checkout(doing)
        try:
            return entry, self._run(entry, doing, work)
        except BaseException:
            entry.close()
            raise

    def _run(self, entry: Handle, doing: str, work: Callable) -> Written:
        try:
            space.reserve_write(self.layout)
            log = entry.open_log()
            known = entry.witness(create=self._settings.journal == "off").last()
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

    def _settle(self, entry: Handle, doing: str, written: Written) -> None:
        """Wait for both disks; where one fails, see to it that the next write is safe."""
        record, log = written.record, entry.open_log()
        segment = entry.segment(record.file) if record else None
        failed_journal, failed_log = durability.sync(segment, log, entry.companion)
        if failed_log:
            self._note_failure(log)
        elif written.alone:
            self._note_alone(entry, written.alone)
        if failed_journal:
            self.writer.doubt()
        elif record:
            self.writer.note_durable(record)
        if failed_journal or failed_log:
            self._mend(entry, doing, record, failed_journal, failed_log)

    def _note_alone(self, entry: Handle, number: int) -> None:
        try:
            entry.witness(create=True).note(number)
        except OSError as error:
            # The row is where it should be; only its loss would go unseen.
            logger.warning("what is acknowledged cannot be noted: %s", error)

    def rescue(self, entry: Handle, doing: str) -> None:
        """Leave a log whose name was removed, once what it holds is brought in.

        Needs the writer lock.

        Raises:
            StorageError: it cannot be brought in now; the connection is kept for it.
        """
        try:
            alone = entry.bring_in_log(doing)
        except StorageError:
            self.give_back(entry)
            raise
        entry.close(bring_in=alone)
        self._drop_idle(bring_in=alone)

    def _mend(self, entry: Handle, doing: str, record, failed_journal, failed_log) -> None:
        def repair() -> str | None:
            if failed_journal:
                self.writer.repair(doing, record, failed_journal)
            reason = entry.open_log().empty(entry.conn) if failed_log else None
            self._log_failed = bool(reason) or (self._log_failed and not failed_log)
            return reason

        try:
            reason = self.in_turn(doing, repair)
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
        number = volumes.current(self.layout)
        if number is None:
            return None
        acknowledged = Witness(f"{self.layout.generation(number)}/app.db").last()
        with self.read(_LOOKING) as conn:
            if not guards.guarded(conn):
                return guards.UNGUARDED
            here = schema.position(conn)
            unfollowed = self._unfollowed(conn, here)
        lacking = unjournaled.missing(here.seq, acknowledged) if here else None
        try:
            if here:
                self._refuse_other_history(here)
        except (PraError, OSError) as error:
            return str(error) if self._place() == here else None
        return lacking or unfollowed or self._difference()

    def _unfollowed(self, conn: apsw.Connection, here: schema.Position | None) -> str | None:
        """What the journal cannot follow; None if it can all, and without one."""
        if self._settings.journal == "off":
            return None
        unfit = supported.fault(conn)
        if unfit:
            return unfit.happened
        changed = here is not None and schema.schema_hash(conn) != here.schema
        return TABLES_CHANGED if changed else None

    def _refuse_other_history(self, here: schema.Position) -> None:
        """Refuse, as a write does, a database that is not the live one of these volumes."""
        identity.refuse_unknown(self.layout, _LOOKING)
        identity.refuse_elsewhere(self.layout, _LOOKING, here)
        if marks.lineage_of(self.layout.data) != here.lineage:
            raise identity.NoPair(_LOOKING, self.layout)
        if self._settings.journal == "required":
            locks.refuse_gone(self.layout, _LOOKING)

    def _difference(self) -> str | None:
        """Why the journal and the points do not lead to the database; None if they do."""
        with self._watching:
            before = self._place()
            if before is None:
                return str(identity.NoPair(_LOOKING, self.layout))
            try:
                numbers = [before.seq, *(record.seq for record in self._lacking(before))]
                admission.refuse_behind(self.layout, _LOOKING, before._replace(seq=numbers[-1]))
            except (PraError, OSError) as error:
                self._watch.close()
                return str(error) if self._place() == before else None
        return None

    def _lacking(self, here: schema.Position) -> list[Record]:
        """What the next write brings in first; without a journal its state is no concern.

        Raises:
            Mismatch: the database is older than its journal.
            PraError, OSError: they do not fit in another way.
        """
        try:
            return self._watch.inspect(here)
        except (Damaged, Mismatch, OSError) as error:
            behind = isinstance(error, Mismatch) and error.behind
            if behind or self._settings.journal != "off":
                raise
            self._watch.close()
            return []

    def _place(self) -> schema.Position:
        with self.read(_LOOKING) as conn:
            return schema.position(conn)

    def in_turn(self, doing: str, act: Callable[[], T]) -> T:
        """Act while holding the writer lock, or without it where that is allowed.

        Where the journal may fail, so may the volume with the lock: SQLite's
        own then has to do, and no restore can run without that volume anyway.
        What fails in this process alone, as for want of a file descriptor, is no such
        thing: a restore may hold the lock meanwhile.
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
        except (VolumeGone, OSError) as error:
            failed = isinstance(error, VolumeGone) or error.errno in _VOLUME_FAILED
            if begun or not failed or self._settings.journal == "required":
                raise
            return act()
        finally:
            # Also where its wait ran out: it keeps its place in line for the next one.
            self._turns.append((os.getpid(), turn))

    def checkout(self, doing: str) -> Handle:
        """A connection to the current database, for one thread."""
        identity = look.identity(self.layout.link)
        if identity is None:
            self.let_go()
            raise volumes.missing(self.layout, doing)
        mine = os.getpid(), identity
        with self._guard:
            stale = [entry for entry in self._idle if entry.of != mine]
            self._idle = [entry for entry in self._idle if entry.of == mine]
            found = self._idle.pop() if self._idle else None
        for entry in stale:
            entry.close()
        return found or self._open(doing)

    def give_back(self, entry: Handle) -> None:
        """Keep a connection, with no transaction open, for the next use."""
        with self._guard:
            self._idle.append(entry)

    def _open(self, doing: str) -> Handle:
        for _ in range(_OPEN_TRIES):
            number = volumes.current(self.layout)
            if number is None:
                raise volumes.missing(self.layout, doing)
            path = f"{self.layout.generation(number)}/app.db"
            before = look.identity(path)
            if before is None:
                continue
            with self._guard:
                self._use.hold()
            conn = connect.open_live(path, synced=False)
            first_look(doing, path, conn)
            if self._settings.journal != "off":
                supported.restrict(conn)
            # Generation numbers are never used twice: the same identity before
            # and after means that this is the file which was opened.
            if before == look.identity(self.layout.link):
                return Handle((os.getpid(), before), path, conn)
            conn.close()
        raise Refused(
            doing,
            f"the link {self.layout.link} leads to no database",
            "restore it: python -m pra restore latest",
        )

    def let_go(self) -> None:
        """Close what is open of a database that is gone, and no longer say that it is served."""
        self._drop_idle()
        with self._guard:
            self._use.let_go()

    def _drop_idle(self, bring_in: bool = True) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for entry in idle:
            entry.close(bring_in)


def _unknown(doing: str, happened: str) -> OutcomeUnknown:
    return OutcomeUnknown(doing, happened, "look before trying again: GET /consultation")


class _Borrowed:
    """A connection for the length of a ``with``."""

    def __init__(self, database: Database, doing: str):
        self._database, self._doing = database, doing

    def __enter__(self) -> apsw.Connection:
        database, doing = self._database, self._doing
        self._entry = database.checkout(doing)
        if not self._entry.log_name.holds():
            database.in_turn(doing, lambda: database.rescue(self._entry, doing))
            self._entry = database.checkout(doing)
        return self._entry.conn

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._database.give_back(self._entry)
        else:
            self._entry.close()
