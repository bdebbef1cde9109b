"""On what the data volume stood when a backup saw it last: what tells a lost one from a late one.

A volume whose mount comes late is an empty folder, as a new one is. What lies below the
mount is another file system than the one that the database was on, or another place of the
same; so each verified backup notes both on the backup volume. It notes as well what the
servers promise of the writes that follow it: no mode that is set later says that.
"""

import contextlib
from typing import NamedTuple

from pra.base import sealing
from pra.base.layout import Layout
from pra.disk import files, look, mounts

_KIND, _FORMAT = "pra-data-volume", 1
#: The mode of the journal with which all that is acknowledged is in it.
_JOURNALED = "required"


class Seen(NamedTuple):
    """What a backup saw.

    Attributes:
        lineage, timeline: of the database that it copied.
        filesystem: what the data volume was on; None where that does not say which it is.
        shared: the backup volume was on the same.
        below: how many folders it was below a mount; None where that was not known.
        journal: the least mode of the journal that a server had then; None where one did
            not say.
    """

    lineage: str
    timeline: int
    filesystem: str | None
    shared: bool
    below: int | None
    journal: str | None


def note(where: Layout, lineage: str, timeline: int, journal: str | None) -> None:
    """Keep what the data volume is on, and what is promised; needs the maintenance lock.

    Best done, but not worth a backup: where it is missing, only nothing is restored unasked.
    """
    with contextlib.suppress(OSError):
        ground = mounts.of(where.data)
        shared = mounts.shared(where.data, where.backup)
        here = Seen(lineage, timeline, ground.filesystem, shared, ground.below, journal)
        if seen(where) != here:
            content = {"kind": _KIND, "format": _FORMAT, **here._asdict()}
            files.write_replacing(where.data_volume, sealing.seal(content))


def seen(where: Layout) -> Seen | None:
    """What the last verified backup saw; None where none noted it, or that cannot be read."""
    try:
        content = sealing.unseal(look.read_small(where.data_volume) or b"")
    except (look.NotRegular, ValueError):
        return None
    if (content.get("kind"), content.get("format")) != (_KIND, _FORMAT):
        return None
    return Seen(*(content.get(field) for field in Seen._fields))


def promise_less(where: Layout) -> None:
    """Forget it, as a server begins to serve that acknowledges what no journal has.

    Until the next backup nothing says then what is on the data volume alone.

    Raises:
        OSError: it cannot be forgotten.
    """
    found = seen(where)
    if found and found.journal == _JOURNALED:
        files.remove(where.data_volume)


def late(where: Layout, before: Seen) -> str | None:
    """Why an empty data volume may be one whose mount is missing; None if it is not.

    It is not where its file system is there: the one that the database was on, alone or
    with the backup volume, or one that is mounted as a whole in its place.

    Raises:
        OSError: it cannot be looked at.
    """
    ground, shared = mounts.of(where.data), mounts.shared(where.data, where.backup)
    if _unmounted(before.below, ground.below):
        return (
            f"{where.data} is empty, and the last backup saw it on a mount that is not there now:"
            " so looks a volume whose mount is late"
        )
    same = ground.filesystem is not None and ground.filesystem == before.filesystem
    if (before.shared and shared) or (not before.shared and same) or (ground.own and not shared):
        return None
    return (
        f"{where.data} is empty, and is on another file system than the last backup saw it on:"
        " so looks a volume whose mount is late"
    )


def _unmounted(before: int | None, now: int | None) -> bool:
    """Whether a mount is missing that was there, or that cannot be told.

    A folder of the same disk that is mounted late, and the writable layer of a container
    that was started without its volume, are on the very file system that was seen.
    """
    return before != now and (before is None or now is None or now > before)
