"""The files of a folder with thousands of them, of which only what changed is looked at again."""

import contextlib
import os
import stat
from typing import NamedTuple

from pra.disk import inode, look


class Entry(NamedTuple):
    """What tells that a file is still as it was, its size, and what it is."""

    inode: int
    mtime_ns: int
    ctime_ns: int
    size: int
    links: int
    mode: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)


#: A file that was changed in place, which its folder does not show, is seen after so many
#: looks at the latest; so many files are looked at each time at least.
LOOKS, LEAST = 12, 256


class Listing:
    """A folder as it was seen last.

    Attributes:
        entries: what is in it, by name.
    """

    def __init__(self, path: str):
        self.entries: dict[str, Entry] = {}
        self._path, self._folder = path, inode.Folder(path)
        self._identity: tuple[int, int] | None = None
        self._waiting: list[str] = []

    def look(self) -> dict[str, Entry | None]:
        """Look again; returns what came, went or changed: as it was before, None where not there.

        Raises:
            OSError: the folder cannot be read.
        """
        changed = {} if self._folder.quiet() else self._names()
        if not self._waiting:
            self._waiting = list(self.entries)
        count = max(LEAST, -(-len(self.entries) // LOOKS))
        part, self._waiting = self._waiting[-count:], self._waiting[:-count]
        for name in part:
            if name not in changed:
                self._at(name, changed)
        return changed

    def _names(self) -> dict[str, Entry | None]:
        names, identity = set(os.listdir(self._path)), look.identity(self._path)
        if identity != self._identity:
            # Another folder in its place: the same names are other files.
            self._identity, self._waiting = identity, []
            names_again = names
        else:
            names_again = names - self.entries.keys()
        changed = {gone: self.entries.pop(gone) for gone in self.entries.keys() - names}
        for name in names_again:
            self._at(name, changed)
        return changed

    def _at(self, name: str, changed: dict[str, Entry | None]) -> None:
        before, now = self.entries.get(name), _entry(f"{self._path}/{name}")
        if now == before:
            return
        changed[name] = before
        if now is None:
            del self.entries[name]
        else:
            self.entries[name] = now


def _entry(path: str) -> Entry | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Entry(
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_size,
        found.st_nlink,
        found.st_mode,
    )


class Sizes:
    """The sizes of all files below a folder; one with several names counts once."""

    def __init__(self, path: str):
        self._path, self._listing = path, Listing(path)
        self._below: dict[str, Sizes] = {}
        self._linked: dict[str, Entry] = {}
        self._alone = 0

    def sum(self) -> int:
        """All of them, in bytes.

        Raises:
            OSError: a folder cannot be read.
        """
        sizes: dict[int, int] = {}
        return self._look(sizes) + sum(sizes.values())

    def _look(self, linked: dict[int, int]) -> int:
        """Bytes of files with one name; those of the others by inode."""
        for name, before in self._listing.look().items():
            self._count(name, before, self._listing.entries.get(name))
        linked.update((one.inode, one.size) for one in self._linked.values())
        total = self._alone
        for one in self._below.values():
            # What others remove meanwhile is not there to count.
            with contextlib.suppress(FileNotFoundError):
                total += one._look(linked)
        return total

    def _count(self, name: str, before: Entry | None, now: Entry | None) -> None:
        if now is not None and now.is_folder:
            self._below.setdefault(name, Sizes(f"{self._path}/{name}"))
        else:
            self._below.pop(name, None)
        self._linked.pop(name, None)
        if before is not None and not before.is_folder and before.links == 1:
            self._alone -= before.size
        if now is not None and not now.is_folder:
            if now.links == 1:
                self._alone += now.size
            else:
                self._linked[name] = now
