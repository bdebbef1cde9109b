"""What copies elsewhere cost: ``python -m benches.offsite FOLDER``, a new folder on the disk.

Prints one JSON document: seconds of ``cp`` with fsync of a point, and of pushing it into a
folder on the same disk; writes a second in intervals that alternate with and without a process
that ships, and the largest lag in each of those with it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

from pra.base import settings
from pra.disk import copying
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.offsite import crypt, push, stores
from pra.points import catalogue
from pra.protect import backup
from pra.state import copied

WRITERS, INTERVALS, SECONDS = 16, 12, 10.0
#: Rows of the point that is pushed, and the length of their messages in hex digits.
ROWS, LENGTH = 180_000, 512
_FILL = (
    "INSERT INTO events(ts, message) WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    " SELECT '2026-01-01T00:00:00Z', hex(randomblob(?)) FROM n"
)


class Lab:
    """A pair of volumes with a folder for copies beside them."""

    def __init__(self, folder: str):
        for name in ("data", "backup", "copies"):
            os.makedirs(f"{folder}/{name}")
        self.environment = {
            "PRA_DATA_DIR": f"{folder}/data",
            "PRA_BACKUP_DIR": f"{folder}/backup",
            "PRA_JOURNAL": "required",
            "PRA_OFFSITE": f"{folder}/copies",
            "PRA_OFFSITE_RECIPIENTS": crypt.make_identity(f"{folder}/key"),
        }
        self.config = settings.load(self.environment)
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
        """Seconds of a copy of the newest point, and of pushing it and nothing else."""
        point = catalogue.latest(catalogue.scan(self.config.layout))
        path, target = self.config.layout.point(point.name), f"{self.config.data_dir}/copy"
        began = time.monotonic()
        copying.copy(path, target)
        took = time.monotonic() - began
        os.remove(target)
        pusher = push.Pusher(
            self.config.layout, stores.of(self.config), crypt.recipients(self.config)
        )
        began = time.monotonic()
        assert pusher._point(point)
        return {"bytes": point.bytes, "cp": took, "push": time.monotonic() - began}

    def rate(self) -> tuple[float, float | None]:
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
        while time.monotonic() < began + SECONDS:
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
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def main(folder: str) -> None:
    """Measure, and print."""
    filled = Lab(f"{folder}/filled")
    filled.fill()
    result = {"point": filled.pushed(), "alone": [], "shipping": [], "lag": []}
    lab = Lab(f"{folder}/written")
    lab.events.add("first")
    backup.run(lab.config)
    lab.rate()
    for number in range(INTERVALS):
        if number % 2:
            result["alone"].append(lab.rate()[0])
            continue
        with lab.shipping():
            rate, lag = lab.rate()
        result["shipping"].append(rate)
        result["lag"].append(lag)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
