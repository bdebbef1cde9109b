"""Counting every step that touches a file, ours and SQLite's, and acting at one of them."""

import os
import signal
from collections.abc import Callable

import apsw

from pra.data import connection
from pra.disk import files
from pra.journal import durability
from pra.sql import connect

#: Called as observer(phase, operation, arguments); the phase is "before" or "after".
Observer = Callable[[str, str, tuple], None]
_BASE = "unix"
_SLOW, _BEGIN = durability._SLOW, connection.Handle.begin


class _File(apsw.VFSFile):
    """A file of SQLite's whose changes are announced."""

    def __init__(self, observer: Observer, name, flags):
        self._observer = observer
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        super().__init__(_BASE, name, flags)

    def _announced(self, operation: str, arguments: tuple, act: Callable):
        self._observer("before", operation, (self._path, *arguments))
        result = act()
        self._observer("after", operation, (self._path, *arguments))
        return result

    def xWrite(self, data, offset):
        """Announce a write."""
        act = super().xWrite
        self._announced("xWrite", (bytes(data), offset), lambda: act(data, offset))

    def xTruncate(self, size):
        """Announce a truncation."""
        act = super().xTruncate
        self._announced("xTruncate", (size,), lambda: act(size))

    def xSync(self, flags):
        """Announce a sync."""
        act = super().xSync
        self._announced("xSync", (), lambda: act(flags))


class _Vfs(apsw.VFS):
    """SQLite's own, announcing what it does."""

    def __init__(self, observer: Observer):
        self._observer = observer
        super().__init__("observed", _BASE, makedefault=True)

    def xOpen(self, name, flags):
        """Announce an opening that may create."""
        file = _File(self._observer, name, flags)
        self._observer("after", "xOpen", (file._path,))
        return file

    def xDelete(self, name, sync):
        """Announce a deletion."""
        self._observer("before", "xDelete", (name, sync))
        super().xDelete(name, sync)
        self._observer("after", "xDelete", (name, sync))


class _Late:
    """Does its work when that is waited for: the same steps in the same order each time.

    So the journal is synced after the log, the least favourable order.
    """

    def __init__(self, work: Callable[[], None]):
        self._work = work

    def result(self) -> None:
        """Do it now."""
        self._work()


def observe(observer: Observer):
    """Announce every step of this process from now on; returns what must be kept alive."""
    files.hook = observer
    connection.Handle.begin = lambda _, work: _Late(work)
    # All syncs but the first of a connection go there, on any disk.
    durability._SLOW = -1.0
    _without_checksums()
    return _Vfs(observer)


def stop(vfs) -> None:
    """End the announcing."""
    files.hook = None
    connection.Handle.begin = _BEGIN
    durability._SLOW = _SLOW
    _without_checksums()
    vfs.unregister()
    # Connections that are still open find SQLite's own below it again.
    connect.checksums()


def _without_checksums() -> None:
    """Let what gives pages their checksums be put in anew, upon the VFS that is there then.

    What is announced is what goes to the disk.
    """
    apsw.unregister_vfs(connect.checksums())


class Counter:
    """Counts steps and acts at one of them.

    Args:
        at: the number of the step, from 1; 0 for none.
        act: what happens there, given the step's phase, operation and arguments.
    """

    def __init__(self, at: int = 0, act: Callable[[str, str, tuple], None] | None = None):
        self.count, self._at, self._act = 0, at, act

    def __call__(self, phase: str, operation: str, arguments: tuple) -> None:
        self.count += 1
        if self.count == self._at:
            self._act(phase, operation, arguments)


def die(phase: str, operation: str, arguments: tuple) -> None:
    """End this process at once; nothing of it gets to run."""
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[str, str, tuple], None]:
    """An action that makes the step fail with an errno, ours and SQLite's alike."""

    def fail(phase: str, operation: str, arguments: tuple) -> None:
        if operation.startswith("x"):
            kind = {28: apsw.FullError, 30: apsw.ReadOnlyError}.get(number, apsw.IOError)
            raise kind(os.strerror(number))
        raise OSError(number, os.strerror(number))

    return fail
