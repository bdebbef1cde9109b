"""Applying the journal's transactions: to a database that nobody else uses, or the last few."""

import contextlib
from collections.abc import Iterable, Iterator

import apsw

from pra.base.errors import Damaged, PraError, Refused
from pra.journal import records
from pra.journal.chain import Run
from pra.journal.history import Start
from pra.journal.records import Place, Record
from pra.sql import counting, keys, schema
from pra.sql.schema import Position

_DOING = "replaying the journal"
#: One application covers a little more than so many bytes: memory stays bounded.
BATCH_BYTES = 3 << 20


class Misfit(Damaged):
    """The transactions do not fit the rows that are there."""


class Replay:
    """Transactions on their way into a database.

    Attributes:
        reached: where the database stands.
        count: transactions applied.
        time_ms: when the last of them was written, since 1970; None where there is none.
    """

    def __init__(self, conn: apsw.Connection, reached: Start):
        self.conn, self.reached, self.count = conn, reached, 0
        self.time_ms: int | None = None

    def run(self, runs: Iterable[Run]) -> None:
        """Apply every transaction, combined in batches.

        Raises:
            Misfit: one does not fit the database.
            PraError: what the iteration raises; the runs before it are applied.
        """
        for batch in _batches(runs):
            self._refuse_other_schema(batch)
            self._apply(batch)

    def _refuse_other_schema(self, batch: "_Batch") -> None:
        """Applying to other tables reports success and drops rows.

        One difference is made good: no transaction tells of the table of keys, which a
        database of an earlier version was given, empty, on the way.
        """
        if schema.schema_hash(self.conn) == batch.schema:
            return
        self.conn.execute("BEGIN IMMEDIATE")
        if keys.addable(self.conn):
            keys.add(self.conn)
        fits = schema.schema_hash(self.conn) == batch.schema
        self.conn.execute("COMMIT" if fits else "ROLLBACK")
        if not fits:
            raise Damaged(
                _DOING,
                f"transaction {batch.first} is of another schema",
                "restore from a point made after the tables changed",
            )

    def _apply(self, batch: "_Batch") -> None:
        with replaying(self.conn):
            self.conn.execute("BEGIN IMMEDIATE")
            batch.apply(self.conn)
            # Combined changes lose the counter where rows were added and deleted again.
            schema.raise_sequences(self.conn, records.sequences_of(batch.last.payload))
            self.conn.execute("COMMIT")
        self.reached = Start(batch.timeline, Place(batch.last.seq, batch.last.hash))
        self.count += batch.count
        self.time_ms = batch.last.time_ms


class _Batch:
    """Transactions that are applied at once, as one change for each row.

    Attributes:
        first: number of the first transaction.
        timeline, schema, last: of the last transaction.
        count: how many.
        size: of their records, in bytes.
    """

    def __init__(self):
        self.count, self.size = 0, 0
        self._builder = apsw.ChangesetBuilder()

    def add(self, run: Run) -> None:
        """Take in more; of their records only the last one stays in memory."""
        first, self.last = run.records[0], run.records[-1]
        if not self.count:
            self.first = first.seq
        self.timeline, self.schema = run.timeline, run.schema
        self.count += len(run.records)
        self.size += self.last.end - first.offset
        self._builder.add(records.changesets_of(run.records))

    def apply(self, conn: apsw.Connection) -> None:
        """Change the rows.

        Raises:
            Misfit: the changes do not fit.
        """
        try:
            apsw.Changeset.apply(self._builder.output(), conn)
        except (apsw.AbortError, apsw.ConstraintError) as error:
            raise Misfit(
                _DOING,
                f"transactions {self.first} to {self.last.seq} do not fit ({error})",
                "restore a point without the journal: python -m pra restore NAME",
            ) from error
        finally:
            self._builder.close()


def _batches(runs: Iterable[Run]) -> Iterator[_Batch]:
    """Runs of one schema until there is enough to apply; those before an error come before it."""
    batch, broken = _Batch(), None
    try:
        for run in runs:
            if batch.count and batch.schema != run.schema:
                yield batch
                batch = _Batch()
            batch.add(run)
            if batch.size >= BATCH_BYTES:
                yield batch
                batch = _Batch()
    except PraError as error:
        broken = error
    if batch.count:
        yield batch
    if broken:
        raise broken


def roll_forward(conn: apsw.Connection, here: Position, missing: list[Record]) -> None:
    """Apply the transactions that a database lacks, in one; needs the writer lock.

    Raises:
        Refused: the database does not stand at ``here`` any more.
    """
    with replaying(conn):
        conn.execute("BEGIN IMMEDIATE")
        if schema.position(conn) != here:
            raise Refused(
                "rolling the journal forward", "the database changed meanwhile", "try again"
            )
        rows = 0
        for record in missing:
            changeset = records.changeset_of(record.payload)
            apsw.Changeset.apply(changeset, conn)
            rows += counting.difference(changeset)
            schema.raise_sequences(conn, records.sequences_of(record.payload))
        schema.advance(conn, missing[-1].seq, missing[-1].hash.hex(), rows=rows)
        conn.execute("COMMIT")


@contextlib.contextmanager
def replaying(conn: apsw.Connection) -> Iterator[None]:
    """Triggers and foreign keys off: what they did is in the changesets already.

    Nor is the connection restricted to what a changeset can hold: counters are set.
    """
    judge, conn.authorizer = conn.authorizer, None
    conn.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    conn.execute("PRAGMA foreign_keys=OFF")
    yield
    conn.authorizer = judge
    conn.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
    conn.execute("PRAGMA foreign_keys=ON")
