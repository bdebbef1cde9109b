"""How full the volumes are, and refusing what no longer fits.

Neither a folder nor a claim of the usual storage classes has a size of its own:
the application holds itself to the declared one, and fails in the way of a disk
that is full. Where the file system has less left than that, this counts.
"""

import contextlib
import errno
import os
import time
from typing import NamedTuple

from pra.base.layout import Layout
from pra.disk import look

#: What a write of the application may add to the data volume: the pages of its
#: transaction, which are in the log and later in the database too.
WRITE_BYTES = 64 << 10
#: How old the look at the volume may be that a write relies on, in seconds.
_WRITE_LOOK = 0.1

_looks: dict[str, tuple[float, "Room"]] = {}


class Room(NamedTuple):
    """The room on a volume, in bytes.

    Attributes:
        size: what it is held to; None if only its file system limits it.
        used: the sizes of its files.
        free: what can still be added.
    """

    size: int | None
    used: int
    free: int


def of(where: Layout, directory: str, max_age: float = 0.0) -> Room:
    """The room on the volume ``directory``.

    Args:
        max_age: how old the answer may be, in seconds.
    """
    now = time.monotonic()
    known = _looks.get(directory)
    if known and now - known[0] < max_age:
        return known[1]
    found = with_used(where, directory, _sum(directory))
    _looks[directory] = now, found
    return found


def with_used(where: Layout, directory: str, used: int) -> Room:
    """The room on a volume whose files are known to have so many bytes."""
    size, free = where.size_of(directory), look.free_bytes(directory)
    return Room(size, used, free if size is None else max(0, min(free, size - used)))


def reserve(where: Layout, directory: str, needed: int, max_age: float = 0.0) -> None:
    """Make sure that so many bytes can be added to a volume.

    Raises:
        OSError: ENOSPC, as a full disk would say it.
    """
    if of(where, directory, max_age).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), directory)


def reserve_write(where: Layout) -> None:
    """Make sure that the database can take one more write; cheap enough for each.

    Raises:
        OSError: ENOSPC.
    """
    reserve(where, where.data, WRITE_BYTES, _WRITE_LOOK)


def _sum(path: str) -> int:
    """Sizes of the files below a directory, in bytes; a file with several names counts once."""
    total, seen, folders = 0, set(), [path]
    while folders:
        # What others remove meanwhile is not there to count.
        with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    found = entry.stat(follow_symlinks=False)
                    if found.st_nlink > 1 and found.st_ino in seen:
                        continue
                    seen.add(found.st_ino)
                    total += found.st_size
    return total
