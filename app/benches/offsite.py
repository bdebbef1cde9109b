"""What copies elsewhere cost: ``python -m benches.offsite FOLDER [s3://BUCKET/PREFIX...]``.

FOLDER is a new one on the disk. The copies go into it or, where that is named, to a new prefix of a
bucket, for which the environment has what it asks for.

Prints one JSON document. ``writes``: writes a second in intervals that go ABBA with a process that
ships and without (it is stopped meanwhile, so that nothing starts or ends), and the median of the
ratios of neighbours. ``lag``: the largest that was noted in a longer interval at full rate.
``point``: bytes of one of 100 MB, and the seconds of ``cp`` with fsync and of encrypting and
copying it. ``restore``: seconds of a local restore of it, and of
fetching it from there and restoring it.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

from pra.base import settings
from pra.base.offsite_place import Place
from pra.disk import copying
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.offsite import crypt, fetch, push, stores
from pra.offsite.fetch import Asking
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import restore
from pra.state import copied

WRITERS, ROUNDS, SECONDS, LONG, TIMES = 16, 10, 5.0, 30.0, 5
#: Rows of the point that is pushed, and the length of their messages in hex digits.
ROWS, LENGTH = 180_000, 512
_FILL = (
    "INSERT INTO events(ts, message) WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    " SELECT '2026-01-01T00:00:00Z', hex(randomblob(?)) FROM n"
)


class Lab:
    """A pair of volumes, and a place for copies: beside them, or below an address."""

    def __init__(self, folder: str, address: str | None):
        for name in ("data", "backup", "copies"):
            os.makedirs(f"{folder}/{name}")
        self.environment = {
            "PRA_DATA_DIR": f"{folder}/data",
            "PRA_BACKUP_DIR": f"{folder}/backup",
            "PRA_JOURNAL": "required",
            "PRA_OFFSITE": address or f"{folder}/copies",
            "PRA_OFFSITE_RECIPIENTS": crypt.make_identity(f"{folder}/key"),
        }
        self.key = f"{folder}/key"
        self.config = settings.load({**os.environ, **self.environment})
        start.prepare(self.config)
        self.events = SqliteEvents(self.config)

    def fill(self) -> None:
        """Make a point with many rows, its journal in several transactions."""
        for _ in range(ROWS // 6000):
            self.events._database.write(
                "filling", lambda conn: conn.execute(_FILL, (6000, LENGTH // 2)).fetchall()
            )
        backup.run(self.config)

    def pushed(self) -> dict:
        """Bytes of the newest point, seconds of copies of it and of pushing it, in turn."""
        point = catalogue.latest(catalogue.scan(self.config.layout))
        path, target = self.config.layout.point(point.name), f"{self.config.data_dir}/copy"
        copies, pushes = [], []
        for number in range(TIMES):
            began = time.monotonic()
            copying.copy(path, target)
            copies.append(time.monotonic() - began)
            os.remove(target)
            there = self.config._replace(offsite=_within(self.config.offsite, str(number)))
            pusher = push.Pusher(there.layout, stores.of(there), crypt.recipients(there))
            began = time.monotonic()
            assert pusher._points.send([point])
            pushes.append(time.monotonic() - began)
        return {"bytes": point.bytes, "cp": copies, "push": pushes}

    def restored(self) -> dict:
        """Seconds of a restore of the newest moment here, and from the copies, in turn."""
        push.run(self.config)
        here, there = [], []
        asking = Asking(crypt.read_identity(self.key))
        for _ in range(TIMES):
            began = time.monotonic()
            with fetch.restored(self.config, asking) as (_, answer):
                there.append(time.monotonic() - began)
            began = time.monotonic()
            assert restore.run(self.config, targets.latest)["rows"] == answer["rows"]
            here.append(time.monotonic() - began)
        return {"here": here, "there": there}

    def rate(self, seconds: float) -> tuple[float, float | None]:
        """Writes a second over an interval, and the largest lag that was noted meanwhile."""
        stop, counts, lags = threading.Event(), [], []

        def write() -> None:
            count = 0
            while not stop.is_set():
                self.events.add("m" * 100)
                count += 1
            counts.append(count)

        writers = [threading.Thread(target=write) for _ in range(WRITERS)]
        began = time.monotonic()
        for one in writers:
            one.start()
        while time.monotonic() < began + seconds:
            time.sleep(0.1)
            found = copied.read(self.config.layout)
            lags.append(found.lag() if found else None)
        stop.set()
        for one in writers:
            one.join()
        return sum(counts) / (time.monotonic() - began), max(filter(None, lags), default=None)

    @contextlib.contextmanager
    def shipping(self):
        """A process that ships meanwhile; begins once it has taken a turn."""
        began = time.time()
        command = [sys.executable, "-m", "pra", "offsite", "ship"]
        process = subprocess.Popen(command, env={**os.environ, **self.environment})
        try:
            while not ((found := copied.read(self.config.layout)) and found.ended > began):
                assert process.poll() is None
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            process.wait()


def _within(place: Place, name: str) -> Place:
    if place.folder is None:
        return place._replace(prefix=f"{place.prefix}{name}/")
    os.mkdir(f"{place.folder}/{name}")
    return place._replace(folder=f"{place.folder}/{name}")


def _below(address: str | None, name: str) -> str | None:
    if address is None:
        return None
    path, mark, options = address.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{options}"


def writes(lab: Lab) -> dict:
    """Rates with and without what ships, in turn, then the lag at full rate."""
    alone, beside = [], []
    with lab.shipping() as process:
        lab.rate(SECONDS)
        for number in range(ROUNDS):
            for ships in (number % 2 == 0, number % 2 == 1):
                process.send_signal(signal.SIGCONT if ships else signal.SIGSTOP)
                (beside if ships else alone).append(lab.rate(SECONDS)[0])
        process.send_signal(signal.SIGCONT)
        # What was written while it was stopped is not its lag.
        behind = time.time()
        while copied.read(lab.config.layout).covered < behind:
            time.sleep(0.1)
        rate, lag = lab.rate(LONG)
    ratios = [one / other for one, other in zip(beside, alone, strict=True)]
    return {
        "alone": alone,
        "shipping": beside,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "lag": {"rate": rate, "seconds": lag},
    }


def main(folder: str, address: str | None = None) -> None:
    """Measure, and print."""
    filled, written = (
        Lab(f"{folder}/{name}", _below(address, name)) for name in ("filled", "written")
    )
    filled.fill()
    written.events.add("first")
    backup.run(written.config)
    result = {"point": filled.pushed(), "restore": filled.restored(), "writes": writes(written)}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
