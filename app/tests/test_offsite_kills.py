"""What copies is killed again and again under writes, and nothing is missing or half there."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import seaweed
from conftest import APP
from helpers import rows, until
from offsite_helpers import checked, copying, fetched, objects_of, pushed, rows_of

from pra.base.errors import Locked
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.offsite import copies, names, stores
from pra.protect import backup

#: More of them by hand: PRA_TEST_KILLS=50.
KILLS = int(os.environ.get("PRA_TEST_KILLS", "4"))
WRITERS = 3


class Writing:
    """Writes until it is left; knows the number of acknowledged rows."""

    def __init__(self, config):
        self._events, self._stop = SqliteEvents(config), threading.Event()
        self.acknowledged = []
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]

    def _write(self):
        while not self._stop.is_set():
            with contextlib.suppress(Locked):
                # A machine that is busy may take longer than a writer waits.
                self.acknowledged.append(self._events.add("m" * 100)["id"])
            time.sleep(0.002)

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for one in self._threads:
            one.join()
        self._events._database.pool.drop()


def begun(environment):
    """A process that copies."""
    command = [sys.executable, "-m", "pra", "offsite", "ship"]
    return subprocess.Popen(
        command, cwd=APP, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )


def more(copied, before):
    """How many objects there are that were not there before."""
    time.sleep(0.02)
    return len(stores.of(copied).sizes("").keys() - before.keys())


def every_object_opens(copied, keys):
    """Whether each object that has a name of ours is what that says; how many there are."""
    store = stores.of(copied)
    (found,) = copies.histories(store)
    reader = copies.Reader(store, keys.identity, found.history)
    pieces = [piece for own in found.pieces.values() for piece in own]
    chunks = map(names.ChunkName, found.chunks)
    read = [reader.content(one) for one in [*found.records, *found.points, *pieces, *chunks]]
    return len(read)


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_killed_at_random_under_writes_nothing_is_missing_or_half_there(
    kind, environment, config, where, keys, tmp_path, request
):
    if kind == "bucket":
        request.getfixturevalue("credentials")
        place = seaweed.place(request.getfixturevalue("store").endpoint)
    else:
        place = str(tmp_path / "elsewhere")
        os.mkdir(place)
    there = {
        **environment,
        "PRA_OFFSITE": place,
        "PRA_OFFSITE_RECIPIENTS": keys.public,
        "PRA_OFFSITE_SECONDS": "1",
        "PRA_OFFSITE_POINT_SECONDS": "1",
    }
    copied = copying(config, place, keys)
    start.prepare(config)
    SqliteEvents(config).add("first")
    backup.run(config)
    pushed(copied)
    chance = random.Random(KILLS)
    with Writing(config) as writing:
        before = objects_of(copied)
        for number in range(KILLS):
            process = begun(there)
            try:
                # Once it has copied something, at any moment of what it does then.
                count = chance.randrange(1, 4)
                until(lambda before=before, count=count: more(copied, before) >= count, 60)
                time.sleep(chance.uniform(0, 0.3))
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
            if number % 5 == 0:
                backup.run(config)
            after = objects_of(copied)
            assert {name: after[name] for name in before} == before, "nothing is written over"
            before = after
            assert every_object_opens(copied, keys) > 3
    pushed(copied)
    expected = rows(where)
    assert {one for one, _, _ in expected} >= set(writing.acknowledged)
    assert checked(copied, keys)["ok"]
    copy, answer = fetched(copied, keys)
    assert answer["faults"] == []
    assert rows_of(copy, tmp_path / "new") == expected
