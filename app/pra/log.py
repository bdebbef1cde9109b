"""The list of the journal's transactions."""

import apsw

from pra import clock, history, records
from pra.history import Step
from pra.layout import Layout


def transactions(where: Layout, largest: bool, limit: int) -> list[dict]:
    """The current timeline's transactions, newest first, or largest first.

    Args:
        largest: order by rows touched.
        limit: how many to list at most.

    Returns:
        [{"seq", "time", "timeline", "added", "changed", "deleted", "bytes"}]
    """
    path = history.live_path(where)
    steps = list(path.everything()) if path else []
    if not largest:
        return [_describe(step) for step in steps[: -limit - 1 : -1]]
    listed = [_describe(step) for step in steps]
    listed.sort(key=lambda one: one["added"] + one["changed"] + one["deleted"], reverse=True)
    return listed[:limit]


def _describe(step: Step) -> dict:
    counts = {"INSERT": 0, "UPDATE": 0, "DELETE": 0}
    changeset = records.changeset_of(step.record.payload)
    for change in apsw.Changeset.iter(changeset):
        counts[change.op] += 1
    return {
        "seq": step.record.seq,
        "time": clock.rfc3339(step.record.time_ms / 1000, 3),
        "timeline": step.timeline,
        "added": counts["INSERT"],
        "changed": counts["UPDATE"],
        "deleted": counts["DELETE"],
        "bytes": len(changeset),
    }
