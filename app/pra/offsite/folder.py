"""Copies in a folder, such as a mounted disk."""

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence

from pra.base.errors import UsageError, from_os_error
from pra.disk import files, look
from pra.offsite.store import Refusing

_UNFINISHED = ".unfinished"
#: No upload takes as long, in seconds.
_OLD = 3600
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP)


class FolderStore:
    """Objects as files; a name appears once the file is whole and durable."""

    def __init__(self, folder: str):
        self._folder = self.shown = folder
        if not look.is_folder(folder):
            # Not made: a disk that is not mounted is not to be taken for an empty one.
            raise UsageError(
                f"looking for the copies in {folder}",
                "there is no such folder",
                "mount the disk, or make the folder, then try again",
            )

    def put(self, name: str, data: bytes) -> bool:
        """As the protocol says."""
        path = f"{self._folder}/{name}"
        doing = f"writing a copy into {self._folder}"
        try:
            if look.size(path) is not None:
                return False
            self._make_folders(os.path.dirname(name))
            return self._link(path, data)
        except OSError as error:
            raise from_os_error(doing, error) from error

    def _link(self, path: str, data: bytes) -> bool:
        unfinished = f"{self._folder}/{_UNFINISHED}/{os.urandom(16).hex()}"
        try:
            files.write_new(unfinished, data)
            files.link_new(unfinished, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.filename2 is None or error.errno not in _NO_LINKS:
                raise
            raise Refusing(
                f"writing a copy into {self._folder}",
                "its file system has no hard links, so nothing there keeps a copy from being"
                " overwritten",
                "use a file system that has them, such as ext4 or APFS",
            ) from error
        finally:
            files.remove(unfinished)
        files.fsync_directory(os.path.dirname(path))
        return True

    def _make_folders(self, name: str) -> None:
        for below in (_UNFINISHED, *_ways(name)):
            path = f"{self._folder}/{below}"
            if not look.is_folder(path):
                files.make_directory(path)
                files.fsync_directory(os.path.dirname(path))

    def sizes(self, prefix: str, hidden: bool = False) -> dict[str, int]:
        """As the protocol says, of a folder's or a file's name; there are no hidden versions."""
        start, found = f"{self._folder}/{prefix}".rstrip("/"), {}
        try:
            if not look.is_folder(start):
                size = look.size(start)
                return {} if size is None else {prefix: size}
            for folder, below, names in os.walk(start, onerror=_raise):
                below[:] = [one for one in below if one != _UNFINISHED]
                for name in names:
                    path = f"{folder}/{name}"
                    size = look.size(path)
                    if size is not None:
                        found[path[len(self._folder) + 1 :]] = size
        except OSError as error:
            raise from_os_error(f"listing the copies in {self._folder}", error) from error
        return found

    def versions(self, name: str, limit: int) -> Iterator[bytes]:
        """As the protocol says."""
        try:
            with contextlib.suppress(FileNotFoundError):
                fd = files.open_read(f"{self._folder}/{name}")
                try:
                    data = look.read_at(fd, limit + 1, 0)
                finally:
                    files.close(fd)
                if len(data) <= limit:
                    yield data
        except OSError as error:
            raise from_os_error(f"reading a copy in {self._folder}", error) from error

    def remove(self, names: Sequence[str]) -> dict[str, float]:
        """As the protocol says; nothing is locked here."""
        self._remove(names)
        return {}

    def hide(self, name: str) -> None:
        """As the protocol says."""
        self._remove([name])

    def _remove(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                files.remove(f"{self._folder}/{name}")
            for folder in {os.path.dirname(f"{self._folder}/{name}") for name in names}:
                if look.is_folder(folder):
                    files.fsync_directory(folder)
        except OSError as error:
            raise from_os_error(f"removing copies in {self._folder}", error) from error

    def sweep(self) -> int:
        """As the protocol says, by the clock of the folder itself."""
        place = f"{self._folder}/{_UNFINISHED}"
        try:
            if not look.is_folder(place):
                return 0
            mine = f"{place}/{os.urandom(16).hex()}"
            files.write_new(mine, b"")
            now, old = look.changed(mine), []
            for name in look.names(place):
                changed = look.changed(f"{place}/{name}")
                if changed is not None and changed < now - _OLD:
                    old.append(f"{place}/{name}")
            for path in [mine, *old]:
                files.remove(path)
            return len(old)
        except OSError as error:
            raise from_os_error(f"tidying {self._folder}", error) from error

    def renew(self, names: Sequence[str]) -> str | None:
        """As the protocol says; nothing is locked here."""
        return None

    def lock(self) -> str | None:
        """As the protocol says."""
        return "a folder has no object lock: whoever can write to it can remove what is there"


def _ways(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _raise(error: OSError) -> None:
    raise error
