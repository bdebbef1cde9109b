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
    with mock.patch.object(fileops.os, "fsync"), mock.patch.object(fileops.os, "fdatasync"):
        for number in range(transactions):
            events.add(f"message {number}")
    seconds = []
    for _ in range(runs):
        lab.lose_data()
        seconds.append(labs.pra(lab, "restore", "latest").seconds)
    rate = transactions / statistics.median(seconds)
    yield labs.row(
        f"replay of {transactions} transactions", rate, "per second", "target", 200_000, "at least"
    )
