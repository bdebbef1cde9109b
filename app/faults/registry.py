"""Damage planted in what decides which history is the latest: records, marks, links, locks.

Where one copy of two is hit, everything goes on with the right history. Where both are,
the program may refuse; never may it take another history for the latest, and never is a
generation removed that holds rows.
"""

import os
import random
import shutil
from collections.abc import Callable

from faults.world import Reporter, Rows, World, in_child
from pra.base import layout, sealing
from pra.base.errors import PraError
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.protect import backup, retention
from pra.state import volumes

#: Harms one file, which exists.
Harm = Callable[[str, random.Random], None]


def lost(path: str, rng: random.Random) -> None:
    """It is gone."""
    os.unlink(path)


def flipped(path: str, rng: random.Random) -> None:
    """One bit of it."""
    data = _read(path)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _write(path, data)


def truncated(path: str, rng: random.Random) -> None:
    """It is cut at any length, zero included."""
    data = _read(path)
    _write(path, data[: rng.choice((0, rng.randrange(len(data))))])


def of_another_history(path: str, rng: random.Random) -> None:
    """A sound one of another volume pair in its place."""
    content = sealing.unseal(bytes(_read(path)))
    _write(path, sealing.seal({**content, "lineage": rng.randbytes(16).hex()}))


def of_another_number(path: str, rng: random.Random) -> None:
    """A sound one of another timeline in its place."""
    content = sealing.unseal(bytes(_read(path)))
    _write(path, sealing.seal({**content, "number": content.get("number", 0) + 1}))


HARMS: list[Harm] = [lost, flipped, truncated, of_another_history, of_another_number]


def one_copy(world: World, rng: random.Random) -> str:
    """One copy of a record or of a mark."""
    path = _record(world, rng)
    hit = rng.choice((path, layout.twin(path)))
    # Two sound marks that differ: whose the volume is nobody can tell.
    harm = rng.choice(HARMS[:3] if path.endswith("volume.json") else HARMS)
    harm(hit, rng)
    return f"{harm.__name__}: {hit}"


def one_folder(world: World, rng: random.Random) -> str:
    """All that lies in one of the two folders of the registry."""
    folder = rng.choice((world.where.timelines, f"{world.where.backup}/{layout.COPY}"))
    shutil.rmtree(folder)
    return folder


def both_copies(world: World, rng: random.Random) -> str:
    """Both copies of a record or of a mark."""
    path = _record(world, rng)
    harms = [rng.choice(HARMS) for _ in range(2)]
    for one, harm in zip((path, layout.twin(path)), harms, strict=True):
        harm(one, rng)
    return f"{', '.join(harm.__name__ for harm in harms)}: {path}"


def whole_registry(world: World, rng: random.Random) -> str:
    """Both folders of records."""
    for folder in (world.where.timelines, f"{world.where.backup}/{layout.COPY}/timelines"):
        shutil.rmtree(folder)
    return "the registry"


def link(world: World, rng: random.Random) -> str:
    """The link to the database: gone, or leading elsewhere."""
    os.unlink(world.where.link)
    target = rng.choice((None, "g9/app.db", "g1/app.db", "elsewhere", "../x"))
    if target:
        os.symlink(target, world.where.link)
    return f"link: {target}"


def locks(world: World, rng: random.Random) -> str:
    """A lock's file, or all of them."""
    names = sorted(os.listdir(world.where.locks))
    for name in rng.choice((names, [rng.choice(names)])):
        os.unlink(f"{world.where.locks}/{name}")
    return "locks"


def litter(world: World, rng: random.Random) -> str:
    """Files that nobody here wrote, in the folders of records, uses and unfinished files."""
    for folder in (world.where.timelines, world.where.uses, world.where.temporary):
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{rng.choice(('9.x', 'a.json', 'lost+found'))}", "wb") as file:
            file.write(rng.randbytes(40))
    return "litter"


#: What must go on as if nothing had been, and what may be refused.
HARMLESS = [one_copy, one_folder, locks, litter]
GRAVE = [both_copies, whole_registry, link]


def examine(template: World, live: Rows, plant, seed: int, folder: str) -> str | None:
    """Plant one damage; let a start, a write, a backup and retention happen; restore."""
    world = template.copy(f"{folder}/case")
    try:
        told = in_child(lambda reporter: _examine(world, live, plant, seed, reporter)).values
        return told.get("exception") or told.get("problem", "the examination died")
    finally:
        world.remove()


def _examine(world: World, live: Rows, plant, seed: int, reporter: Reporter) -> None:
    said = plant(world, random.Random(seed))
    generations = {name for name in os.listdir(world.where.data) if name.startswith("g")}
    acknowledged, refused = _unattended(world)
    reporter.tell("problem", _problem(world, live, plant, acknowledged, refused, generations, said))


def _unattended(world: World) -> tuple[Rows, list[str]]:
    acknowledged, refused = [], []

    def write() -> None:
        added = SqliteEvents(world.config).add("after the damage")
        acknowledged.append((added["id"], added["timestamp"], added["message"]))

    for act in (
        lambda: start.prepare(world.config),
        write,
        lambda: backup.run(world.config),
        lambda: retention.run(world.config, dry_run=False),
    ):
        try:
            act()
        except (PraError, OSError) as error:
            refused.append(str(error))
    return acknowledged, refused


def _problem(world, live, plant, acknowledged, refused, generations, said) -> str | None:
    if not generations <= set(os.listdir(world.where.data)):
        return f"{said}: a generation was removed"
    if plant in HARMLESS and refused:
        return f"{said}: {refused}"
    world.lose_data()
    try:
        world.restore_latest()
    except PraError as error:
        return f"{said}: {error}" if plant in HARMLESS or acknowledged else None
    if volumes.current(world.where) is None or world.rows() != live + acknowledged:
        return f"{said}: {len(world.rows())} of {len(live + acknowledged)} rows, without a word"
    return None


def _record(world: World, rng: random.Random) -> str:
    names = [
        f"{world.where.timelines}/{name}" for name in sorted(os.listdir(world.where.timelines))
    ]
    return rng.choice([*names, f"{world.where.backup}/.pra/volume.json"])


def _read(path: str) -> bytearray:
    with open(path, "rb") as file:
        return bytearray(file.read())


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
