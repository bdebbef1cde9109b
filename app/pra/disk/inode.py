"""Whether a name still leads to the file that is open: writing to a deleted one succeeds."""

import os
import time

from pra.disk import files, look


class Name:
    """The name of a file that is held open, so that nothing else gets its inode meanwhile."""

    def __init__(self, path: str, identity: tuple[int, int] | None):
        self._path, self._identity = path, identity
        self._folder_path = os.path.dirname(path)
        self._folder: tuple[int, ...] | None = None

    def holds(self) -> bool:
        """Whether it leads to the file that it led to.

        Its folder tells, since that changes with any of its names. To look at
        the file itself would cost each record a write more: Linux from 6.13 on
        gives a file new times at its next change if somebody saw the last
        ones, and some file systems then sync the inode too.
        """
        folder = look.signature(self._folder_path)
        if folder is not None and folder == self._folder:
            return True
        self._folder = folder if folder and time.time_ns() - folder[3] > files.TICK_NS else None
        return look.identity(self._path) == self._identity
