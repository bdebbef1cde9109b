"""Who serves a database of this backup volume, and from which data volume.

A restore makes another timeline the live one. Into a data volume that has no mark it is
usually the recovery of one that was lost; but it may be a trial in some folder while
production writes elsewhere, and would then stop production. So a process that has the
database open says so by a file that it keeps locked: the lock ends with the process. In it
stands its mode of the journal as well, which may be another than that of who started last.
"""

import json
import os
import time

from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.disk import files, held, look
from pra.lineage import data_volume, marks

#: How long a restore waits for those who are just ending, in seconds.
WAIT = 2.0
_LOOK = 0.05


class Use:
    """The file by which this process says that it serves a database.

    Args:
        journal: its mode of the journal.
    """

    def __init__(self, where: Layout, journal: str):
        self._where, self._journal = where, journal
        self._pid, self._fd, self._path = 0, -1, ""

    def __del__(self):
        self.withdraw()

    def announce(self) -> None:
        """Make that file and lock it, unless that is done already.

        Where the volume cannot take it nothing is said: writes fail there by themselves,
        and who only reads loses nothing by another's restore.
        """
        if self._pid == os.getpid() and self._in_place():
            return
        self.withdraw()
        try:
            self._begin()
        except OSError:
            self.withdraw()

    @property
    def owed(self) -> bool:
        """It was not said, by one of whose writes nobody else would know that they are at risk."""
        return self._fd < 0 and self._journal != "required"

    def withdraw(self) -> None:
        """Remove it: this process serves no database any more."""
        fd, mine = self._fd, False
        try:
            mine = fd >= 0 and self._pid == os.getpid() and self._in_place()
        finally:
            # Whatever fails: a number that is closed may soon be another file's.
            self._fd = -1
            if fd >= 0:
                files.close(fd)
        if mine:
            files.remove(self._path)

    def _in_place(self) -> bool:
        held = self._fd >= 0 and look.identity_of(self._fd)
        return bool(held) and look.identity(self._path) == held

    def _begin(self) -> None:
        files.make_directory(self._where.uses)
        word = json.dumps({**_mine(self._where), "journal": self._journal}).encode()
        while not self._try(word):
            # Whoever looked at it just then had the lock, or cleared it away: another name.
            files.close(self._fd)
            files.remove(self._path)
        if self._journal != "required":
            # Once it is said: a backup that looks at who serves does so after it noted what it saw.
            data_volume.promise_less(self._where)

    def _try(self, word: bytes) -> bool:
        """Make the file; it is whole before it is locked, so that nobody reads half of it."""
        self._pid, self._path = os.getpid(), f"{self._where.uses}/{marks.new_identity()}"
        self._fd = files.open_new(self._path)
        files.write_all(self._fd, word)
        return files.try_lock(self._fd) and self._in_place()


def refuse(where: Layout, doing: str, seconds: float | None = None) -> None:
    """Refuse to fill a data volume without a mark while another one is served.

    Waits a little for those who are just ending. Who served this very volume before it
    was emptied, or another one in its place, is no other.

    Raises:
        Refused
    """
    deadline = time.monotonic() + (WAIT if seconds is None else seconds)
    while elsewhere := reason(where):
        if time.monotonic() > deadline:
            raise Refused(
                doing,
                elsewhere,
                "to look at a point only: python -m pra dump --point NAME; --take-over"
                " (PRA_RESTORE_TAKE_OVER=yes) restores here all the same: from then on the"
                " others' writes are refused",
            )
        time.sleep(_LOOK)


def reason(where: Layout) -> str | None:
    """Why nothing should be restored into the data volume now; None if nothing is against it."""
    found = others(where) if marks.readable(where.data) is None else []
    if not found:
        return None
    return (
        f"{where.data} has no mark, and {len(found)} processes serve the database of this backup"
        f" volume from elsewhere ({found[0]})"
    )


def others(where: Layout) -> list[str]:
    """The data volumes, other than this one, whose database somebody serves."""
    mine = _mine(where)
    return [_told(one) for one in _serving(where) if not _same(one, mine)]


def wait_for_others(where: Layout, seconds: float) -> list[str]:
    """Wait until there are none; the ``others`` that are left."""
    deadline = time.monotonic() + seconds
    while (found := others(where)) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return found


def modes(where: Layout) -> list[str | None]:
    """The modes of the journal of all who serve; None of one that does not say it."""
    return [one.get("journal") for one in _serving(where)]


def _serving(where: Layout) -> list[dict]:
    found = (_held(f"{where.uses}/{name}") for name in look.names(where.uses))
    return [one for one in found if one is not None]


def sweep(where: Layout) -> None:
    """Remove what processes left that ended: no row depends on it.

    While it is locked, so that nobody who begins to serve takes it for his own meanwhile.
    """
    for name in look.names(where.uses):
        path = f"{where.uses}/{name}"
        with held.looking(path) as (_, ended):
            if ended:
                files.remove(path)


def _mine(where: Layout) -> dict:
    root = look.identity(where.data)
    return {"path": os.path.realpath(where.data), "root": list(root or ()), "view": _view()}


def _view() -> str:
    """What tells apart those to whom one path can mean different folders."""
    try:
        namespace = os.readlink("/proc/self/ns/mnt")
    except OSError:
        namespace = ""
    return f"{os.uname().nodename} {namespace}"


def _same(one: dict, mine: dict) -> bool:
    """Whether both are of one volume, or of two that were in one place after each other."""
    in_place = (one.get("view"), one.get("path")) == (mine["view"], mine["path"])
    return in_place or one.get("root") == mine["root"]


def _told(one: dict) -> str:
    return f"{one.get('path', 'a data volume')} on {str(one.get('view', '?')).split(' ')[0]}"


def _held(path: str) -> dict | None:
    """What somebody says who holds it; None if nobody does."""
    with held.looking(path) as (fd, ended):
        if ended or fd < 0:
            return None
        try:
            content = json.loads(look.read_at(fd, 1 << 14, 0) or b"{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}
