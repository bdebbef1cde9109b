"""Proving that the copies can be used: they open, and what they lead to can be restored."""

import random

from pra.base import layout
from pra.base.errors import PraError
from pra.base.settings import Settings
from pra.disk import files
from pra.offsite import copies, fetch, proofs, push, shipping, stores
from pra.offsite.copies import Objects, Reader
from pra.offsite.fetch import Asking
from pra.offsite.names import ChunkName, Name, PointName
from pra.offsite.rebuild import Rebuilt


def run(settings: Settings, asking: Asking, every: bool, sample: int = 0) -> dict:
    """Restore the newest copy aside, and check it; note that it was proven.

    Args:
        every: also read every object, and put every point together.
        sample: also read so many others, chosen at random, and put one more point together.

    Returns:
        {"ok", "history", "objects": how many there are, "read": how many were read by name,
        "points": [{"name", "ok", "reason"}] (those that were put together), "latest": what the
        restore answered or None, "proven": when that was noted, in seconds since 1970, None if it
        was not, "deleted_seen": whether what somebody deleted could be looked for, "faults"}

    Raises:
        PraError: the store cannot be used, or the key opens nothing there.
    """
    store = stores.of(settings)
    histories, deleted_seen = copies.with_hidden(store)
    objects = copies.choose(histories, asking.history, store.shown)
    fetch.refuse_empty(objects, store.shown)
    reader = Reader(store, asking.identity, objects.history)
    names, chosen = _chosen(objects, every, sample)
    faults, points = _read(settings, asking, reader, objects, names, chosen)
    answer = None
    try:
        with fetch.restored(settings, asking) as (_, answer):
            pass
        faults += [one for one in answer["faults"] if one not in faults]
    except PraError as error:
        faults.append(str(error))
    ok = not faults and all(one["ok"] for one in points)
    found = {
        "ok": ok,
        "history": objects.history,
        "objects": objects.count,
        "read": len(names),
        "points": points,
        "latest": answer,
        "proven": None,
        "deleted_seen": deleted_seen,
        "faults": faults,
    }
    if ok:
        newest = max((one.epoch for one in objects.points), default=0)
        try:
            found["proven"] = proofs.record(store, reader.key, newest, every)
        except PraError as error:
            # Whoever may only read has proven it all the same.
            found["unnoted"] = str(error)
        _note_here(settings, found)
    return found


def _note_here(settings: Settings, found: dict) -> None:
    """Note it on the volume as well, where that is the one that was copied."""
    try:
        own = push.key_of(settings.layout).history
    except (PraError, OSError):
        return
    if own == found["history"] and found["proven"] is not None:
        shipping.note_proof(settings, own, found["proven"])


def _chosen(objects: Objects, every: bool, sample: int) -> tuple[list[Name], list[PointName]]:
    """The objects to be read by name, and the points to be put together."""
    pieces = [piece for found in objects.pieces.values() for piece in found]
    names: list[Name] = [*objects.records, *pieces, *map(ChunkName, sorted(objects.chunks))]
    if every:
        return names, objects.points
    chance = random.SystemRandom()
    points = objects.points[1:] if sample else []
    return (
        chance.sample(names, min(sample, len(names))),
        chance.sample(points, min(1, len(points))),
    )


def _read(
    settings: Settings,
    asking: Asking,
    reader: Reader,
    objects: Objects,
    names: list[Name],
    chosen: list[PointName],
) -> tuple[list[str], list[dict]]:
    """Read objects, but points' own, which are read as points."""
    faults = []
    for name in names:
        try:
            reader.content(name)
        except PraError as error:
            faults.append(str(error))
    if not chosen:
        return faults, []
    with fetch.folder(asking.folder) as place:
        where = fetch.of_folder(settings, place).layout
        rebuilt = Rebuilt(where, reader, objects)
        points = [_put_together(rebuilt, name) for name in chosen]
    return faults, points


def _put_together(rebuilt: Rebuilt, name: PointName) -> dict:
    file, reason = layout.point_name(name.epoch), None
    try:
        rebuilt.bring(name)
        # One at a time: all of them may need more room than there is.
        files.remove(rebuilt.where.point(file))
        files.remove(rebuilt.where.manifest(file))
    except PraError as error:
        reason = str(error)
    return {"name": file, "ok": reason is None, "reason": reason}
