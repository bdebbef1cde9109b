"""Giving a checked copy its name, then its manifest; and removing what stopped half-way."""

import contextlib
import os

from pra.base import clock, layout, sealing
from pra.base.layout import Layout
from pra.disk import files, look
from pra.lineage import in_use, marks
from pra.points import elapsed, manifest, verify
from pra.points.catalogue import Point

#: How far names may run ahead of the clock, in seconds; more is a clock that was wrong.
_AHEAD = 86_400


def publish(where: Layout, known: list[Point], temporary: str, content: dict) -> Point:
    """Give a checked copy its name, then its manifest; never over an existing file.

    Args:
        known: the points there are, for the next serial number and the time.
    """
    now = clock.now()
    epoch = int(now)
    content = {
        "format": manifest.FORMAT,
        "serial": 1 + max((point.serial for point in known), default=0),
        "created": clock.rfc3339(epoch),
        "created_epoch": epoch,
        "created_time": round(now, 3),
        "steady_time": round(elapsed.now(known), 3),
        "clock": elapsed.jump(known),
        "lineage": marks.lineage_of(where.backup),
        **content,
    }
    # Its first name has to outlive a power loss, or half a point could not be told from a copy.
    files.fsync_directory(where.temporary)
    name = _link_free_name(where, temporary, _first_name(known, epoch))
    content["name"] = name
    files.fsync_directory(where.backup)
    unpublished = f"{where.temporary}/snapshot.json"
    files.remove(unpublished)
    files.write_new(unpublished, sealing.seal(content))
    files.link_new(unpublished, where.manifest(name))
    files.fsync_directory(where.backup)
    files.remove(unpublished)
    files.remove(temporary)
    status, reason = content["status"], content["reason"]
    return Point(name, epoch, content["bytes"], status, reason, content)


def _first_name(known: list[Point], epoch: int) -> int:
    """The first second to try: after names that several points a second pushed ahead.

    The name of a point that was removed meanwhile must not come to mean another.
    """
    ahead = [layout.point_epoch(point.name) for point in known]
    return max((1 + other for other in ahead if epoch <= other < epoch + _AHEAD), default=epoch)


def _link_free_name(where: Layout, temporary: str, epoch: int) -> str:
    while True:
        name = layout.point_name(epoch)
        if look.size(where.manifest(name)) is None:
            with contextlib.suppress(FileExistsError):
                files.link_new(temporary, where.point(name))
                return name
        epoch += 1


def sweep(where: Layout) -> None:
    """Remove what an interrupted backup or removal left; needs the maintenance lock.

    A point's file without its manifest still has another name here: that tells
    it from a file that somebody copied by hand.
    """
    in_use.sweep(where)
    for entry in look.names(where.temporary):
        path = f"{where.temporary}/{entry}"
        if entry.endswith(".db") and os.stat(path).st_nlink > 1:
            _unpublish_half(where, path)
        files.remove(path)


def _unpublish_half(where: Layout, path: str) -> None:
    wanted = look.identity(path)
    for name in look.names(where.backup):
        half = layout.POINT_NAME.fullmatch(name) and look.size(where.manifest(name)) is None
        if half and look.identity(where.point(name)) == wanted:
            files.remove(where.point(name))


def already_quarantined(where: Layout, known: list[Point], content: dict) -> Point | None:
    """The newest quarantined point if it holds the same bytes, as read: once is enough."""
    newest = next((point for point in known if point.status == "quarantined"), None)
    if newest is None or newest.manifest["sha256"] != content["sha256"]:
        return None
    return newest if verify.fault(where, newest) is None else None
