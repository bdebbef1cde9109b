"""A pair of volumes to measure on, and a child process whose cost is known."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pra.base import settings
from pra.base.layout import Layout
from pra.state import volumes


@dataclass(frozen=True)
class Lab:
    """Two volumes under a folder."""

    environment: dict[str, str]

    @property
    def where(self) -> Layout:
        """Their paths."""
        return Layout(self.environment["PRA_DATA_DIR"], self.environment["PRA_BACKUP_DIR"])

    def settings(self) -> settings.Settings:
        """What the application is told."""
        return settings.load(self.environment)

    def lose_data(self) -> None:
        """Delete the data volume's content."""
        shutil.rmtree(self.environment["PRA_DATA_DIR"])
        os.mkdir(self.environment["PRA_DATA_DIR"])


def create(folder: str, journal: str) -> Lab:
    """Two fresh, initialised volumes below ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("data", "backup"):
        os.makedirs(f"{folder}/{name}")
    lab = Lab(
        {
            "PRA_DATA_DIR": f"{folder}/data",
            "PRA_BACKUP_DIR": f"{folder}/backup",
            "PRA_JOURNAL": journal,
            "PRA_KEEP_MIB": "100000",
            # As in a pod, what was compiled once is not compiled again.
            "PYTHONDONTWRITEBYTECODE": "",
        }
    )
    volumes.ensure_initialised(lab.where)
    return lab


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: from its start to its end.
        mib: the most memory that it had, resident; no less than this process has itself.
    """

    seconds: float
    mib: float


def pra(lab: Lab, *arguments: str) -> Cost:
    """Run ``python -m pra`` to its end."""
    return run([sys.executable, "-m", "pra", *arguments, "--json"], lab.environment)


def run(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; says what it wrote.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    # Reaped here, for its resource usage: Popen must not wait for it again.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed ({process.returncode}): {said}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(seconds, usage.ru_maxrss / unit)


def rows_of(measure: Callable[[str], Iterator[dict]]) -> list[dict]:
    """All rows of a measurement, each said on standard error as it comes.

    Args:
        measure: given a folder of its own, which is removed afterwards.
    """
    folder = tempfile.mkdtemp(prefix="pra-bench-")
    rows = []
    try:
        for one in measure(folder):
            print(json.dumps(one), file=sys.stderr, flush=True)
            rows.append(one)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def alternate(
    runs: int, one: Callable[[], float], other: Callable[[], float]
) -> tuple[float, float]:
    """The medians of two measurements taken in turn."""
    pairs = [(one(), other()) for _ in range(runs)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def row(what: str, value: float, unit: str, against: str, other: float, target: str) -> dict:
    """One figure beside its yardstick."""
    return {
        "what": what,
        "value": round(value, 4),
        "unit": unit,
        "against": against,
        "against_value": round(other, 4),
        "ratio": round(value / other, 2) if other else None,
        "target": target,
    }


def memory(what: str, mib: float) -> dict:
    """The most memory that something had."""
    return row(f"memory of {what}", mib, "MiB", "limit", 100, "at most 100 MiB")
