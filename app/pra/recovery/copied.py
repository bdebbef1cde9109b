"""Building a database as a copy: of a point, of the current database, of an exported file."""

from typing import TYPE_CHECKING

from pra.base.errors import Damaged, NoRoom, Refused
from pra.base.layout import Layout
from pra.disk import copying, files, look, space
from pra.pitr import targets
from pra.points import manifest, verify
from pra.points.catalogue import Point
from pra.recovery import current
from pra.recovery.built import BuiltDatabase, Timer
from pra.state import generations, volumes

if TYPE_CHECKING:
    from pra.points.archive import Copy

#: Space that a restore leaves free on the data volume, in bytes.
HEADROOM = 4 << 20
_ADOPTING = "adopting the exported copy"


def from_point(
    where: Layout, point: Point, number: int, force: bool, timer: Timer
) -> BuiltDatabase:
    """Copy a restore point, by its name.

    Raises:
        Refused, NoRoom, Damaged: it is not fit, or its copy is not.
    """
    refuse_unfit(where, point, force)
    path, rows = copy_verified(where, point, number, force, timer)
    start = targets.start_of(point) if point.status in ("verified", "safety") else None
    return BuiltDatabase(path, point.name, start, rows)


def from_current(where: Layout, number: int, force: bool, timer: Timer) -> BuiltDatabase:
    """Copy the database that is there as it is.

    Raises:
        NoRoom, Damaged: it does not fit, or cannot be read.
    """
    path = generations.folder(where, number)
    source = f"{where.generation(volumes.current(where))}/app.db"
    size = (look.size(source) or 0) + (look.size(f"{source}-wal") or 0)
    refuse_without_room(where, current.DOING, size)
    start, unchecked = current.copy(where, source, path, force)
    timer.lap("build")
    return BuiltDatabase(path, None, start, unchecked=unchecked)


def from_copy(where: Layout, copy: "Copy", number: int, timer: Timer) -> BuiltDatabase:
    """Take an exported copy in as it arrives; what is refused leaves nothing behind."""
    refuse_without_room(where, _ADOPTING, copy.content["bytes"])
    path = generations.folder(where, number)
    fd = files.open_new(path)
    try:
        for piece in copy.database():
            files.write_all(fd, piece)
        files.fsync(fd)
    finally:
        files.close(fd)
    timer.lap("build")
    if copying.sha256(path) != copy.content["sha256"]:
        raise Damaged(_ADOPTING, "the copy reads back differently", "check the data volume")
    reason = verify.content_fault(path, copy.content)
    if reason:
        raise Damaged(_ADOPTING, reason, "take another copy")
    timer.lap("verify")
    return BuiltDatabase(path, None, None)


def refuse_unfit(where: Layout, point: Point, force: bool) -> None:
    """Refuse a point that is not verified, unless forced, or for which there is no room."""
    doing = f"restoring {point.name}"
    if not point.bytes:
        raise Refused(doing, "its file is missing or empty", "choose another point")
    if point.status in ("quarantined", "damaged") and not force:
        raise Refused(
            doing,
            f"it is {point.status}: {point.reason}",
            "choose another point, or add --force to restore it all the same",
        )
    if point.manifest and not manifest.proves_content(point.manifest) and not force:
        raise Refused(doing, f"it is a {point.reason}", "choose another point, or add --force")
    refuse_without_room(where, doing, point.bytes)


def refuse_without_room(where: Layout, doing: str, size: int) -> None:
    """Refuse what would not leave ``HEADROOM`` on the data volume.

    Raises:
        NoRoom
    """
    needed = size + HEADROOM
    free = space.of(where, where.data).free
    if free < needed:
        raise NoRoom(
            doing, f"it needs {needed} bytes on the data volume, {free} are free", "free space"
        )


def copy_verified(
    where: Layout, point: Point, number: int, force: bool, timer: Timer
) -> tuple[str, int | None]:
    """Copy, and check the copy as it reads back.

    Integrity and rows were proven when the point was made; equal hashes carry them over.
    A point without a manifest has no such proof and is checked page by page.

    Returns:
        The copy's path, and its rows where they are proven.
    """
    doing = f"restoring {point.name}"
    source, path = where.point(point.name), generations.folder(where, number)
    found = copying.copy_read_back(source, path)
    timer.lap("build")
    known = point.manifest
    proven = known and found == known["sha256"]
    # Where nothing says what it should be, the copy is held against its source.
    if not proven and found != copying.sha256(source):
        raise Damaged(doing, "the copy reads back differently", "check the data volume")
    if known and not proven and not force:
        raise Damaged(doing, "the file's SHA-256 is not the manifest's", "choose another point")
    proven = proven and manifest.proves_content(known)
    reason = None if proven else verify.content_fault(path, None)
    if reason:
        raise Damaged(doing, reason, "choose another point")
    timer.lap("verify")
    return path, known["rows"] if proven else None
