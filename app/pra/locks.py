"""Locks that order writers, backups and restores.

They live on ``pra-backup`` and not on the volume that gets lost: a process that
still holds the old database and one that holds the new would each have SQLite's
own write lock. Order of taking them: maintenance, turnstile, writer, then
SQLite's write lock.
"""

import contextlib
import time
from collections.abc import Iterator

from pra import fileops
from pra.errors import Locked, VolumeGone
from pra.layout import Layout

#: How long a request waits for its turn to write, in seconds.
WRITE_WAIT = 5.0
#: How long a backup or a restore waits for another one to end, in seconds.
MAINTENANCE_WAIT = 60.0


@contextlib.contextmanager
def maintenance(layout: Layout, doing: str, seconds: float | None = None) -> Iterator[None]:
    """Hold the turn of backup, restore and clean-up.

    Raises:
        Locked: another one still holds it after ``seconds``.
    """
    wait = MAINTENANCE_WAIT if seconds is None else seconds
    with _held(layout, "maintenance", time.monotonic() + wait, doing):
        yield


@contextlib.contextmanager
def writer(layout: Layout, doing: str, seconds: float | None = None) -> Iterator[None]:
    """Hold the right to write to the database.

    The turnstile is what makes it fair: who waits for the writer lock stands
    in it, so a writer that comes straight back queues behind, and a restore
    gets its turn within one transaction of each writer.

    Raises:
        Locked: no turn within ``seconds``.
    """
    deadline = time.monotonic() + (WRITE_WAIT if seconds is None else seconds)
    with contextlib.ExitStack() as turn, contextlib.ExitStack() as queue:
        queue.enter_context(_held(layout, "turnstile", deadline, doing))
        # Only one can be here, so it may look often: the next turn begins sooner.
        turn.enter_context(_held(layout, "writer", deadline, doing, pause=0.0001))
        queue.close()
        yield


@contextlib.contextmanager
def _held(
    layout: Layout, name: str, deadline: float, doing: str, pause: float = 0.001
) -> Iterator[None]:
    fd = _take(f"{layout.locks}/{name}", deadline, doing, pause)
    try:
        yield
    finally:
        fileops.close(fd)


def _take(path: str, deadline: float, doing: str, pause: float) -> int:
    """Open and lock; the path must still lead to that file afterwards."""
    while True:
        try:
            fd = fileops.open_lock(path)
        except FileNotFoundError:
            raise VolumeGone(
                doing,
                "the backup volume is not there or not initialised",
                "mount it (PRA_BACKUP_DIR); if it is lost: python -m pra backup --new-volume",
            ) from None
        try:
            taken = fileops.lock(fd, deadline, pause)
            # A volume recreated at the same path has other lock files, and a
            # lock on a deleted one excludes nobody.
            valid = taken and fileops.identity(path) == fileops.identity_of(fd)
        except BaseException:
            fileops.close(fd)
            raise
        if valid:
            return fd
        fileops.close(fd)
        if time.monotonic() >= deadline:
            raise Locked(doing, "somebody else holds the lock", "try again in a moment")
