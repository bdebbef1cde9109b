"""Locks that order writers, backups and restores.

They live on ``pra-backup`` and not on the volume that gets lost: a process that
still holds the old database and one that holds the new would each have SQLite's
own write lock. Order of taking them: maintenance, turnstile, writer, then
SQLite's write lock.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

from pra import beside, fileops
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
    lock = _Lock(f"{layout.locks}/maintenance")
    lock.take(time.monotonic() + wait, doing)
    try:
        yield
    finally:
        lock.release()
        lock.close()


@contextlib.contextmanager
def writer(layout: Layout, doing: str, seconds: float | None = None) -> Iterator[None]:
    """Hold the right to write to the database.

    Raises:
        Locked: no turn within ``seconds``.
    """
    turn = Turn(layout)
    try:
        turn.take(doing, seconds)
        try:
            yield
        finally:
            turn.release()
    finally:
        turn.close()


class Turn:
    """The right to write to the database, taken again and again by one thread at a time.

    The turnstile is what makes it fair: who waits for the writer lock stands
    in it, so a writer that comes straight back queues behind, and a restore
    gets its turn within one transaction of each writer.

    The lock files stay open in between, which spares each write the system
    calls for opening and looking at them. Two threads that shared a turn would
    share the lock, and so would a process and its fork.
    """

    def __init__(self, layout: Layout):
        self._turnstile = _Lock(f"{layout.locks}/turnstile")
        self._writer = _Lock(f"{layout.locks}/writer")

    def take(self, doing: str, seconds: float | None = None) -> None:
        """Wait for the turn.

        Raises:
            Locked: it did not come within ``seconds``.
            VolumeGone, OSError: the backup volume failed.
        """
        deadline = time.monotonic() + (WRITE_WAIT if seconds is None else seconds)
        self._turnstile.take(deadline, doing)
        try:
            self._writer.take(deadline, doing)
        finally:
            self._turnstile.release()

    def release(self) -> None:
        """Let the next one have its turn."""
        self._writer.release()

    def close(self) -> None:
        """Give up the turn and the open files."""
        self._turnstile.close()
        self._writer.close()


class _Place:
    """A place in the line for a lock, kept by a thread: the system knows no deadline.

    Who gives up must see to it that the lock is let go once it comes. Closing the file
    is not enough for that: a process that was forked meanwhile has it open too.

    Attributes:
        fd: the lock file, which the place owns until its turn comes.
    """

    def __init__(self, fd: int):
        self.fd = fd
        self._changing = threading.Lock()
        self._wanted, self._over = True, False

    def stand(self) -> None:
        """Wait for the lock; let it go at once if nobody wants it any more."""
        try:
            fileops.wait_for_lock(self.fd)
        finally:
            with self._changing:
                self._over = True
                if not self._wanted:
                    fileops.unlock(self.fd)
                    fileops.close(self.fd)

    def leave(self) -> bool:
        """Give up; False if the turn came before, and the lock is held."""
        with self._changing:
            if self._over and self._wanted:
                return False
            self._wanted = False
            return True

    def come_back(self) -> bool:
        """Want it again; False if the turn came and went meanwhile."""
        with self._changing:
            self._wanted = self._wanted or not self._over
            return self._wanted


class _Lock:
    """One lock file, opened when it is first taken."""

    def __init__(self, path: str):
        self._path = path
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._place: _Place | None = None
        self._companion, self._standing = beside.Companion(), False

    def __del__(self):
        self.close()

    def take(self, deadline: float, doing: str) -> None:
        """Lock; the path must still lead to that file afterwards.

        A volume recreated at the same path has other lock files, and a lock on
        a deleted one excludes nobody.
        """
        while True:
            try:
                taken = self._take(deadline, doing)
                if taken and fileops.identity(self._path) == self._identity:
                    return
            except BaseException:
                self.close()
                raise
            if not taken:
                raise Locked(doing, "somebody else holds the lock", "try again in a moment")
            self.close()

    def _take(self, deadline: float, doing: str) -> bool:
        if self._place is None or not self._place.come_back():
            self._place = None
            if self._fd < 0:
                self._open(doing)
            if fileops.try_lock(self._fd):
                return True
            if deadline <= time.monotonic():
                return False
            self._stand_in_line()
        if not self._companion.wait(max(0.0, deadline - time.monotonic())):
            if self._place.leave():
                # The thread stays in line: the next try goes on from there.
                return False
            self._companion.wait()
        self._standing = False
        self._place, self._fd = None, self._place.fd
        return True

    def _stand_in_line(self) -> None:
        if self._standing:
            # Its thread still has a place that nobody came back to.
            self._companion = beside.Companion()
        self._place, self._fd = _Place(self._fd), -1
        self._companion.start(self._place.stand)
        self._standing = True

    def release(self) -> None:
        """Unlock, also for a process that was forked meanwhile; the file stays open."""
        fileops.unlock(self._fd)

    def close(self) -> None:
        """Close the file, which unlocks it, and give up a place in line."""
        if self._place is not None and not self._place.leave():
            self._fd = self._place.fd
        self._place = None
        if self._fd >= 0:
            fileops.close(self._fd)
        self._fd = -1

    def _open(self, doing: str) -> None:
        try:
            self._fd = fileops.open_lock(self._path)
        except FileNotFoundError:
            raise VolumeGone(
                doing,
                "the backup volume is not there or not initialised",
                "mount it (PRA_BACKUP_DIR); if it is lost: python -m pra backup --new-volume",
            ) from None
        self._identity = fileops.identity_of(self._fd)
