"""The checks are alive: with each switched off, some planted damage gets through."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

from faults import damage
from faults.damage import Plant
from faults.world import World
from pra.disk import copying
from pra.events.sqlite import SqliteEvents
from pra.journal import chain, scanning, segments
from pra.points import catalogue, verify
from pra.sql import connect, schema

#: How many damages are tried before a check is called dead, and with it switched on.
TRIES, CONTROLS = 40, 10


@dataclass(frozen=True)
class Check:
    """One check, how to switch it off, and a damage that it should find."""

    name: str
    off: Callable[[], None]
    plant: Plant


def cases(folder: str, rng: random.Random, long: bool) -> Iterator[tuple[str, str | None]]:
    """Each check twice: switched on nothing gets through, switched off something does."""
    template, live = damage.prepare(folder)
    for check in CHECKS:
        seeds = [rng.randrange(1 << 30) for _ in range(TRIES)]

        def tried(prelude, seeds=seeds, check=check):
            for seed in seeds:
                yield damage.examine(template, live, check.plant, seed, folder, prelude)

        controls = seeds if long else seeds[:CONTROLS]
        on = next((problem for problem in tried(lambda: None, controls) if problem), None)
        yield f"{check.name}, switched on", on
        # A switch that crashes lets nothing through.
        through = (one for one in tried(check.off) if one and not one.startswith(damage.CRASHED))
        off = next(through, None)
        yield f"{check.name}, switched off", None if off else "it is dead: nothing got through"


def _no_seal() -> None:
    def decode(raw: bytes, name: str) -> dict:
        try:
            content = json.loads(raw)
            return {**content, "serial": int(content["serial"]), "rows": int(content["rows"])}
        except (UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(str(error)) from error

    catalogue.manifest.decode = decode


def _no_hash_when_verifying() -> None:
    verify.fault = lambda where, point: (
        point.reason
        if point.status == "damaged"
        else verify.content_fault(where.point(point.name), point.manifest)
    )


def _no_hash_when_restoring() -> None:
    copy = copying.copy_read_back

    def trusting(source: str, target: str) -> str:
        copy(source, target)
        with open(source.replace(".db", ".json")) as file:
            return json.load(file)["sha256"]

    copying.copy_read_back = trusting


def _no_comparison_of_content() -> None:
    verify._difference = lambda conn, known: None


def _no_integrity_check() -> None:
    schema.fault = lambda conn: None


def _no_page_checksums() -> None:
    connect.checksums = lambda: "unix"
    connect.has_checksums = lambda conn: True


def _no_chain() -> None:
    scanning.hashlib = mock.Mock(**{"sha256.return_value.digest.return_value": mock.ANY})


def _no_look_behind_the_end() -> None:
    scanning.Scan.hole = lambda self: None


def _no_continuity_of_segments() -> None:
    def enter(self, header) -> None:
        self.begun = self.begun or header.state().applied == self.place

    chain.Reader.enter = enter


def _no_header_checksum() -> None:
    scanning._sound_header = lambda head: True


def broken_copy(world: World, rng: random.Random) -> str:
    """A plain copy of a database with a page that is not one."""
    name = "app-1.db"
    with open(world.where.point(catalogue.scan(world.where)[0].name), "rb") as file:
        data = bytearray(file.read())
    data[-4096:] = rng.randbytes(4096)
    with open(world.where.point(name), "wb") as file:
        file.write(data)
    return name


def lost_segment(world: World, rng: random.Random) -> str:
    """A segment in the middle of several is gone, and so are the points behind it."""
    segments.SIZE = 2048
    events = SqliteEvents(world.config)
    while len(segments.listing(world.where)) < 4:
        events.add("message")
    gone = segments.listing(world.where)[2].path
    os.unlink(gone)
    return gone


def torn_record_that_looks_like_more(world: World, rng: random.Random) -> str:
    """A torn last record whose text looks like the beginning of another record."""
    before = shutil.copytree(world.where.data, f"{world.folder}/kept", symlinks=True)
    SqliteEvents(world.config).add("PRAR " * 50)
    path = segments.listing(world.where)[-1].path
    with open(path, "rb") as file:
        data = file.read()
    end = len(data.rstrip(b"\0"))
    with open(path, "wb") as file:
        file.write(data[: end - 20].ljust(len(data), b"\0"))
    shutil.rmtree(world.where.data)
    shutil.move(before, world.where.data)
    return path


CHECKS = [
    Check("the manifest's seal", _no_seal, damage.flipped_manifest_bit),
    Check("the hash when verifying", _no_hash_when_verifying, damage.padded_database),
    Check("the hash when restoring", _no_hash_when_restoring, damage.padded_database),
    Check("content against manifest", _no_comparison_of_content, damage.edited_manifest),
    Check("the integrity check", _no_integrity_check, broken_copy),
    Check("the checksums of pages", _no_page_checksums, damage.rotten_row),
    Check("the chain of records", _no_chain, damage.flipped_last_record_bit),
    Check("the look behind the end", _no_look_behind_the_end, damage.zeroed_journal),
    Check("continuity of segments", _no_continuity_of_segments, lost_segment),
    Check("the header's checksum", _no_header_checksum, torn_record_that_looks_like_more),
]
damage.POINT_PLANTS.append(broken_copy)
damage.JOURNAL_PLANTS.append(lost_segment)
