"""Applying the journal's transactions to a database that nobody else uses."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import apsw

from pra import records, schema
from pra.errors import Damaged, PraError
from pra.history import Run, Start
from pra.records import Place
from pra.writing import replaying

_DOING = "replaying the journal"
#: One application covers a little more than so many bytes: memory stays bounded.
BATCH_BYTES = 3 << 20


class Replay:
    """Transactions on their way into a database.

    Attributes:
        reached: where the database stands.
        count: transactions applied.
    """

    def __init__(self, conn: apsw.Connection, reached: Start):
        self.conn, self.reached, self.count = conn, reached, 0

    def run(self, runs: Iterable[Run]) -> None:
        """Apply every transaction, combined in batches.

        One batch is applied while the next is read: two are in memory.

        Raises:
            Damaged: one does not fit the database.
            PraError: what the iteration raises; the runs before it are applied.
        """
        wanted = schema.schema_hash(self.conn)
        with replaying(self.conn), ThreadPoolExecutor(1) as beside:
            applied: Future | None = None
            try:
                for batch in _batches(runs, wanted):
                    # Changesets in a row are one changeset.
                    changes = b"".join(
                        [records.changeset_of(one.payload) for run in batch for one in run.records]
                    )
                    if applied:
                        applied.result()
                    applied = beside.submit(self._apply, batch, changes)
            finally:
                if applied:
                    applied.result()

    def _apply(self, batch: list[Run], changes: bytes) -> None:
        # Combined, one change is left for each row.
        builder = apsw.ChangesetBuilder()
        first, last = batch[0].records[0], batch[-1].records[-1]
        self.conn.execute("BEGIN IMMEDIATE")
        try:
            builder.add(changes)
            apsw.Changeset.apply(builder.output(), self.conn)
        except (apsw.AbortError, apsw.ConstraintError) as error:
            raise Damaged(
                _DOING,
                f"transactions {first.seq} to {last.seq} do not fit ({error})",
                "restore a point without the journal: python -m pra restore NAME",
            ) from error
        finally:
            builder.close()
        # Combined changes lose the counter where rows were added and deleted again.
        schema.raise_sequences(self.conn, records.sequences_of(last.payload))
        self.conn.execute("COMMIT")
        self.reached = Start(batch[-1].timeline, Place(last.seq, last.hash))
        self.count += sum(len(run.records) for run in batch)


def _batches(runs: Iterable[Run], wanted: str) -> Iterator[list[Run]]:
    """Runs until there is enough to apply at once; those before an error come before it."""
    batch, size, broken = [], 0, None
    try:
        for run in runs:
            _refuse_other_schema(run, wanted)
            batch.append(run)
            size += run.records[-1].end - run.records[0].offset
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except PraError as error:
        broken = error
    if batch:
        yield batch
    if broken:
        raise broken


def _refuse_other_schema(run: Run, wanted: str) -> None:
    """Applying to other tables reports success and drops rows."""
    if run.schema != wanted:
        raise Damaged(
            _DOING,
            f"transaction {run.records[0].seq} is of another schema",
            "restore from a point made after the tables changed",
        )
