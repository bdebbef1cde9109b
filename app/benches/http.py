"""``python -m benches.http``: the server beside others, in one run.

The same application, journal included, behind granian, gunicorn (as it was configured
before, and with connections kept) and waitress, on volumes of their own. They are loaded
in turn, in slices, by the same client; medians are compared. Prints one JSON document.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benches import http_load as load
from benches import lab as labs

GRANIAN = "granian"
YARDSTICK = "gunicorn"
OTHERS = (YARDSTICK, "gunicorn with keep-alive", "waitress")
MANY = 500
_ADD = "/add?message=a+message+of+the+usual+length"
_HALVES = {
    "idle connections": b"",
    "half-sent headers": b"GET /health HTTP/1.1\r\nHo",
    "half-sent bodies": b"POST /add HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nmessage=",
}


@dataclass
class Server:
    """A server that runs."""

    name: str
    address: load.Address
    process: subprocess.Popen

    def memory(self) -> float:
        """MiB that it and its children have for themselves, what they share counted once."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            everybody = [self.process.pid, *map(int, file.read().split())]
        kib = 0
        for pid in everybody:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                kib += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return kib / 1024

    def stop(self) -> float:
        """Ask it to stop; seconds until it is gone."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(30)
        return time.monotonic() - began


@contextlib.contextmanager
def serving(name: str, folder: str, others: str) -> Iterator[Server]:
    """A server on fresh volumes, ready."""
    lab = labs.create(f"{folder}/{name.replace(' ', '-')}", "required")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = probe.getsockname()
    ours = [sys.executable, "-m", "pra", "serve"]
    command = ours if name == GRANIAN else [others, "-m", "benches.http_serve", name]
    environment = {"HOST": address[0], "PORT": str(address[1]), "TMPDIR": folder}
    process = subprocess.Popen(
        command,
        env={**os.environ, **lab.environment, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while load.health(address, 0.5) >= 0.5:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} does not answer; its exit code: {process.poll()}")
        yield Server(name, address, process)
    finally:
        process.kill()
        process.wait()


class Bench:
    """The servers, and what was measured of each."""

    def __init__(self, folder: str, others: str, seconds: float, runs: int):
        self._folder, self._others, self._seconds, self._runs = folder, others, seconds, runs

    def measure(self) -> Iterator[dict]:
        """All rows."""
        yield self._ceiling()
        with contextlib.ExitStack() as up:
            servers = [
                up.enter_context(serving(name, self._folder, self._others))
                for name in (GRANIAN, *OTHERS)
            ]
            yield from self._rates(servers)
            yield from self._memory(servers)
            yield from self._at_half(servers[:2])
            for what, sent in _HALVES.items():
                yield from self._rows(
                    f"/health beside {MANY} {what}",
                    self._beside(servers, sent),
                    "s",
                    "less than 0.2",
                )
            yield from self._trickled(servers)
        yield from self._stops()

    def _ceiling(self) -> dict:
        reached = load.ceiling(self._seconds, 8)
        return labs.row(
            "the client itself, 8 connections", reached, "per second", "nothing", 0, "reported"
        )

    def _rates(self, servers: list[Server]) -> Iterator[dict]:
        for path, what in (("/", "GET /"), (_ADD, "/add")):
            for clients in (1, 8):
                for keep in (True, False):
                    sent = load.request(path, keep)
                    found = self._in_turn(
                        servers, lambda s, c=clients, r=sent: self._load(s, r, c).rate
                    )
                    how = "keep-alive" if keep else "a connection each"
                    target = {
                        ("/add", 8, True): "at least 2500, and 2.3 times gunicorn",
                        ("/add", 1, True): "at least 1800",
                    }.get((what, clients, keep), "reported")
                    noun = "client" if clients == 1 else "clients"
                    title = f"{what}, {clients} {noun}, {how}"
                    yield from self._rows(title, found, "per second", target)

    def _load(self, server: Server, sent: bytes, clients: int, **how) -> load.Load:
        found = load.run(server.address, sent, clients, self._seconds, **how)
        if found.failed or not found.done:
            raise RuntimeError(f"{server.name}: {found.failed} failed, {found.done} answered")
        return found

    def _at_half(self, servers: list[Server]) -> Iterator[dict]:
        """p99 at half of what each can do."""
        sent = load.request(_ADD)

        def p99(server: Server) -> float:
            most = self._load(server, sent, 8).rate
            return self._load(server, sent, 8, rate=most / 2).p99

        found = self._in_turn(servers, p99)
        yield from self._rows(
            "p99 of /add at half of its rate, 8 clients", found, "s", "at most 0.01"
        )

    def _memory(self, servers: list[Server]) -> Iterator[dict]:
        found = {server.name: server.memory() for server in servers}
        yield from self._rows("memory after that", found, "MiB", "reported")

    def _beside(self, servers: list[Server], sent: bytes) -> dict[str, float]:
        def health(server: Server) -> float:
            with load.held(server.address, sent, MANY):
                return max(load.health(server.address) for _ in range(3))

        return {server.name: health(server) for server in servers}

    def _trickled(self, servers: list[Server]) -> Iterator[dict]:
        """Others' p99, and /health, beside connections that send one byte a second."""
        sent, rate = load.request(_ADD), 200.0
        for server in servers:
            alone = [self._p99(server, sent, rate) for _ in range(self._runs)]
            beside, health = [], []
            with load.trickling(server.address, MANY):
                for _ in range(self._runs):
                    beside.append(self._p99(server, sent, rate))
                    health.append(load.health(server.address))
            what = f"{server.name}: p99 of /add beside {MANY} that send 1 byte a second"
            yield labs.row(
                what,
                statistics.median(beside),
                "s",
                "without them",
                statistics.median(alone),
                "less than 2 times",
            )
            what = f"{server.name}: /health beside them"
            yield labs.row(what, max(health), "s", "nothing", 0, "less than 0.2")

    def _p99(self, server: Server, sent: bytes, rate: float) -> float:
        found = load.run(server.address, sent, 8, self._seconds, rate=rate)
        return found.p99 if found.done else float(self._seconds)

    def _stops(self) -> Iterator[dict]:
        idle, loaded, cut = {}, {}, {}
        for name in (GRANIAN, *OTHERS):
            times, under, lost = [], [], 0
            for _ in range(self._runs):
                with serving(name, self._folder, self._others) as server:
                    times.append(server.stop())
                with serving(name, self._folder, self._others) as server:
                    seconds, failed = self._stop_under_load(server)
                    under.append(seconds)
                    lost += failed
            idle[name], loaded[name] = statistics.median(times), statistics.median(under)
            cut[name] = float(lost)
        yield from self._rows("stop, idle", idle, "s", "at most 0.15")
        yield from self._rows("stop, 8 keep-alive clients", loaded, "s", "reported")
        yield from self._rows(f"requests cut by {self._runs} such stops", cut, "requests", "0")

    def _stop_under_load(self, server: Server) -> tuple[float, int]:
        over, found = threading.Event(), []

        def keep_busy():
            found.append(load.run(server.address, load.request(_ADD), 8, 30, until=over))

        thread = threading.Thread(target=keep_busy)
        thread.start()
        # Until it is busy for certain.
        load.run(server.address, load.request("/count"), 1, 0.5)
        seconds = server.stop()
        over.set()
        thread.join()
        return seconds, found[0].failed

    def _in_turn(self, servers: list[Server], one: Callable[[Server], float]) -> dict[str, float]:
        """The median of each server, measured in turn."""
        rounds = [{server.name: one(server) for server in servers} for _ in range(self._runs)]
        return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}

    def _rows(self, what: str, found: dict[str, float], unit: str, target: str) -> Iterator[dict]:
        for other in found:
            if other != GRANIAN:
                yield labs.row(what, found[GRANIAN], unit, other, found[other], target)


def main() -> int:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benches.http", description=__doc__)
    parser.add_argument("--others", required=True, help="a Python that has the other servers")
    parser.add_argument("--seconds", type=float, default=1, help="of a slice")
    parser.add_argument("--runs", type=int, default=5, help="of each measurement")
    options = parser.parse_args()
    asked = options.others, options.seconds, options.runs
    print(json.dumps(labs.rows_of(lambda folder: Bench(folder, *asked).measure())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
