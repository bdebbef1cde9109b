"""Replaying the journal: how many small transactions a second."""

import statistics
from collections.abc import Iterator
from unittest import mock

from benches import lab as labs
from pra import fileops
from pra.events import Events


def measure(folder: str, transactions: int, runs: int) -> Iterator[dict]:
    """One row: the rate of a restore that is all replay."""
    lab = labs.create(f"{folder}/volumes", "required")
    events = Events(lab.settings())
    # What is measured is the reading: writing need not be durable.
    # (A mock would keep every call, and its memory count as the restore's.)
    with mock.patch.object(fileops, "sync_data", lambda fd: None):
        for number in range(transactions):
            events.add(f"message {number}")
    costs = []
    for _ in range(runs):
        lab.lose_data()
        costs.append(labs.pra(lab, "restore", "latest"))
    rate = transactions / statistics.median(cost.seconds for cost in costs)
    what = f"replay of {transactions} transactions"
    yield labs.row(what, rate, "per second", "target", 200_000, "at least")
    yield labs.memory(what, max(cost.mib for cost in costs))
