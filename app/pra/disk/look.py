"""Looking at files and folders: what changes nothing."""

import errno
import os
import stat

NO_FILE = (errno.ENOENT, errno.ENOTDIR)


class NotRegular(OSError):
    """A folder, a pipe or a device is where a file should be."""


def names(path: str) -> list[str]:
    """The entries of a directory, unsorted; none if there is no directory."""
    try:
        return os.listdir(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return []
        raise


def open_regular(path: str) -> int:
    """Open an existing regular file for reading; returns the descriptor.

    Raises:
        NotRegular: it is none.
    """
    # Without waiting: a pipe would be opened once somebody writes to it, which nobody does.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotRegular(errno.EINVAL, "it is no regular file", path)
    return fd


def read_small(path: str, limit: int = 1 << 14) -> bytes | None:
    """A file's content up to ``limit`` bytes; None if there is no such file.

    Raises:
        NotRegular: it is no file that could be read to its end.
    """
    try:
        fd = open_regular(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def read_at(fd: int, length: int, offset: int) -> bytes:
    """Up to ``length`` bytes from an offset on."""
    parts = []
    while length > 0 and (part := os.pread(fd, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return b"".join(parts)


def read_link(path: str) -> str | None:
    """Where a symbolic link leads; None if there is none (or no link but a file: "")."""
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        if error.errno == errno.EINVAL:
            return ""
        raise


def is_folder(path: str) -> bool:
    """Whether that is a folder, as far as this user can see."""
    return os.path.isdir(path)


def size(path: str) -> int | None:
    """A file's size in bytes; None if there is none."""
    found = _found(path)
    return None if found is None else found.st_size


def changed(path: str) -> float | None:
    """When a file's content was changed last, in seconds since 1970; None if there is none."""
    found = _found(path)
    return found.st_mtime if found else None


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode that a path leads to; None if to nothing.

    Inode numbers are used again at once, so an identity says something only
    while the file it was taken from is held open.
    """
    found = _found(path)
    return None if found is None else (found.st_dev, found.st_ino)


def signature(path: str) -> tuple[int, ...] | None:
    """What changes when a file is replaced or rewritten; None if there is none."""
    found = _found(path)
    if found is None:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def identity_of(fd: int) -> tuple[int, int]:
    """Device and inode of an open file."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def writable(path: str) -> bool:
    """Whether this user can change a folder; not on a volume that is mounted read-only."""
    return os.access(path, os.W_OK)


def free_bytes(path: str) -> int:
    """Space that this user can still fill on the volume of ``path``."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _found(path: str) -> os.stat_result | None:
    """What the system says of a path; None if it leads to nothing."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in NO_FILE:
            return None
        raise
