"""One transaction: journaled, committed, and then made durable on both volumes.

The order is what keeps the promise: begin, compare database and journal, do
the work while a session watches, append what it saw, COMMIT. All of that is done under
the writer lock, and seldom waits for a disk. A crash before the COMMIT leaves a record
that the database lacks, and the next writer applies it before it writes anything.
Both files are synced when the lock is free again, so that many writers share the
disks' time; only then is the write acknowledged.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakKeyDictionary

import apsw

from pra.base import clock
from pra.base.errors import Damaged, OutcomeUnknown, StorageError, from_os_error
from pra.base.layout import Layout
from pra.data import changes
from pra.disk import look
from pra.journal import acknowledged, records, replay, supported
from pra.journal.comparison import TABLES_CHANGED, Mismatch
from pra.journal.writer import Appended, Journal
from pra.lineage import marks
from pra.sql import guards, schema
from pra.sql.schema import Position
from pra.state import admission, identity

#: What is done in a transaction.
Work = Callable[[apsw.Connection], object]
log = logging.getLogger("pra")
#: What a step of the journal can fail with.
_JOURNAL_FAILS = OSError, StorageError, Damaged, Mismatch


class Written(NamedTuple):
    """A committed transaction that is not durable yet.

    Attributes:
        result: what its work returned.
        record: its record in the journal; None if it has none.
        alone: the number of a transaction that only the database has; None otherwise.
    """

    result: object
    record: Appended | None
    alone: int | None = None


class Writer:
    """Runs transactions by the rules of the journal's mode.

    Attributes:
        unprotected: why the last write was not journaled; None if it was.
        moment_ms: when the transaction under way began, in milliseconds since 1970; it
            is read under the writer lock, so times follow the order of the numbers
            unless the clock itself steps.
    """

    def __init__(self, where: Layout, mode: str):
        self._where = where
        self._mode = mode
        self._journal = Journal(where)
        self._gate = admission.Gate(where)
        self._marks: dict[str, tuple[tuple, marks.Mark]] = {}
        self._schemas: WeakKeyDictionary = WeakKeyDictionary()
        self.unprotected: str | None = None
        self.moment_ms = 0

    def run(
        self,
        conn: apsw.Connection,
        doing: str,
        work: Work,
        sync: Callable,
        last_unjournaled: int = 0,
    ) -> Written:
        """Run ``work`` in a transaction and commit it; needs the writer lock.

        Args:
            last_unjournaled: the last acknowledged number that only the database had, as far
                as is known; 0 if none.
            sync: makes the database durable as it is; ends the transaction where it cannot.

        Raises:
            Refused, Damaged, StorageError, apsw.Error: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        conn.execute("BEGIN IMMEDIATE")
        here = self._position(conn, doing)
        acknowledged.refuse_missing(doing, here.seq, last_unjournaled)
        anew = self._enter(conn, here, doing)
        protected = self._begin(conn, here, doing, anew)
        if anew:
            self._gate.confirm(conn, doing)
            here = schema.position(conn)
        self.moment_ms = clock.now_ms()
        if protected:
            return self._journaled(conn, doing, work, sync)
        result = work(conn)
        schema.advance_unjournaled(conn, here.seq + 1)
        _commit(conn, doing)
        return Written(result, None, alone=here.seq + 1)

    def doubt(self) -> None:
        """A sync of the journal failed: go on only once all that is there was written again."""
        self._journal.doubt()

    def note_durable(self, record: Appended) -> None:
        """A record was synced, and with it all before."""
        self._journal.note_durable(record)

    def repair(self, doing: str, record: Appended, cause: OSError) -> None:
        """Write the journal's records once more after a sync failed; needs the writer lock.

        Raises:
            OutcomeUnknown: the row is in the database, and its record may not be on the disk.
        """
        try:
            record.file.write_again(record.end)
        except OSError:
            if self._mode != "required":
                self._go_on_without(doing, cause)
                return
            failure = from_os_error(doing, cause)
            raise OutcomeUnknown(
                doing,
                f"the journal failed ({failure.happened}) while the row went to the database",
                "look before trying again: GET /consultation",
            ) from cause

    def _position(self, conn: apsw.Connection, doing: str) -> Position:
        here = schema.position(conn)
        volumes_of = self._where.data, self._where.backup
        marked = volumes_of if self._mode == "required" else volumes_of[:1]
        if here is None or any(self._lineage(volume) != here.lineage for volume in marked):
            raise identity.NoPair(doing, self._where)
        return here

    def _lineage(self, directory: str) -> str | None:
        """The lineage in a volume's mark, read again only when the file is another."""
        signature = look.signature(f"{directory}/.pra/volume.json")
        known = self._marks.get(directory)
        if known is None or known[0] != signature:
            mark = marks.mark_of(directory)
            known = self._marks[directory] = signature, mark
        return known[1].lineage if known[1] else None

    def _enter(self, conn: apsw.Connection, here: Position, doing: str) -> bool:
        """Refuse a database that is not the live one; whether that was looked at anew."""
        try:
            return self._gate.admit(conn, here, doing)
        except OSError:
            if self._mode == "required":
                raise
            return False

    def _begin(self, conn: apsw.Connection, here: Position, doing: str, anew: bool) -> bool:
        """Bring database and journal to the same place; whether the write can be journaled."""
        if self._mode == "off":
            self._guarded_tables(conn)
            if anew:
                self._catch_up(conn, here)
            return False
        try:
            self._refuse_schema(conn, here)
            missing = self._journal.continue_from(here)
            if missing:
                conn.execute("ROLLBACK")
                replay.roll_forward(conn, here, missing)
                conn.execute("BEGIN IMMEDIATE")
        except _JOURNAL_FAILS as error:
            self._go_on_without(doing, error)
            return False
        self._goes_on_with()
        return True

    def _catch_up(self, conn: apsw.Connection, here: Position) -> None:
        """Leave a journal that is not to be written exactly where it ends, and not before.

        Raises:
            Mismatch: the database lacks more than a crash explains.
        """
        try:
            missing = self._journal.inspect(here)
            if missing:
                conn.execute("ROLLBACK")
                replay.roll_forward(conn, here, missing)
                conn.execute("BEGIN IMMEDIATE")
        except Mismatch as mismatch:
            if mismatch.behind:
                raise
        except (Damaged, OSError):
            # Whatever it holds, it is not of later transactions: that is a Mismatch.
            pass
        finally:
            self._journal.close()

    def _guarded_tables(self, conn: apsw.Connection) -> "changes.Tables":
        """What there is, looked at anew when any definition changed.

        Raises:
            Damaged: others may have changed rows.
        """
        version = schema.version(conn)
        known = self._schemas.get(conn)
        if known is None or known.version != version:
            known = self._schemas[conn] = changes.Tables(
                version,
                guards.guarded(conn),
                schema.schema_hash(conn),
                schema.tables(conn),
                supported.fault(conn),
            )
        if not known.guarded:
            raise Damaged(
                "writing to the database",
                guards.UNGUARDED,
                "python -m pra restore latest --plan says what differs; python -m pra restore"
                " latest undoes it, python -m pra backup --accept keeps it",
            )
        return known

    def _refuse_schema(self, conn: apsw.Connection, here: Position) -> None:
        """Refuse what the journal cannot follow."""
        known = self._guarded_tables(conn)
        if known.unfit:
            raise Damaged("journaling a transaction", *known.unfit)
        if known.hash != here.schema:
            raise Mismatch(TABLES_CHANGED, behind=False)

    def _journaled(self, conn: apsw.Connection, doing: str, work: Work, sync: Callable) -> Written:
        session = changes.session(conn, self._schemas[conn].tables)
        try:
            result = work(conn)
            if session.is_empty:
                _commit(conn, doing)
                return Written(result, None)
            changeset = changes.bounded_changeset(session, doing)
        finally:
            session.close()
        seq = self._journal.next_seq
        try:
            payload = records.payload_of(schema.sequences(conn), changeset)
            digest = self._journal.prepare(payload, self.moment_ms, sync)
            schema.advance(conn, seq, digest.hex(), self._journal.durable)
            record = self._journal.append()
        except _JOURNAL_FAILS as error:
            self._go_on_without(doing, error)
            schema.advance_unjournaled(conn, seq)
            _commit(conn, doing)
            return Written(result, None, alone=seq)
        self._commit_appended(conn, doing, seq)
        return Written(result, record)

    def _commit_appended(self, conn: apsw.Connection, doing: str, seq: int) -> None:
        try:
            _commit(conn, doing)
        except apsw.Error:
            # Not committed, for sure: an I/O error is an OutcomeUnknown, and
            # never gets an abort, since its row can come back after a crash.
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            self._journal.abort(seq)
            raise

    def _go_on_without(self, doing: str, error: Exception) -> None:
        """What follows where a step of the journal failed: best-effort goes on, loudly.

        Raises:
            PraError: the write must not go on.
        """
        self._journal.close()
        failure = from_os_error(doing, error) if isinstance(error, OSError) else error
        behind = isinstance(error, Mismatch) and error.behind
        if self._mode == "required" or behind:
            raise failure from error
        if self.unprotected is None:
            log.error("writes are NOT journaled: %s; next: %s", failure, failure.next_step)
        self.unprotected = str(failure)

    def _goes_on_with(self) -> None:
        if self.unprotected:
            log.warning("writes are journaled again")
        self.unprotected = None


def _commit(conn: apsw.Connection, doing: str) -> None:
    try:
        conn.execute("COMMIT")
    except apsw.IOError as error:
        raise OutcomeUnknown(
            doing,
            f"the COMMIT failed ({error}); the row may or may not exist",
            "look before trying again: GET /consultation",
        ) from error
