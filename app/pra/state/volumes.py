"""The two volumes: the current generation, the first start, what they must be able to do."""

import os

from pra.base import layout
from pra.base.errors import NeedsRestore, ReadOnly, Refused
from pra.base.layout import Layout
from pra.disk import files, locks, look
from pra.journal import segments
from pra.lineage import marks, timelines
from pra.points import catalogue

_DOING = "looking at the volumes"
#: What comes next where there is neither a database nor anything to restore.
_BEGIN = (
    "mount the volumes that have it, if there are any (PRA_DATA_DIR, PRA_BACKUP_DIR); else"
    " python -m pra serve begins anew on two empty ones, python -m pra adopt FILE from a copy"
)


def current(where: Layout) -> int | None:
    """The number of the current generation; None if the data volume has no database.

    Raises:
        Refused: something else than our link is in the database's place.
    """
    target = look.read_link(where.link)
    if target is None:
        return None
    number = layout.link_generation(target)
    if number is None:
        raise Refused(
            _DOING,
            f"{where.link} is not a link to a generation of this application",
            "move it away; to use its rows, copy it to the backup volume as"
            " app-<epoch seconds>.db and restore that point by name",
        )
    return number


def restorable(where: Layout) -> bool:
    """Whether the backup volume holds anything to restore: points, or a journal."""
    listed = any(layout.POINT_NAME.fullmatch(name) for name in look.names(where.backup))
    return listed or any(name.endswith(".seg") for name in look.names(where.journal))


def missing(where: Layout, doing: str) -> NeedsRestore:
    """The error for a data volume without a database."""
    left = others(where)
    if not left:
        return NeedsRestore(
            doing,
            f"the data volume has no database ({where.link})",
            "restore it: python -m pra restore latest" if restorable(where) else _BEGIN,
        )
    return NeedsRestore(
        doing,
        f"the link {where.link} is gone; the data volume still holds"
        f" {', '.join(f'g{number}' for number in left)}",
        f"put the link back: ln -s g{left[-1]}/app.db {where.link}; or python -m pra restore"
        " latest, which keeps each of them as a safety point first",
    )


def next_number(where: Layout) -> int:
    """A generation and timeline number that was never used; needs the maintenance lock.

    Also none that only a segment or a point names: its record may be lost.
    """
    used = [layout.generation_number(name) for name in look.names(where.data)]
    used += timelines.numbers(where)
    used += [segment.timeline for segment in segments.listing(where)]
    places = ((point.manifest or {}).get("position") for point in catalogue.scan(where))
    used += [place["timeline"] for place in places if place]
    return 1 + max((number for number in used if number is not None), default=0)


def switch(where: Layout, number: int) -> None:
    """Make a generation the current one, in one step, for good."""
    temporary = f"{where.data}/app.db.new"
    files.remove(temporary)
    files.symlink(f"g{number}/app.db", temporary)
    files.fsync_directory(where.data)
    files.replace(temporary, where.link)
    files.fsync_directory(where.data)


def complete(where: Layout, number: int) -> None:
    """Give a folder that is built the name of a generation; it is not the current one yet."""
    files.replace(where.building(number), where.generation(number))
    files.fsync_directory(where.data)


def others(where: Layout) -> list[int]:
    """The generations that are there and not the current one.

    Each may hold rows that nothing else has: where the link was lost, the newest ones.
    """
    found = (layout.generation_number(name) for name in look.names(where.data))
    return sorted(number for number in found if number not in (None, current(where)))


def drop_unfinished(where: Layout) -> None:
    """Remove what an interrupted restore was building; needs the maintenance lock.

    No row depends on it: by that name nobody ever wrote to it, and all that it was
    made of is on the backup volume.
    """
    for name in look.names(where.data):
        if layout.is_building(name):
            files.remove_tree(f"{where.data}/{name}")


def drop_replaced(where: Layout) -> None:
    """Remove the generations that the last restore replaced; needs the maintenance lock.

    No row depends on them: the link leads to what that restore made, so it completed its
    swap, and before that it kept each generation that its record names as a safety point.
    """
    number = current(where)
    # Where its record is lost nothing is known of them, and they stay.
    timeline = timelines.read_if_sound(where, number) if number is not None else None
    for other in timeline.replaced if timeline else ():
        if other != number:
            files.remove_tree(where.generation(other))


def prepare_locks(where: Layout) -> None:
    """Make what the locks need, and nothing that says anything of a history."""
    for path in (f"{where.backup}/.pra", where.locks):
        files.make_directory(path)


def prepare_backup_volume(where: Layout) -> None:
    """Make the folders that a history needs, and unfinished files."""
    prepare_locks(where)
    for path in (where.timelines, where.journal, where.temporary):
        files.make_directory(path)


def refuse_unwritable(where: Layout, doing: str) -> None:
    """Refuse work that would fail half-way on a volume that cannot be written.

    Raises:
        ReadOnly
    """
    for directory in (where.data, where.backup):
        if not look.writable(directory):
            raise ReadOnly(
                doing,
                f"the volume {directory} cannot be written",
                "make it writable for this user, then try again",
            )


def probe(directory: str) -> None:
    """Check that a volume keeps the promises that locks and renames rely on.

    Network file systems do not, whatever their name: two opens of one file
    would both get its lock, a deleted file lives on under another name, or
    there are no hard links.

    Raises:
        Refused: it does not.
        OSError: it cannot be written.
    """
    folder = f"{directory}/.pra/probe-{os.getpid()}-{marks.new_identity()}"
    files.make_directory(folder)
    try:
        fault = _probe_fault(folder)
    finally:
        files.remove_tree(folder)
    if fault:
        raise Refused(
            f"checking the volume {directory}",
            f"{fault}; it seems to be a network file system",
            "use a volume of a local file system",
        )


def _probe_fault(folder: str) -> str | None:
    path, second = f"{folder}/one", f"{folder}/two"
    one, other = files.open_new(path), files.open_read(path)
    try:
        if not files.try_lock(one) or files.try_lock(other):
            return "a lock does not exclude others"
        files.link_new(path, second)
        if look.identity(second) != look.identity_of(one):
            return "a hard link is not the same file"
        files.remove(path)
        files.remove(second)
        return "deleted files stay" if look.names(folder) else None
    except OSError as error:
        return f"hard links or locks fail ({error.strerror})"
    finally:
        files.close(one)
        files.close(other)


def ensure_initialised(where: Layout) -> None:
    """Create database and marks on two empty volumes; anything else is left alone.

    Two first starts at once take turns; one that was interrupted is finished
    by the next. No acknowledged row can be affected: without a link, a generation, a
    point and a journal there is none, and nothing is removed that has the name of any.
    """
    if current(where) is not None or restorable(where) or not _empty(where):
        return
    prepare_backup_volume(where)
    files.make_directory(f"{where.data}/.pra")
    for directory in (where.data, where.backup):
        probe(directory)
    with locks.maintenance(where, "initialising the volumes"):
        if current(where) is None and not restorable(where) and _empty(where):
            _initialise(where)


def _empty(where: Layout) -> bool:
    """Whether the data volume holds no generation but one that a first start just made.

    That one stands where its timeline begins, empty: nobody ever wrote to it.
    """
    found = others(where)
    return not found or (len(found) == 1 and _begun(where, found[0]) is not None)


def _begun(where: Layout, number: int) -> timelines.Timeline | None:
    timeline = timelines.read(where, number)
    untouched = timeline and timeline.empty and unwritten(where, number)
    return timeline if untouched and not timeline.active else None


def unwritten(where: Layout, number: int) -> bool:
    """Whether a generation's database still stands where its timeline begins.

    Then no row was ever written to it, and what it was made of is on the backup volume.
    """
    from pra.state import position

    begins = timelines.read_if_sound(where, number)
    found = position.readable(f"{where.generation(number)}/app.db", _DOING)
    here = found.position if found else None
    return bool(begins and here) and (begins.seq, begins.hash) == (here.seq, here.hash)


def _initialise(where: Layout) -> None:
    from pra.state import generations

    mark = marks.mark_of(where.backup) or marks.write_mark(where.backup, marks.new_identity())
    drop_unfinished(where)
    finished = others(where)
    if finished:
        number = finished[0]
    else:
        number = next_number(where)
        start = generations.create_empty(where, mark.lineage, number)
        timelines.register(where, timelines.beginning(start, empty=True))
        complete(where, number)
    marks.write_mark(where.data, mark.lineage)
    switch(where, number)
    timelines.activate(where, number)
