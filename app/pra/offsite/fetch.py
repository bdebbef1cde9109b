"""Bringing back what was copied elsewhere: rebuilt and restored in a folder of its own."""

import contextlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pra.base import layout, moments
from pra.base.errors import Damaged, Refused, Unknown
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import aside, files
from pra.lineage import timelines
from pra.offsite import copies, stores
from pra.offsite.copies import Objects, Reader
from pra.offsite.crypt import Identity
from pra.offsite.names import PointName
from pra.offsite.rebuild import Rebuilt
from pra.pitr import paths, targets
from pra.pitr.targets import Goal
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.protect import export
from pra.recovery import arguments, restore
from pra.recovery.arguments import Asked


class Asking(NamedTuple):
    """What is wanted of the copies.

    Attributes:
        identity: the private keys.
        target: latest, a point's name, before:SEQ or a moment.
        history: how the name of the history begins; None: the only one.
        folder: where to work; None: where the system has its temporary files.
    """

    identity: Identity
    target: str = "latest"
    history: str | None = None
    folder: str | None = None


def run(settings: Settings, asking: Asking, out: BinaryIO) -> dict:
    """Write an exported copy of a moment, for ``adopt``.

    Returns:
        What the restore answered, with "history" and "faults".

    Raises:
        PraError: ``out`` has no whole copy; no volume was touched.
    """
    with restored(settings, asking) as (config, answer):
        export.run(config, out, _known_until(config.layout, answer))
        return answer


def _known_until(where: Layout, answer: dict) -> float:
    """Until when everything is in it that was acknowledged, by what was copied.

    The copies do not tell for how long nothing had been written when they ended.
    """
    if answer["last_write"]:
        return moments.parse(answer["last_write"])
    bases = [one for one in catalogue.scan(where) if one.name == answer["point"] and one.manifest]
    if bases:
        return bases[0].manifest["created_time"]
    return min(one.created for one in timelines.readable(where))


@contextlib.contextmanager
def restored(settings: Settings, asking: Asking) -> Iterator[tuple[Settings, dict]]:
    """A moment, restored onto two volumes that are gone afterwards.

    Yields:
        Settings of those volumes, and the answer of the restore, with "history" and "faults".
    """
    store = stores.of(settings)
    objects = copies.choose(copies.with_hidden(store)[0], asking.history, store.shown)
    refuse_empty(objects, store.shown)
    reader = Reader(store, asking.identity, objects.history)
    asked = arguments.named(asking.target)
    with folder(asking.folder) as place:
        config = of_folder(settings, place)
        rebuilt = Rebuilt(config.layout, reader, objects)
        if not layout.POINT_NAME.fullmatch(asking.target):
            # A point by its name needs nothing else, and can be had where the rest is damaged.
            rebuilt.timelines()
            if asking.target != "latest":
                # Which moments there are is in the journal itself.
                rebuilt.journal(rebuilt.segments)
        _bring_base(rebuilt, objects, asked)
        answer = restore.run(config, asked.choose, target=asked.target)
        yield config, {**answer, "history": objects.history, "faults": rebuilt.faults}


def refuse_empty(objects: Objects, shown: str) -> None:
    """Refuse copies of a lab in which nothing had been written when they were made.

    Raises:
        Unknown: they hold neither a point nor a part of the journal.
    """
    if not objects.points and not objects.pieces:
        raise Unknown(
            f"looking for the copies in {shown}",
            f"{objects.history[:12]} has neither a point nor a part of the journal yet",
            "write something, or python -m pra backup; what copies the lab sends it",
        )


@contextlib.contextmanager
def folder(above: str | None) -> Iterator[str]:
    """Two empty volumes in a folder that is gone afterwards, as are those of who was killed.

    Args:
        above: where it is made; None: where the system has its temporary files.
    """
    with aside.folder("pra-offsite-", above) as made:
        for name in ("data", "backup"):
            files.make_directory(f"{made}/{name}")
        yield made


def of_folder(settings: Settings, folder: str) -> Settings:
    """Settings of those two volumes."""
    return settings._replace(
        database_url=None,
        data_dir=f"{folder}/data",
        backup_dir=f"{folder}/backup",
        data_mib=0,
        backup_mib=0,
        journal="required",
        journal_given=True,
        request=None,
    )


def _bring_base(rebuilt: Rebuilt, objects: Objects, asked: Asked) -> None:
    """Bring back the nearest sound point that leads to what is asked for.

    Raises:
        Refused: there is none.
    """
    known: list[Point] = []
    by_name: dict[str, PointName] = {}
    tried: set[str] = set()
    goal, reason = None, None
    for name in objects.points:
        try:
            point = rebuilt.manifest_of(name)
        except Damaged as error:
            rebuilt.faults.append(f"{error.doing}: {error.happened}")
            continue
        known.append(point)
        by_name[point.name] = name
        try:
            goal = asked.choose(rebuilt.where, known)
        except Unknown as error:
            # An older point may reach it.
            reason = error
            continue
        for base in _bases(goal, known):
            if base.name not in tried:
                tried.add(base.name)
                if _brought(rebuilt, by_name[base.name]):
                    _bring_way(rebuilt, goal, base)
                    return
    if not objects.points:
        # A lab that is new has its beginning and no point yet.
        goal = asked.choose(rebuilt.where, known)
    rebuilt.journal(rebuilt.segments if goal is not None and goal.path else [])
    if goal is not None and goal.path and goal.path.origin():
        return
    raise reason or Refused(
        f"looking for {asked.target} in the copies",
        "; ".join(["no point there leads to it", *rebuilt.faults]),
        "python -m pra offsite list shows the points, to be fetched by name",
    )


def _bring_way(rebuilt: Rebuilt, goal: Goal, base: Point) -> None:
    """Bring back what of the journal leads on from a base."""
    start = targets.start_of(base)
    if goal.path and start:
        rebuilt.journal(paths.leading_on(goal.path, start, rebuilt.segments, goal.until))


def _bases(goal: Goal, known: list[Point]) -> list[Point]:
    if goal.point:
        return [goal.point]
    found = targets.bases(goal.path, known, goal.until)
    return [base for base in found if isinstance(base, Point)]


def _brought(rebuilt: Rebuilt, name: PointName) -> bool:
    try:
        rebuilt.bring(name)
        return True
    except Damaged as error:
        rebuilt.faults.append(f"{error.doing}: {error.happened}")
        return False
