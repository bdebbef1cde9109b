"""Proving that the copies can be used: they open, and what they lead to can be restored."""

from pra.base import layout
from pra.base.errors import PraError
from pra.base.settings import Settings
from pra.disk import files
from pra.offsite import copies, fetch, stores
from pra.offsite.copies import Objects, Reader
from pra.offsite.fetch import Asking
from pra.offsite.names import ChunkName, Name
from pra.offsite.rebuild import Rebuilt


def run(settings: Settings, asking: Asking, every: bool) -> dict:
    """Restore the newest copy aside, and check it.

    Args:
        every: also read every object, and put every point together.

    Returns:
        {"ok", "history", "objects": how many there are, "points": [{"name", "ok", "reason"}]
        (with ``every``), "latest": what the restore answered or None, "faults"}

    Raises:
        PraError: the store cannot be used, or the key opens nothing there.
    """
    store = stores.of(settings)
    objects = copies.choose(copies.histories(store, hidden=True), asking.history, store.shown)
    reader = Reader(store, asking.identity, objects.history)
    faults, points = ([], []) if not every else _every(settings, asking, reader, objects)
    answer = None
    try:
        with fetch.restored(settings, asking) as (_, answer):
            pass
        faults += [one for one in answer["faults"] if one not in faults]
    except PraError as error:
        faults.append(str(error))
    return {
        "ok": not faults and all(one["ok"] for one in points),
        "history": objects.history,
        "objects": objects.count,
        "points": points,
        "latest": answer,
        "faults": faults,
    }


def _every(
    settings: Settings, asking: Asking, reader: Reader, objects: Objects
) -> tuple[list[str], list[dict]]:
    """Read every object but points' own, which are read as points."""
    pieces = [piece for found in objects.pieces.values() for piece in found]
    every: list[Name] = [*objects.records, *pieces, *map(ChunkName, sorted(objects.chunks))]
    faults = []
    for name in every:
        try:
            reader.content(name)
        except PraError as error:
            faults.append(str(error))
    with fetch.folder(asking.folder) as place:
        where = fetch.of_folder(settings, place).layout
        rebuilt = Rebuilt(where, reader, objects)
        points = [_put_together(rebuilt, name) for name in objects.points]
    return faults, points


def _put_together(rebuilt: Rebuilt, name) -> dict:
    file, reason = layout.point_name(name.epoch), None
    try:
        rebuilt.bring(name)
        # One at a time: all of them may need more room than there is.
        files.remove(rebuilt.where.point(file))
        files.remove(rebuilt.where.manifest(file))
    except PraError as error:
        reason = str(error)
    return {"name": file, "ok": reason is None, "reason": reason}
