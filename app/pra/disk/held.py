"""Files that a process keeps locked while it is there: the lock ends with it, however it ends."""

import contextlib
import fcntl
from collections.abc import Iterator

from pra.disk import files


@contextlib.contextmanager
def looking(path: str) -> Iterator[tuple[int, bool]]:
    """Descriptor of what a process says, and whether it ended, whose lock is then held here.

    The descriptor is -1, and nobody ended, where there is no such file any more.
    """
    try:
        fd = files.open_read(path)
    except FileNotFoundError:
        yield -1, False
        return
    try:
        # Shared: two who look at once do not take each other for somebody who serves.
        yield fd, files.try_lock(fd, fcntl.LOCK_SH)
    finally:
        files.close(fd)
