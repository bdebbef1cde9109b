"""Connections to the current database, kept open from one use to the next.

A connection belongs to the process that opened it (none crosses a fork) and to
the file that it opened: before each use the path is compared with it, so a
restore is noticed by the next request and no old file is written to.
"""

import os
import threading

from pra.base.errors import Refused
from pra.base.settings import Settings
from pra.data.connection import Handle, first_look
from pra.disk import look
from pra.journal import supported
from pra.lineage import in_use
from pra.sql import connect
from pra.state import volumes

#: How often a path may change under an opening before it is called a failure.
_OPEN_TRIES = 5


class Pool:
    """The connections of one process to the current database of a volume pair."""

    def __init__(self, settings: Settings):
        self._layout, self._mode = settings.layout, settings.journal
        self._use = in_use.Use(settings.layout, settings.journal)
        self._guard = threading.Lock()
        # What they are connections to: this process, and the identity of the file.
        self._of: tuple[int, tuple[int, int]] | None = None
        self._idle: list[Handle] = []

    def checkout(self, doing: str) -> Handle:
        """A connection to the current database, for one thread.

        Raises:
            NeedsRestore: there is no database.
        """
        identity = look.identity(self._layout.link)
        if identity is None:
            self.drop()
            raise volumes.missing(self._layout, doing)
        mine = os.getpid(), identity
        stale: list[Handle] = []
        with self._guard:
            if mine != self._of:
                # All that are idle are of what was there before.
                self._of, stale, self._idle = mine, self._idle, []
            found = self._idle.pop() if self._idle else None
            if self._use.owed:
                self._use.announce()
        for entry in stale:
            entry.close()
        return found or self._open(doing)

    def give_back(self, entry: Handle) -> None:
        """Keep a connection, with no transaction open, for the next use."""
        with self._guard:
            if entry.of == self._of:
                self._idle.append(entry)
                return
        entry.close()

    def drop(self) -> None:
        """Close what is open of a database that is gone, and no longer say that it is served."""
        self.close_idle()
        with self._guard:
            self._use.withdraw()

    def close_idle(self, checkpoint: bool = True) -> None:
        """Close the connections that nobody uses, as ``Handle.close`` does."""
        with self._guard:
            idle, self._idle = self._idle, []
        for entry in idle:
            entry.close(checkpoint)

    def _open(self, doing: str) -> Handle:
        for _ in range(_OPEN_TRIES):
            number = volumes.current(self._layout)
            if number is None:
                raise volumes.missing(self._layout, doing)
            path = f"{self._layout.generation(number)}/app.db"
            before = look.identity(path)
            if before is None:
                continue
            with self._guard:
                self._use.announce()
            conn = connect.open_live(path, synced=False)
            first_look(doing, path, conn)
            if self._mode != "off":
                supported.restrict(conn)
            # Generation numbers are never used twice: the same identity before
            # and after means that this is the file which was opened.
            if before == look.identity(self._layout.link):
                return Handle((os.getpid(), before), path, conn)
            conn.close()
        raise Refused(
            doing,
            f"the link {self._layout.link} leads to no database",
            "restore it: python -m pra restore latest",
        )
