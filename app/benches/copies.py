"""Snapshot, verification and restore against ``cp`` and fsync of a resting file."""

import os
import shutil
from collections.abc import Iterator

from benches import lab as labs
from pra.data.database import Database
from pra.points import catalogue

#: Bytes of a row's message.
MESSAGE = 2000


def measure(folder: str, sizes: list[str], runs: int) -> Iterator[dict]:
    """Rows for each size of database, in MiB."""
    for size in sizes:
        yield from _of_size(folder, int(size), runs)


def _of_size(folder: str, mib: int, runs: int) -> Iterator[dict]:
    lab = labs.create(f"{folder}/volumes", "off")
    _fill(lab, mib)
    resting = f"{folder}/resting.db"
    shutil.copyfile(os.path.realpath(lab.where.link), resting)
    memory: dict[str, float] = {}

    def cost(verb: str, *arguments: str) -> float:
        spent = labs.pra(lab, verb, *arguments)
        memory[verb] = max(memory.get(verb, 0), spent.mib)
        return spent.seconds

    def copy() -> float:
        target = f"{folder}/copy.db"
        spent = labs.run(["sh", "-c", f"cp {resting} {target} && sync {target}"])
        os.remove(target)
        return spent.seconds

    def restore() -> float:
        # With nothing there no safety point is made: the restore alone.
        lab.lose_data()
        return cost("restore", "latest")

    snapshot, plain = labs.alternate(runs, lambda: cost("backup"), copy)
    yield labs.row(
        f"snapshot, {mib} MiB",
        snapshot,
        "s",
        "cp and fsync",
        plain,
        _target(mib, "at most 5 times"),
    )
    name = catalogue.latest(catalogue.scan(lab.where)).name
    verify, plain = labs.alternate(runs, lambda: cost("verify", name), copy)
    yield labs.row(f"verify, {mib} MiB", verify, "s", "cp and fsync", plain, "reported")
    back, plain = labs.alternate(runs, restore, copy)
    yield labs.row(
        f"restore, {mib} MiB", back, "s", "cp and fsync", plain, _target(mib, "at most twice")
    )
    for verb, most in memory.items():
        yield labs.memory(f"{verb}, {mib} MiB", most)
    os.remove(resting)


def _target(mib: int, text: str) -> str:
    """Targets are of sizes where copying counts; of a small one it is the start of Python."""
    return text if mib >= 100 else "reported"


def _fill(lab: labs.Lab, mib: int) -> None:
    rows = (mib << 20) // MESSAGE
    Database(lab.settings()).write(
        "filling the database",
        lambda conn: conn.execute(
            "INSERT INTO events(ts, message) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" SELECT '2026-01-01T00:00:00.000Z', hex(randomblob({MESSAGE // 2})) FROM n",
            (rows,),
        ),
    )
