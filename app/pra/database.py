"""Connections and transactions of the running application.

A connection belongs to the process that opened it (none crosses a fork) and to
the file that it opened: before each use the path is compared with it, so a
restore is noticed by the next request and no old file is written to.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import apsw

from pra import fileops, locks, room, schema, sqlite, volumes
from pra.errors import PraError, Refused, VolumeGone, from_os_error
from pra.journal import Journal
from pra.settings import Settings
from pra.writing import Writer

T = TypeVar("T")
#: How often a path may change under an opening before it is called a failure.
_OPEN_TRIES = 5


class Database:
    """The current database of a volume pair, for any number of threads."""

    def __init__(self, settings: Settings):
        self.layout = settings.layout
        self._settings = settings
        self.writer = Writer(self.layout, settings.journal)
        self._watch, self._watching = Journal(self.layout), threading.Lock()
        self._guard = threading.Lock()
        self._idle: list[tuple[int, tuple[int, int], apsw.Connection]] = []

    @contextlib.contextmanager
    def read(self, doing: str) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction: what it shows is of one moment.

        Raises:
            NeedsRestore: there is no database.
        """
        with sqlite.errors(doing), self._connection(doing) as conn:
            conn.execute("BEGIN")
            yield conn
            conn.execute("COMMIT")

    def write(self, doing: str, work: Callable[[apsw.Connection], T]) -> T:
        """Run ``work`` in one durable transaction and return its result.

        Raises:
            NeedsRestore, Locked, Refused, Damaged, StorageError: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        with self._turn(doing), sqlite.errors(doing), self._connection(doing) as conn:
            try:
                room.reserve_write(self.layout)
            except OSError as error:
                raise from_os_error(doing, error) from error
            return self.writer.run(conn, doing, work)

    def unprotected(self) -> str | None:
        """Why the journal does not lead to the database although it should; None if it does.

        Looks without a lock, so a difference counts only if nothing was
        written while it was found.
        """
        if self._settings.journal == "off" or volumes.current(self.layout) is None:
            return None
        with self._watching:
            before = self._place()
            try:
                self._watch.inspect(before)
            except (PraError, OSError) as error:
                self._watch.close()
                return str(error) if self._place() == before else None
        return None

    def _place(self) -> schema.Position:
        with self.read("looking at the protection") as conn:
            return schema.position(conn)

    @contextlib.contextmanager
    def _turn(self, doing: str) -> Iterator[None]:
        """Hold the writer lock.

        Where the journal may fail, so may the volume with the lock: SQLite's
        own then has to do, and no restore can run without that volume anyway.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locks.writer(self.layout, doing))
            except (VolumeGone, OSError):
                if self._settings.journal == "required":
                    raise
            yield

    @contextlib.contextmanager
    def _connection(self, doing: str) -> Iterator[apsw.Connection]:
        identity, conn = self._checkout(doing)
        try:
            yield conn
        except BaseException:
            # Whatever state the transaction is in, closing it rolls it back.
            conn.close(True)
            raise
        with self._guard:
            self._idle.append((os.getpid(), identity, conn))

    def _checkout(self, doing: str) -> tuple[tuple[int, int], apsw.Connection]:
        identity = fileops.identity(self.layout.link)
        if identity is None:
            self._drop_idle()
            raise volumes.missing(self.layout, doing)
        with self._guard:
            stale = [entry for entry in self._idle if entry[:2] != (os.getpid(), identity)]
            self._idle = [entry for entry in self._idle if entry[:2] == (os.getpid(), identity)]
            found = self._idle.pop() if self._idle else None
        for _, _, conn in stale:
            conn.close(True)
        return (identity, found[2]) if found else self._open(doing)

    def _open(self, doing: str) -> tuple[tuple[int, int], apsw.Connection]:
        for _ in range(_OPEN_TRIES):
            number = volumes.current(self.layout)
            if number is None:
                raise volumes.missing(self.layout, doing)
            path = f"{self.layout.generation(number)}/app.db"
            before = fileops.identity(path)
            if before is None:
                continue
            conn = sqlite.open_live(path)
            # Generation numbers are never used twice: the same identity before
            # and after means that this is the file which was opened.
            if before == fileops.identity(self.layout.link):
                return before, conn
            conn.close()
        raise Refused(
            doing,
            f"the link {self.layout.link} leads to no database",
            "restore it: python -m pra restore latest",
        )

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for _, _, conn in idle:
            conn.close(True)
