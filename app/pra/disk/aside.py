"""Folders for a while, with what nobody else is to read."""

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def folder(prefix: str, above: str | None = None) -> Iterator[str]:
    """A folder of this user alone, gone afterwards.

    One that was killed leaves its folder, which the next one with that prefix removes: as long as
    a folder is in use, it is locked. Which machine made it is in its name, since on a disk of
    several machines a lock may be that of one alone.

    Args:
        prefix: what its name begins with.
        above: where it is made; None: where the system has its temporary files.
    """
    above = above or tempfile.gettempdir()
    prefix = f"{prefix}{_machine()}-aside-"
    _sweep(prefix, above)
    made, fd = _locked(prefix, above)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(fd)


def _machine() -> str:
    """What tells this machine from others: its name may change."""
    with contextlib.suppress(OSError), open("/etc/machine-id", encoding="ascii") as file:
        if known := file.read(8):
            return known
    return socket.gethostname()


def _locked(prefix: str, above: str) -> tuple[str, int]:
    """A new folder and its lock; another one where somebody removed it before it was locked."""
    while True:
        made = tempfile.mkdtemp(prefix=prefix, dir=above)
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(made, os.O_RDONLY)
            # Where none can be had, nobody else gets one either, and what is left stays.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.isdir(made):
                return made, fd
            os.close(fd)


def _sweep(prefix: str, above: str) -> None:
    """Remove what others left; what cannot be looked at stays, and hinders nobody."""
    with contextlib.suppress(OSError), os.scandir(above) as found:
        for entry in found:
            if entry.name.startswith(prefix):
                with contextlib.suppress(OSError):
                    _remove_if_left(entry.path)


def _remove_if_left(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        if os.fstat(fd).st_uid == os.getuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    finally:
        os.close(fd)
