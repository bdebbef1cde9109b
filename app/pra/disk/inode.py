"""Whether a name still leads to the file that is open: writing to a deleted one succeeds."""

import os
import time

from pra.disk import files, look


class Folder:
    """A folder whose names are looked at again only where one of them may be another.

    It changes with any of its names. To look at the files themselves would cost each
    record a write more: Linux from 6.13 on gives a file new times at its next change if
    somebody saw the last ones, and some file systems then sync the inode too.
    """

    def __init__(self, path: str):
        self._path = path
        self._seen: tuple[int, ...] | None = None

    def quiet(self) -> bool:
        """Whether no name in it has changed since this was asked last.

        Its times have steps: what changed just now is no sign that nothing will in this one.
        """
        now = look.signature(self._path)
        if now is not None and now == self._seen:
            return True
        self._seen = now if now and time.time_ns() - now[3] > files.TICK_NS else None
        return False


class Name:
    """The name of a file that is held open, so that nothing else gets its inode meanwhile."""

    def __init__(self, path: str, identity: tuple[int, int] | None):
        self._path, self._identity = path, identity
        self._folder, self._held = Folder(os.path.dirname(path)), False

    def holds(self) -> bool:
        """Whether it leads to the file that it led to."""
        if not self._folder.quiet():
            self._held = look.identity(self._path) == self._identity
        return self._held
