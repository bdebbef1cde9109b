"""Damage planted in points, journal and database: all of it is found, none is restored."""

import os
import random
import re
from collections.abc import Callable, Iterator

import apsw

from faults import registry
from faults.world import Reporter, Rows, World, in_child
from pra.base import sealing
from pra.base.errors import Damaged, PraError
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import targets
from pra.points import catalogue, manifest, verify
from pra.protect import backup
from pra.recovery import restore
from pra.sql import connect
from pra.state import volumes

#: Plants one damage; returns the name of the point it is in.
Plant = Callable[[World, random.Random], str]
#: How an examination that ended in an exception is told.
CRASHED = "the examination crashed: "


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Every case's name and what went wrong; 850 in the long run, 135 in the short one."""
    template, live = prepare(folder)
    plants = [*POINT_PLANTS, *LIVE_PLANTS, *JOURNAL_PLANTS]
    for number in range(500 if long else 100):
        plant = plants[number % len(plants)]
        seed = rng.randrange(1 << 30)
        yield f"{plant.__name__} (seed {seed})", examine(template, live, plant, seed, folder)
    plants = [*registry.HARMLESS, *registry.GRAVE]
    for number in range(350 if long else 35):
        plant = plants[number % len(plants)]
        seed = rng.randrange(1 << 30)
        problem = registry.examine(template, live, plant, seed, folder)
        yield f"registry, {plant.__name__} (seed {seed})", problem


def prepare(folder: str) -> tuple[World, Rows]:
    """Volumes with three points and a journal behind the last; and their rows.

    A write was undone before: another history than the latest is there to be taken.
    """
    world = World.empty(f"{folder}/template")

    def work(reporter: Reporter) -> None:
        volumes.ensure_initialised(world.where)
        segments.SIZE = 4096
        events = SqliteEvents(world.config)
        for number in range(12):
            events.add(f"row {number}")
            if number == 0:
                events.add("BAD")
                restore.run(world.config, lambda where, known: targets.just_before(where, 2))
            if number in (1, 3, 5):
                backup.run(world.config)
        reporter.tell("live", world.rows())

    return world, [tuple(row) for row in in_child(work).values["live"]]


def examine(
    template: World,
    live: Rows,
    plant: Plant,
    seed: int,
    folder: str,
    prelude: Callable[[], None] = lambda: None,
) -> str | None:
    """Plant one damage and see that it is found and not restored.

    Args:
        prelude: done first in the child; switches a check off.
    """
    world = template.copy(f"{folder}/case")

    def work(reporter: Reporter) -> None:
        prelude()
        reporter.tell("problem", _examine(world, live, plant, random.Random(seed)))

    try:
        told = in_child(work).values
        if "exception" in told:
            return CRASHED + told["exception"]
        return told.get("problem", "the examination died")
    finally:
        world.remove()


def _examine(world: World, live: Rows, plant: Plant, rng: random.Random) -> str | None:
    name = plant(world, rng)
    if plant in LIVE_PLANTS:
        return _examine_live(world, live)
    if plant in POINT_PLANTS and not _found(world, plant, name):
        return f"the damage in {name} is not found"
    world.lose_data()
    try:
        result = world.restore_latest()
    except PraError as error:
        if plant not in JOURNAL_PLANTS:
            return f"a sound base was there, but: {error}"
        return _no_way_on(world)
    rows = world.rows()
    if rows == live:
        return None
    if plant in JOURNAL_PLANTS and rows == live[:-1] and result["tail"]:
        # The very last record: a torn one looks the same, so it is said.
        return None
    if plant is lost_newest_segment and rows == live[: len(rows)] and result["warnings"]:
        # A stop between two segments looks the same.
        return None
    return f"restored {len(rows)} of {len(live)} rows without a word"


def _no_way_on(world: World) -> str | None:
    """Which of the ways that a refusal names does not work, and why; None if all do."""
    newest = catalogue.latest(catalogue.scan(world.where)).name
    for name, force in (("latest", True), (newest, False)):
        try:
            world.bring(name, force)
        except PraError as error:
            return f"refused, and restore {name} does not lead on: {error}"
    return None


def _examine_live(world: World, live: Rows) -> str | None:
    """No backup may take it for good, and a restore brings back what was acknowledged."""
    try:
        backup.run(world.config)
        world.lose_data()
    except Damaged:
        pass
    world.restore_latest()
    return None if world.rows() == live else "a changed row became part of a point"


def _found(world: World, plant: Plant, name: str) -> bool:
    listed = {point.name: point for point in catalogue.scan(world.where)}
    if name not in listed:
        return False
    if listed[name].status == "damaged" or plant is lost_manifest:
        return listed[name].status != "verified"
    return not verify.check_all(world.where, [name])["ok"]


def _any_point(world: World, rng: random.Random) -> str:
    return rng.choice(catalogue.scan(world.where)).name


def _read(path: str) -> bytearray:
    with open(path, "rb") as file:
        return bytearray(file.read())


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def flipped_bit(world: World, rng: random.Random) -> str:
    """One bit of a point's file."""
    name = _any_point(world, rng)
    _flip(world.where.point(name), rng)
    return name


def flipped_manifest_bit(world: World, rng: random.Random) -> str:
    """One bit of a manifest."""
    name = _any_point(world, rng)
    _flip(world.where.manifest(name), rng)
    return name


def _flip(path: str, rng: random.Random, start: int = 0, end: int | None = None) -> None:
    data = _read(path)
    data[rng.randrange(start, end or len(data))] ^= 1 << rng.randrange(8)
    _write(path, data)


def truncated(world: World, rng: random.Random) -> str:
    """A point's file cut at any length, zero included."""
    name = _any_point(world, rng)
    data = _read(world.where.point(name))
    _write(world.where.point(name), data[: rng.choice((0, rng.randrange(len(data))))])
    return name


def truncated_manifest(world: World, rng: random.Random) -> str:
    """A manifest cut at any length."""
    name = _any_point(world, rng)
    data = _read(world.where.manifest(name))
    _write(world.where.manifest(name), data[: rng.randrange(len(data))])
    return name


def zeroed_page(world: World, rng: random.Random) -> str:
    """A whole page of zeros, the size unchanged."""
    name = _any_point(world, rng)
    data = _read(world.where.point(name))
    start = 4096 * rng.randrange(len(data) // 4096)
    data[start : start + 4096] = bytes(4096)
    _write(world.where.point(name), data)
    return name


def swapped_files(world: World, rng: random.Random) -> str:
    """Two points' files exchanged: both whole, both of the same size."""
    one, two = (world.where.point(point.name) for point in catalogue.scan(world.where)[:2])
    os.rename(one, f"{one}.away")
    os.rename(two, one)
    os.rename(f"{one}.away", two)
    return os.path.basename(one)


def swapped_manifests(world: World, rng: random.Random) -> str:
    """Two manifests exchanged."""
    one, two = (world.where.manifest(point.name) for point in catalogue.scan(world.where)[:2])
    os.rename(one, f"{one}.away")
    os.rename(two, one)
    os.rename(f"{one}.away", two)
    return os.path.basename(one).replace(".json", ".db")


def edited_manifest(world: World, rng: random.Random) -> str:
    """A manifest that claims other facts, sealed again."""
    name = _any_point(world, rng)
    content = manifest.decode(bytes(_read(world.where.manifest(name))), name)
    del content["name"]
    change = rng.choice(({"rows": 99}, {"max_id": 99}, {"sha256": "0" * 64}, {"bytes": 4096}))
    _write(world.where.manifest(name), sealing.seal({**content, "name": name, **change}))
    return name


def other_database(world: World, rng: random.Random) -> str:
    """A sound SQLite file of something else in the point's place."""
    name = _any_point(world, rng)
    os.unlink(world.where.point(name))
    conn = apsw.Connection(world.where.point(name))
    conn.execute("CREATE TABLE events(id INTEGER PRIMARY KEY, ts TEXT, message TEXT)")
    conn.execute("PRAGMA user_version=7")
    conn.close()
    return name


def padded_database(world: World, rng: random.Random) -> str:
    """Another sound database, of the size that the manifest says."""
    name = _any_point(world, rng)
    size = os.path.getsize(world.where.point(name))
    other_rows = connect.open_unchecked(world.where.point(name))
    other_rows.execute("UPDATE events SET message = 'X' || substr(message, 2) WHERE id = 1")
    other_rows.close()
    assert os.path.getsize(world.where.point(name)) == size
    return name


def rotten_row(world: World, rng: random.Random) -> str:
    """One bit of a row on the data volume: SQLite's own checks have nothing against it."""
    path = os.path.realpath(world.where.link)
    conn = connect.open_live(path)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    conn.close()
    found = [one.start() for one in re.finditer(rb"row [0-9]", bytes(_read(path)))]
    at = rng.choice(found)
    _flip(path, rng, at, at + 5)
    return path


def lost_file(world: World, rng: random.Random) -> str:
    """A point's file is gone, its manifest stays."""
    name = _any_point(world, rng)
    os.unlink(world.where.point(name))
    return name


def lost_manifest(world: World, rng: random.Random) -> str:
    """A manifest is gone, so nothing is known of the file."""
    name = _any_point(world, rng)
    os.unlink(world.where.manifest(name))
    return name


def _segment(world: World) -> str:
    return segments.listing(world.where)[-1].path


def _used(path: str) -> int:
    return len(bytes(_read(path)).rstrip(b"\0"))


def flipped_journal_bit(world: World, rng: random.Random) -> str:
    """One bit of the journal, header or record."""
    path = _segment(world)
    _flip(path, rng, 0, _used(path))
    return path


def flipped_last_record_bit(world: World, rng: random.Random) -> str:
    """One bit in the last hundred bytes of the journal."""
    path = _segment(world)
    _flip(path, rng, _used(path) - 100, _used(path))
    return path


def zeroed_journal(world: World, rng: random.Random) -> str:
    """Zeros of any length in the middle of the journal."""
    path = _segment(world)
    data, used = _read(path), _used(path)
    start = rng.randrange(used - 200)
    length = rng.randrange(1, used - 150 - start)
    data[start : start + length] = bytes(length)
    _write(path, data)
    return path


def removed_record(world: World, rng: random.Random) -> str:
    """A record cut out, those behind it moved up."""
    path = _segment(world)
    records = list(segments.read(segments.listing(world.where)[-1])[1])
    gone = rng.choice(records[:-1])
    data = _read(path)
    del data[gone.offset : gone.end]
    _write(path, data)
    return path


def swapped_records(world: World, rng: random.Random) -> str:
    """Two neighbouring records exchanged."""
    path = _segment(world)
    records = list(segments.read(segments.listing(world.where)[-1])[1])
    at = rng.randrange(len(records) - 1)
    one, two = records[at], records[at + 1]
    data = _read(path)
    data[one.offset : two.end] = data[two.offset : two.end] + data[one.offset : one.end]
    _write(path, data)
    return path


def lost_newest_segment(world: World, rng: random.Random) -> str:
    """The newest segment is gone, or all of them."""
    listed = segments.listing(world.where)
    for segment in rng.choice((listed, listed[-1:])):
        os.unlink(segment.path)
    return listed[-1].path


def lost_journal(world: World, rng: random.Random) -> str:
    """The header of the segment is gone."""
    path = _segment(world)
    data = _read(path)
    data[: rng.randrange(1, 1024)] = b""
    _write(path, data)
    return path


POINT_PLANTS: list[Plant] = [
    flipped_bit,
    flipped_manifest_bit,
    truncated,
    truncated_manifest,
    zeroed_page,
    swapped_files,
    swapped_manifests,
    edited_manifest,
    other_database,
    padded_database,
    lost_file,
    lost_manifest,
]
LIVE_PLANTS: list[Plant] = [rotten_row]
JOURNAL_PLANTS: list[Plant] = [
    flipped_journal_bit,
    flipped_last_record_bit,
    zeroed_journal,
    removed_record,
    swapped_records,
    lost_journal,
    lost_newest_segment,
]
