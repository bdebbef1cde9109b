"""Lock files: locking them, and seeing that they are still those of the volume."""

import os

from pra.base.errors import VolumeGone
from pra.disk import files, inode, look


class LockFiles:
    """Lock files of a folder, taken one after the other, each released when the next is held."""

    def __init__(self, paths: tuple[str, ...]):
        self._locks = [_LockFile(path) for path in paths]
        self._folder = inode.Folder(os.path.dirname(paths[0]))
        # How many were taken; the last of those is held.
        self._taken = 0

    def take(self, doing: str, wait: bool) -> bool:
        """Take them all; False where one is not free and ``wait`` says not to wait for it.

        The paths must still lead to those files afterwards. A volume recreated at the same
        path has other lock files, and a lock on a deleted one excludes nobody.
        """
        try:
            while True:
                if not self._take_each(doing, wait):
                    return False
                if self._folder.quiet() or all(lock.in_place() for lock in self._locks):
                    return True
                self.close()
        except BaseException:
            self.close()
            raise

    def _take_each(self, doing: str, wait: bool) -> bool:
        while self._taken < len(self._locks):
            if not self._locks[self._taken].take(doing, wait):
                return False
            self._taken += 1
            if self._taken > 1:
                self._locks[self._taken - 2].release()
        return True

    def release(self) -> None:
        """Release what is held."""
        if self._taken:
            self._locks[self._taken - 1].release()
        self._taken = 0

    def close(self) -> None:
        """Release what is held, and close the files."""
        self.release()
        for lock in self._locks:
            lock.close()


class _LockFile:
    """One lock file, opened when it is first taken."""

    def __init__(self, path: str):
        self._path = path
        self._fd = -1
        self._identity: tuple[int, int] | None = None

    def __del__(self):
        self.close()

    def take(self, doing: str, wait: bool) -> bool:
        """Lock; False where it is not free and ``wait`` says not to wait for it."""
        if self._fd < 0:
            self._open(doing)
        if not wait:
            return files.try_lock(self._fd)
        files.wait_for_lock(self._fd)
        return True

    def in_place(self) -> bool:
        """Whether the path leads to the file that is open."""
        return look.identity(self._path) == self._identity

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
