"""Replaying the journal: how many transactions a second, and what each verb takes of a long one."""

import statistics
from collections.abc import Iterator

from benches import journals
from benches import lab as labs
from pra.base import clock


def measure(folder: str, transactions: int, runs: int) -> Iterator[dict]:
    """The rate of a restore that is all replay, and its memory."""
    lab = labs.create(f"{folder}/volumes", "required")
    journals.write(lab.where, transactions)
    costs = []
    for _ in range(runs):
        lab.lose_data()
        costs.append(labs.pra(lab, "restore", "latest"))
    rate = transactions / statistics.median(cost.seconds for cost in costs)
    what = f"replay of {transactions} transactions"
    yield labs.row(what, rate, "per second", "target", 200_000, "at least")
    yield labs.memory(what, max(cost.mib for cost in costs))


def measure_verbs(folder: str, transactions: int) -> Iterator[dict]:
    """Seconds and memory of every verb that reads the journal, of a long one."""
    lab = labs.create(f"{folder}/long", "required")
    journals.write(lab.where, transactions)
    half = str(transactions // 2)
    # Written with a millisecond between two transactions, up to now.
    middle = clock.rfc3339(clock.now() - transactions / 2000, 3)
    for verb in (
        ("points",),
        ("log",),
        ("log", "--largest"),
        ("restore", "--plan", "latest"),
        ("restore", "--plan", "--to-before", half),
        ("restore", "--plan", "--to", middle),
        ("restore", "latest"),
        ("backup",),
        ("restore", "--to-before", half),
        ("undo",),
        ("prove",),
        ("verify",),
        ("prune",),
    ):
        spent = labs.pra(lab, *verb)
        what = f"{' '.join(verb)}, {transactions} transactions"
        read = labs.run(["sh", "-c", f"cat {lab.where.journal}/*.seg >/dev/null"])
        yield labs.row(what, spent.seconds, "s", "cat of the journal", read.seconds, "reported")
        yield labs.memory(what, spent.mib)
