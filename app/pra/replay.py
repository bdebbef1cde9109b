"""Applying the journal's transactions to a database that nobody else uses."""

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from pra import records, schema
from pra.errors import Damaged
from pra.history import Start, Step
from pra.records import Place
from pra.writing import replaying

_DOING = "replaying the journal"
#: One application covers at most so many bytes or transactions: memory stays bounded.
BATCH_BYTES, BATCH_STEPS = 4 << 20, 20_000


@dataclass
class Replay:
    """Transactions on their way into a database.

    Attributes:
        reached: where the database stands.
        count: transactions applied.
    """

    conn: apsw.Connection
    reached: Start
    count: int = 0

    def run(self, steps: Iterable[Step]) -> None:
        """Apply every step, combined in batches.

        Raises:
            Damaged: one does not fit the database.
            PraError: what the iteration raises; the steps before it are applied.
        """
        with replaying(self.conn):
            self._run(steps)

    def _run(self, steps: Iterable[Step]) -> None:
        wanted = schema.schema_hash(self.conn)
        batch: list[Step] = []
        size = 0
        try:
            for step in steps:
                if step.schema != wanted:
                    # Applying to other tables reports success and drops rows.
                    raise Damaged(
                        _DOING,
                        f"transaction {step.record.seq} is of another schema",
                        "restore from a point made after the tables changed",
                    )
                batch.append(step)
                size += len(step.record.payload)
                if size >= BATCH_BYTES or len(batch) >= BATCH_STEPS:
                    self._apply(batch)
                    batch, size = [], 0
        finally:
            self._apply(batch)

    def _apply(self, batch: list[Step]) -> None:
        if not batch:
            return
        builder = apsw.ChangesetBuilder()
        for step in batch:
            builder.add(records.changeset_of(step.record.payload))
        last = batch[-1]
        self.conn.execute("BEGIN IMMEDIATE")
        try:
            apsw.Changeset.apply(builder.output(), self.conn)
        except (apsw.AbortError, apsw.ConstraintError) as error:
            raise Damaged(
                _DOING,
                f"transactions {batch[0].record.seq} to {last.record.seq} do not fit ({error})",
                "restore a point without the journal: python -m pra restore NAME",
            ) from error
        finally:
            builder.close()
        # Combined changes lose the counter where rows were added and deleted again.
        schema.raise_sequences(self.conn, records.sequences_of(last.record.payload))
        self.conn.execute("COMMIT")
        self.reached = Start(last.timeline, Place(last.record.seq, last.record.hash))
        self.count += len(batch)
