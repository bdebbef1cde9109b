"""Locks that order writers, backups and restores.

They live on ``pra-backup`` and not on the volume that gets lost: a process that
still holds the old database and one that holds the new would each have SQLite's
own write lock. Order of taking them: maintenance, turnstile, writer, then
SQLite's write lock.
"""

import contextlib
from collections.abc import Iterator

from pra.base.layout import Layout
from pra.disk import fairlock, held, lockfiles, look

#: How long a request waits for the right to write, in seconds. Together with connect.BUSY_MS
#: it ends before a client gives up after five seconds, so that the client is told the reason.
WRITE_WAIT = 2.5
#: How long a backup or a restore waits for another one to end, in seconds.
MAINTENANCE_WAIT = 60.0


@contextlib.contextmanager
def maintenance(layout: Layout, doing: str, seconds: float | None = None) -> Iterator[None]:
    """Hold the right to make, restore and remove points.

    Raises:
        Locked: another one still holds it after ``seconds``.
    """
    lock = fairlock.FairLock(f"{layout.locks}/maintenance")
    with _held(lock, doing, MAINTENANCE_WAIT if seconds is None else seconds):
        yield


def maintained(layout: Layout) -> bool:
    """Whether somebody makes, restores or removes points just now.

    Raises:
        OSError: that cannot be told.
    """
    with held.looking(f"{layout.locks}/maintenance") as (fd, free):
        return fd >= 0 and not free


@contextlib.contextmanager
def writer(layout: Layout, doing: str, seconds: float | None = None) -> Iterator[None]:
    """Hold the right to write to the database.

    Raises:
        Locked: another one still holds it after ``seconds``.
    """
    with _held(writer_lock(layout), doing, WRITE_WAIT if seconds is None else seconds):
        yield


def writer_lock(layout: Layout) -> fairlock.FairLock:
    """The right to write to the database.

    The turnstile is what makes it fair: who waits for the writer lock stands
    in it, so a writer that comes straight back queues behind, and a restore
    gets its turn within one transaction of each writer.
    """
    return fairlock.FairLock(f"{layout.locks}/turnstile", f"{layout.locks}/writer")


@contextlib.contextmanager
def _held(lock: fairlock.FairLock, doing: str, seconds: float) -> Iterator[None]:
    try:
        lock.acquire(doing, seconds)
        try:
            yield
        finally:
            lock.release()
    finally:
        lock.close()


def refuse_gone(layout: Layout, doing: str) -> None:
    """Refuse what needs a lock where no lock can be had.

    Raises:
        VolumeGone
    """
    if look.identity(layout.locks) is None:
        raise lockfiles.gone(layout.locks, doing)
