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

import apsw

from pra.base import clock
from pra.base.errors import Damaged, OutcomeUnknown, StorageError, from_os_error
from pra.base.layout import Layout
from pra.data import changes, tables
from pra.journal import acknowledged, records, replay
from pra.journal.comparison import TABLES_CHANGED, Mismatch
from pra.journal.writer import Appended, Journal
from pra.lineage import marks
from pra.sql import counting, schema
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
        self._marks = marks.Seen()
        self._tables = tables.Known(restricted=mode != "off")
        self.unprotected: str | None = None
        self.moment_ms = 0
        # Of the transaction under way: the tables that are watched, and what watches them.
        self._watched: list[str] = []
        self._session: apsw.Session | None = None

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
        self.moment_ms = clock.record_ms(doing)
        if protected:
            return self._journaled(conn, doing, work, sync)
        unwatched = counting.Unwatched(conn)
        result = work(conn)
        schema.advance_unjournaled(conn, here.seq + 1, unwatched.difference())
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
        lineage = here.lineage if here else ""
        fits = self._marks.lineage_of(self._where.data) == lineage
        if fits and self._mode == "required":
            fits = self._marks.lineage_of(self._where.backup) == lineage
        if here is None or not fits:
            raise identity.NoPair(doing, self._where)
        return here

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
            self._tables.of(conn)
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

    def _refuse_schema(self, conn: apsw.Connection, here: Position) -> None:
        """Refuse what the journal cannot follow."""
        known = self._tables.of(conn)
        if known.unfit:
            raise Damaged("journaling a transaction", *known.unfit)
        if known.hash != here.schema:
            raise Mismatch(TABLES_CHANGED, behind=False)
        self._watched = known.names

    def changed_bytes(self) -> int:
        """Size of what the transaction under way has changed so far; 0 where nobody watches it."""
        return self._session.changeset_size if self._session else 0

    def _journaled(self, conn: apsw.Connection, doing: str, work: Work, sync: Callable) -> Written:
        session = self._session = changes.session(conn, self._watched)
        try:
            result = work(conn)
            if session.is_empty:
                _commit(conn, doing)
                # What it found may be on its way to the disks, and is answered once it is there.
                return Written(result, self._journal.last())
            changeset = changes.bounded_changeset(session, doing)
        finally:
            self._session = None
            session.close()
        seq, rows = self._journal.next_seq, counting.difference(changeset)
        try:
            payload = records.payload_of(schema.sequences(conn), changeset)
            digest = self._journal.prepare(payload, self.moment_ms, sync)
            schema.advance(conn, seq, digest.hex(), self._journal.durable, rows)
            record = self._journal.append()
        except _JOURNAL_FAILS as error:
            self._go_on_without(doing, error)
            schema.advance_unjournaled(conn, seq, rows)
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
