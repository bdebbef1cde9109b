"""What /metrics takes where there are many points, and what writers lose by it."""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

from benches import http_load as load
from benches import lab as labs
from pra.base import sealing
from pra.events.sqlite import SqliteEvents
from pra.protect import backup

_ADD = load.request("/add?message=a+message+of+the+usual+length")
#: How often it is asked for while writers write, in seconds: five times as often as by a
#: Prometheus of the lab.
_SCRAPED = 1.0
_CLIENTS = 8


def measure(folder: str, points: int, seconds: float, runs: int) -> Iterator[dict]:
    """Both figures.

    Args:
        points: that there are.
        seconds: of writing, each time.
        runs: of each measurement.
    """
    yield from _answers(folder, points, runs)
    with (
        serving(labs.create(f"{folder}/on", "required"), "on") as scraped,
        serving(labs.create(f"{folder}/off", "required"), "off") as other,
    ):
        # The first one finds everything cold.
        for address in (scraped, other):
            load.run(address, _ADD, _CLIENTS, seconds)
        pairs = []
        for number in range(4 * runs):
            # Which comes first is not always the same: what comes second may find a slower disk.
            if number % 2:
                off = _written(other, seconds)
            with _asked(scraped):
                on = _written(scraped, seconds)
            if not number % 2:
                off = _written(other, seconds)
            pairs.append((on, off))
    rate, without = (statistics.median(one) for one in zip(*pairs, strict=True))
    lost = 1 - statistics.median(on / off for on, off in pairs)
    yield {
        **labs.row(
            f"/add, {_CLIENTS} clients, /metrics asked for each second",
            rate,
            "per second",
            "PRA_METRICS=off",
            without,
            "at least 0.98 times",
        ),
        "lost_percent": round(100 * lost, 1),
    }


def _written(address: load.Address, seconds: float) -> float:
    """How many writes a second are acknowledged."""
    return load.run(address, _ADD, _CLIENTS, seconds).rate


def _answers(folder: str, points: int, runs: int) -> Iterator[dict]:
    """How long an answer takes, also right after a point was added."""
    few, many = (labs.create(f"{folder}/{count}", "required") for count in (10, points))
    for lab, count in ((few, 10), (many, points)):
        fill(lab, count)
    with serving(few, "on") as little, serving(many, "on") as much:
        for address in (little, much):
            _warm(address)
        pairs, after = [], []
        for _ in range(20 * runs):
            pairs.append((_asking(much), _asking(little)))
        for _ in range(5 * runs):
            backup.run(many.settings())
            after.append(_asking(much))
    of_many, of_few = (statistics.median(one) for one in zip(*pairs, strict=True))
    for what, taken in (("", of_many), (", right after a backup", statistics.median(after))):
        yield labs.row(
            f"/metrics with {points} points{what}", taken, "s", "10 points", of_few, "at most 0.02"
        )


def fill(lab: labs.Lab, count: int) -> None:
    """Have so many points, of which all but the newest have a size and no content."""
    SqliteEvents(lab.settings()).add("one")
    real = backup.run(lab.settings())
    for serial in range(1, count):
        epoch = real.epoch - count + serial
        name = f"app-{epoch}.db"
        _write(lab, {**real.manifest, "name": name, "serial": serial, "created_epoch": epoch})
        with open(lab.where.point(name), "wb") as file:
            file.truncate(real.bytes)
    _write(lab, {**real.manifest, "serial": count})


def _write(lab: labs.Lab, content: dict) -> None:
    with open(lab.where.manifest(content["name"]), "wb") as file:
        file.write(sealing.seal({name: content[name] for name in content if name != "seal"}))


@contextlib.contextmanager
def serving(lab: labs.Lab, metrics: str) -> Iterator[load.Address]:
    """A server that answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = probe.getsockname()
    environment = {"HOST": address[0], "PORT": str(address[1]), "PRA_METRICS": metrics}
    process = subprocess.Popen(
        [sys.executable, "-m", "pra", "serve"],
        env={**os.environ, **lab.environment, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while load.health(address, 0.5) >= 0.5:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server does not answer; its exit code: {process.poll()}")
        yield address
    finally:
        process.kill()
        process.wait()


def _asking(address: load.Address) -> float:
    """Seconds until all of it was answered."""
    took, failed = _asked_once(address)
    if failed:
        raise RuntimeError(f"/metrics could not read all: {failed}")
    return took


def _warm(address: load.Address) -> None:
    """Ask until each point was read once: the first answer may not wait for that."""
    end = time.monotonic() + 60
    while failed := _asked_once(address)[1]:
        if time.monotonic() > end:
            raise RuntimeError(f"/metrics cannot read all: {failed}")


def _asked_once(address: load.Address) -> tuple[float, list[bytes]]:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/metrics") as answer:
        said = answer.read()
    took = time.perf_counter() - began
    lines = said.splitlines()
    return took, [one for one in lines if b"success{" in one and one.endswith(b" 0.0")]


@contextlib.contextmanager
def _asked(address: load.Address) -> Iterator[None]:
    """It is asked for again and again."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(_SCRAPED):
            _asking(address)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
