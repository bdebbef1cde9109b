"""One right that one at a time has, taken again and again by one thread at a time."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pra.base import threads
from pra.base.errors import Locked, VolumeGone
from pra.disk import files, look

T = TypeVar("T")


class Turn:
    """A right that one at a time has, taken again and again by one thread at a time.

    Who holds the last of its lock files has it. They are taken in order, each let go
    for the next, and stay open in between, which spares each write the system calls for
    opening them. Two threads that shared a turn would share the lock, and so would a
    process and its fork.
    """

    def __init__(self, *paths: str):
        self._paths = paths
        self._line = _Line(paths)
        self._companion = threads.Companion()
        self._place: _Place | None = None

    def run(self, doing: str, act: Callable[[], T], seconds: float) -> T:
        """Wait for the turn, act, let it go, and return what the act returned.

        The act is run by the thread that waited, which is not this one if it had to.

        Raises:
            Locked: the turn did not come within ``seconds``.
            VolumeGone, OSError: the volume of the locks failed.
        """
        # Its own line: who is interrupted leaves it, and goes on with another.
        outcome, line = [], self._line

        def while_held():
            try:
                outcome.append(act())
            finally:
                line.let_go()

        self._when_held(doing, while_held, seconds)
        return outcome[0]

    def take(self, doing: str, seconds: float) -> None:
        """Wait for the turn, and have it until it is let go.

        Raises:
            Locked, VolumeGone, OSError: as ``run`` does.
        """
        self._when_held(doing, lambda: None, seconds)

    def release(self) -> None:
        """Let the next one have its turn."""
        self._line.let_go()

    def close(self) -> None:
        """Give up the turn and the open files."""
        if self._place is None:
            self._line.close()
        else:
            self._forget_place()

    def _when_held(self, doing: str, act: Callable[[], None], seconds: float) -> None:
        """Act when the turn has come: in the thread that waited, since another would be late."""
        deadline = time.monotonic() + seconds
        if not self._come_back(act):
            if self._line.advance(doing, wait=False):
                act()
                return
            if seconds <= 0:
                self._line.let_go()
                raise locked(doing)
            self._stand(doing, act)
        try:
            came = self._companion.wait(max(0.0, deadline - time.monotonic()))
            if not came and not self._place.want(None):
                came = self._companion.wait()
        except Exception:
            self._place = None
            raise
        except BaseException:
            self._forget_place()
            raise
        if not came:
            # The thread stays in line: the next try goes on from there.
            raise locked(doing)
        self._place = None

    def _come_back(self, act: Callable[[], None]) -> bool:
        """Want the place again that was given up; False if there is none any more."""
        if self._place is None:
            return False
        if self._place.want(act):
            return True
        # Its turn came while nobody wanted it, or could not come.
        self._place = None
        with contextlib.suppress(Exception):
            self._companion.wait()
        return False

    def _stand(self, doing: str, act: Callable[[], None]) -> None:
        self._place = _Place(self._line, doing, act)
        try:
            self._companion.start(self._place.stand)
        except RuntimeError:
            # No more threads, so nobody stands there.
            self._place = None
            self._line.close()
            raise
        except BaseException:
            self._forget_place()
            raise

    def _forget_place(self) -> None:
        """Leave the line to the thread that stands in it, which closes it."""
        self._place.want(None)
        self._place = None
        self._line, self._companion = _Line(self._paths), threads.Companion()


class _Place:
    """A place in line, kept by a thread: the system knows no deadline for a lock.

    Who gives up must see to it that the lock is let go once it comes. Closing the file
    is not enough for that: a process that was forked meanwhile has it open too.

    Attributes:
        came: its turn has come, or cannot come.
    """

    def __init__(self, line: "_Line", doing: str, act: Callable[[], None]):
        self.came = False
        self._line, self._doing = line, doing
        self._changing = threading.Lock()
        self._act: Callable[[], None] | None = act

    def stand(self) -> None:
        """Wait, and act; let the turn go at once if nobody wants it any more."""
        try:
            self._line.advance(self._doing, wait=True)
        finally:
            with self._changing:
                self.came, act = True, self._act
        if act is None:
            self._line.let_go()
        else:
            act()

    def want(self, act: Callable[[], None] | None) -> bool:
        """Want this done when the turn comes, or nothing; False if it came before."""
        with self._changing:
            if not self.came:
                self._act = act
            return not self.came


class _Line:
    """Lock files that are taken one after the other, each let go when the next is held."""

    def __init__(self, paths: tuple[str, ...]):
        self._locks = [Lock(path) for path in paths]
        # How many were taken; the last of those is held.
        self._taken = 0

    def advance(self, doing: str, wait: bool) -> bool:
        """Get to the end; False where one is not free and ``wait`` says not to wait for it."""
        try:
            while self._taken < len(self._locks):
                if not self._locks[self._taken].take(doing, wait):
                    return False
                self._taken += 1
                if self._taken > 1:
                    self._locks[self._taken - 2].release()
            return True
        except BaseException:
            self.close()
            raise

    def let_go(self) -> None:
        """Let go what is held."""
        if self._taken:
            self._locks[self._taken - 1].release()
        self._taken = 0

    def close(self) -> None:
        """Let go what is held, and close the files."""
        self.let_go()
        for lock in self._locks:
            lock.close()


class Lock:
    """One lock file, opened when it is first taken."""

    def __init__(self, path: str):
        self._path = path
        self._fd = -1
        self._identity: tuple[int, int] | None = None

    def __del__(self):
        self.close()

    def take(self, doing: str, wait: bool) -> bool:
        """Lock; the path must still lead to that file afterwards.

        A volume recreated at the same path has other lock files, and a lock on
        a deleted one excludes nobody.
        """
        while True:
            if self._fd < 0:
                self._open(doing)
            if wait:
                files.wait_for_lock(self._fd)
            elif not files.try_lock(self._fd):
                return False
            if look.identity(self._path) == self._identity:
                return True
            self.close()

    def release(self) -> None:
        """Unlock, also for a process that was forked meanwhile; the file stays open."""
        files.unlock(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            files.close(self._fd)
        self._fd = -1

    def _open(self, doing: str) -> None:
        try:
            self._fd = files.open_lock(self._path)
        except FileNotFoundError:
            raise gone(os.path.dirname(self._path), doing) from None
        self._identity = look.identity_of(self._fd)


def gone(folder: str, doing: str) -> VolumeGone:
    """The error for locks that cannot be had: their folder is gone, or the whole volume."""
    if look.identity(os.path.dirname(folder)) is not None:
        return VolumeGone(
            doing,
            f"the folder of the locks is gone from the backup volume ({folder})",
            f"make it again, it holds no data: mkdir {folder}",
        )
    return VolumeGone(
        doing,
        "the backup volume is not there or not initialised",
        "mount it (PRA_BACKUP_DIR); if it is lost: python -m pra backup --new-volume",
    )


def locked(doing: str) -> Locked:
    """The error for a turn that did not come in time."""
    return Locked(doing, "somebody else holds the lock", "try again in a moment")
