"""Writes of the application to several databases, which take turns in short slices.

``cargo xtask bench replication`` hands this file to the Python of a pod, which has the package
and nothing else of this folder. Each variable ``BENCH_NAME`` of its environment is the URL of a
database that is there for this alone; one JSON document on standard output has what was found.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pra.base import settings
from pra.events.postgres import PostgresEvents
from pra.postgres import migrations
from pra.postgres.target import Target

#: How long a slice is, in whole seconds, which pgbench wants.
SECONDS = 1
MESSAGE = "a message of the usual length"
WRITERS = (1, 8)
_ROUNDS = 12
_PREFIX = "BENCH_"


class Found:
    """The median rate of all slices, and latencies of single writes."""

    def __init__(self, slices: list[list[float]]):
        self.rate = statistics.median(len(one) / SECONDS for one in slices)
        latencies = sorted(latency for one in slices for latency in one)
        self.median = statistics.median(latencies)
        self.p99 = latencies[int(len(latencies) * 0.99)]


def in_turn(rounds: int, kinds: dict[str, Callable[[], list[float]]]) -> dict[str, Found]:
    """Slices of each kind, in turn; the first round opens what there is to open."""
    found: dict[str, list[list[float]]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, kind in kinds.items():
            taken = kind()
            if number:
                found[name].append(taken)
    return {name: Found(slices) for name, slices in found.items()}


def timed(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def writes(events: PostgresEvents, threads: int) -> list[float]:
    """The latencies of writes of so many threads in a slice."""

    def write() -> list[float]:
        latencies = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            latencies.append(timed(lambda: events.add(MESSAGE)))
        return latencies

    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(write) for _ in range(threads)]
        return [latency for one in asked for latency in one.result()]


def migrated(url: str) -> PostgresEvents:
    """The events of a database that has the tables."""
    config = settings.load({"PRA_DATABASE_URL": url})
    assert config.database_url
    migrations.run(Target(config.database_url))
    return PostgresEvents(config)


def main() -> None:
    """Measure all that the environment names."""
    named = {name: url for name, url in os.environ.items() if name.startswith(_PREFIX)}
    databases = {name.removeprefix(_PREFIX): migrated(url) for name, url in named.items()}
    rows = []
    for writers in WRITERS:
        kinds = {name: partial(writes, one, writers) for name, one in databases.items()}
        rows += [
            {"writers": writers, "name": name, **vars(one)}
            for name, one in in_turn(_ROUNDS, kinds).items()
        ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
