"""The list of the journal's transactions."""

import heapq
from itertools import islice
from typing import NamedTuple

import apsw

from pra.base import clock
from pra.base.layout import Layout
from pra.journal import history, records
from pra.journal.records import Record


def transactions(where: Layout, largest: bool, limit: int) -> list[dict]:
    """The current timeline's transactions, newest first, or largest first.

    Args:
        largest: order by rows touched.
        limit: how many to list at most.

    Returns:
        [{"seq", "time", "timeline", "added", "changed", "deleted", "bytes"}]
    """
    path = history.live_path(where)
    if path is None:
        return []
    if not largest:
        return [_of(step.timeline, step.record).listed() for step in islice(path.newest(), limit)]
    # Of all that is read only what may be listed is kept, and no record of it.
    every = (_of(run.timeline, record) for run in path.everything() for record in run.records)
    return [one.listed() for one in heapq.nlargest(limit, every, key=lambda one: one.touched)]


class _Transaction(NamedTuple):
    """One transaction's line in the list; ``touched`` is how many rows it changed in all."""

    touched: int
    added: int
    deleted: int
    seq: int
    time_ms: int
    timeline: int
    bytes: int

    def listed(self) -> dict:
        """The form that listings show."""
        return {
            "seq": self.seq,
            "time": clock.rfc3339(self.time_ms / 1000, 3),
            "timeline": self.timeline,
            "added": self.added,
            "changed": self.touched - self.added - self.deleted,
            "deleted": self.deleted,
            "bytes": self.bytes,
        }


def _of(timeline: int, record: Record) -> _Transaction:
    changeset = records.changeset_of(record.payload)
    touched = added = deleted = 0
    for change in apsw.Changeset.iter(changeset):
        touched += 1
        added += change.opcode == apsw.SQLITE_INSERT
        deleted += change.opcode == apsw.SQLITE_DELETE
    return _Transaction(
        touched, added, deleted, record.seq, record.time_ms, timeline, len(changeset)
    )
