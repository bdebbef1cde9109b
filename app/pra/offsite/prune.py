"""Removing elsewhere what is not kept, by the rules of the volume, for whoever has the key.

What copies can neither read which parts a point needs nor has to be able to remove anything: so
this is for a person, with the private key and with credentials that may remove.
"""

import contextlib
import os
import time
from collections.abc import Iterator

from pra.base import clock
from pra.base.errors import Damaged, Locked, Refused
from pra.base.settings import Settings
from pra.offsite import copies, fetch, names, stores
from pra.offsite.copies import Objects, Reader
from pra.offsite.fetch import Asking
from pra.offsite.names import ChunkName, Fence, Name, PointName, Proof
from pra.offsite.rebuild import Rebuilt
from pra.offsite.store import Store
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.protect import keep

_DOING = "removing old copies"
#: How long a removal may take, and how long one counts that never said its end, in seconds.
_LONGEST, _STALE = 3000, 3600
#: So many notes of each kind of proof are kept.
_PROOFS = 5


def run(settings: Settings, asking: Asking, dry_run: bool) -> dict:
    """Remove what no kept point and no kept journal needs.

    Returns:
        {"history", "points": [names], "segments": count, "objects", "bytes": of what is gone, or
        would be, "held": {"objects", "bytes", "until": RFC 3339 or None} by a lock, "leftovers":
        files of uploads that were killed, "faults", "dry_run"}

    Raises:
        Locked: somebody else removes old copies.
        Refused: a point cannot be read, so what it needs is unknown; nothing was removed.
        PraError: the store cannot be used, or refuses; what was removed by then is gone.
    """
    store = stores.of(settings)
    chosen = copies.choose(copies.histories(store), asking.history, store.shown)
    reader = Reader(store, asking.identity, chosen.history)
    # Nobody who copies sees one of a trial.
    fence = contextlib.nullcontext() if dry_run else _fence(store, chosen)
    with fence:
        objects = _again(store, chosen.history)
        with fetch.folder(asking.folder) as place:
            there = fetch.of_folder(settings, place)
            return _Removal(there, store, reader, objects, dry_run).run()


def _again(store: Store, history: str) -> Objects:
    return copies.choose(copies.histories(store), history, store.shown)


@contextlib.contextmanager
def _fence(store: Store, objects: Objects) -> Iterator[None]:
    """Say to whoever copies that objects are being removed, until that has ended.

    Raises:
        Locked: somebody else says so.
    """
    now = int(clock.now())
    if other := [one for one in objects.fences if now - one.seconds < _STALE]:
        raise Locked(
            _DOING,
            f"somebody else does since {clock.rfc3339(other[0].seconds)}, or was killed at it",
            "wait for the end; where there is nobody, try again an hour after that",
        )
    mine = Fence(now, os.urandom(32).hex())
    path = f"{objects.history}/{names.text_of(mine)}"
    store.put(path, b"old copies are being removed\n")
    try:
        yield
    finally:
        for one in [*objects.fences, mine]:
            store.hide(f"{objects.history}/{names.text_of(one)}")


class _Removal:
    """Removes old copies of one history."""

    def __init__(
        self, there: Settings, store: Store, reader: Reader, objects: Objects, dry_run: bool
    ):
        """Begin.

        Args:
            there: settings of two empty volumes, with the rules of what is kept.
        """
        self._settings, self._store, self._reader = there, store, reader
        self._objects, self._dry_run = objects, dry_run
        self._rebuilt = Rebuilt(there.layout, reader, objects)
        self._parts: dict[PointName, list[str]] = {}
        self._end = time.monotonic() + _LONGEST
        self._gone = self._held = (0, 0)
        self._until: float | None = None
        self._faults: list[str] = []

    def run(self) -> dict:
        """Decide, and remove."""
        rebuilt, objects = self._rebuilt, self._objects
        rebuilt.timelines()
        rebuilt.journal(rebuilt.segments)
        by_name = {name: self._point(name) for name in objects.points}
        known, every = catalogue.in_order(by_name.values()), rebuilt.segments
        kept = keep.decide(self._settings, rebuilt.where, known, every)
        points = [name for name, point in by_name.items() if point.name not in kept.points]
        dropped = [segment for segment in every if segment.path not in kept.segments]
        gone = {segment[:2] for segment in dropped}
        self._remove(points)
        self._remove(self._pieces(gone))
        self._remove(self._proofs())
        self._remove(self._chunks(set(points)))
        return {
            "history": objects.history,
            "points": [by_name[name].name for name in points],
            "segments": len(dropped),
            "objects": self._gone[0],
            "bytes": self._gone[1],
            "held": {
                "objects": self._held[0],
                "bytes": self._held[1],
                "until": self._until and clock.rfc3339(self._until),
            },
            "leftovers": 0 if self._dry_run else self._store.sweep(),
            "faults": [*rebuilt.faults, *self._faults],
            "dry_run": self._dry_run,
        }

    def _point(self, name: PointName) -> Point:
        try:
            point = self._rebuilt.manifest_of(name)
            self._parts[name] = self._reader.point(name)[1]
        except Damaged as error:
            raise Refused(
                _DOING,
                f"what {names.text_of(name)} needs is unknown: {error.happened}",
                "give a key that opens it; where python -m pra offsite verify --all says that it is"
                " damaged, remove that object by the means of the store",
            ) from error
        return point

    def _pieces(self, gone: set[tuple[int, int]]) -> list[Name]:
        """The pieces of segments that are not kept, and those that a longer one stands for."""
        found: list[Name] = []
        for segment, pieces in self._objects.pieces.items():
            used = self._rebuilt.used.get(segment, [])
            reach = max((one.end for one in used), default=0)
            found += [
                one
                for one in pieces
                if segment in gone
                # Not one of another past.
                or (one not in used and one.end <= reach and self._rebuilt.holds(one))
            ]
        return found

    def _proofs(self) -> list[Name]:
        by_kind: dict[str, list[Proof]] = {}
        for one in sorted(self._objects.proofs, reverse=True):
            by_kind.setdefault(one.kind, []).append(one)
        return [one for own in by_kind.values() for one in own[_PROOFS:]]

    def _chunks(self, points: set[PointName]) -> list[Name]:
        """The parts that no point needs, also none that was copied meanwhile."""
        for name in _again(self._store, self._objects.history).points:
            if name not in self._parts:
                self._parts[name] = self._reader.point(name)[1]
        needed = {mac for name, own in self._parts.items() if name not in points for mac in own}
        return [ChunkName(mac) for mac in sorted(self._objects.chunks - needed)]

    def _remove(self, doomed: list[Name]) -> None:
        paths = [f"{self._objects.history}/{names.text_of(one)}" for one in doomed]
        if not self._dry_run and time.monotonic() > self._end:
            self._faults.append(f"{len(paths)} objects are left for want of time: type it again")
            return
        sizes = {path: self._objects.sizes.get(path, 0) for path in paths}
        held = {} if self._dry_run else self._store.remove(paths)
        for path, size in sizes.items():
            if path in held:
                self._held = (self._held[0] + 1, self._held[1] + size)
            else:
                self._gone = (self._gone[0] + 1, self._gone[1] + size)
        self._until = max([*held.values(), self._until or 0]) or None
