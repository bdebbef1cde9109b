"""No verb needs more memory for a longer journal.

SQLite's own is bounded by its page cache, and so left out: ``benches`` measures all of it.
"""

import tracemalloc

import pytest
from helpers import lose_data

from benches import journals
from pra.base import clock, moments, settings
from pra.data import proof
from pra.disk import copying
from pra.journal import log, replay, segments
from pra.pitr import bounds, by_time, targets
from pra.points import catalogue, verify
from pra.protect import backup, export, retention
from pra.recovery import plan, restore
from pra.state import volumes

SHORT, LONG = 1500, 9000
#: What may differ from one run to the next, in bytes; each transaction alone fills 250 in the file.
SLACK = 200_000


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """What is held at once by design is small, so that anything else shows."""
    monkeypatch.setattr(segments, "SIZE", 64 << 10)
    monkeypatch.setattr(replay, "BATCH_BYTES", 64 << 10)
    monkeypatch.setattr(copying, "CHUNK", 64 << 10)


def before(seq):
    return lambda where, known: targets.just_before(where, seq)


def at(text):
    return lambda where, known: by_time.at_time(where, known, moments.parse(text), text)


def verbs(config, length):
    """What each verb does, in an order in which each has the whole journal before it."""
    where, half = config.layout, length // 2
    middle = clock.rfc3339(clock.now() - half / 1000, 3)
    yield "log", lambda: log.transactions(where, False, 50)
    yield "log --largest", lambda: log.transactions(where, True, 50)
    yield "points", lambda: bounds.summary(where, catalogue.scan(where))
    yield "restore --plan", lambda: plan.run(config, targets.latest)
    yield "restore --plan --to-before", lambda: plan.run(config, before(half))
    yield "restore --plan --to", lambda: plan.run(config, at(middle))
    yield "restore --to", lambda: restore.run(config, at(middle))
    yield "restore latest", lambda: (lose_data(where), restore.run(config, targets.latest))
    yield "restore --to-before", lambda: restore.run(config, before(half))
    yield "undo", lambda: restore.run(config, targets.undo)
    yield "backup", lambda: backup.run(config)
    yield "prove", lambda: proof.run(config)
    yield "prune", lambda: retention.run(config, dry_run=False)
    yield "verify", lambda: verify.check_all(where, [])
    with open("/dev/null", "wb") as nowhere:
        yield "export", lambda: export.run(config, nowhere)


def peaks(config, length):
    """The most memory of each verb, in bytes."""
    volumes.ensure_initialised(config.layout)
    journals.write(config.layout, length)
    found = {}
    for name, act in verbs(config, length):
        tracemalloc.start()
        try:
            act()
            found[name] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    return found


@pytest.mark.usefixtures("unsynced")
def test_memory_does_not_grow_with_the_journal(environment, tmp_path):
    def of(length):
        folder = tmp_path / str(length)
        for name in ("data", "backup"):
            (folder / name).mkdir(parents=True)
        volumes_of = {"PRA_DATA_DIR": f"{folder}/data", "PRA_BACKUP_DIR": f"{folder}/backup"}
        return peaks(settings.load({**environment, **volumes_of}), length)

    of(100)  # what is loaded once counts for nobody
    short, long = of(SHORT), of(LONG)
    print(f"peaks in bytes: {short} {long}")
    grown = {name: long[name] - short[name] for name in long}
    assert {name: more for name, more in grown.items() if more > SLACK} == {}
