"""Connections and transactions of the running application.

A connection belongs to the process that opened it (none crosses a fork) and to
the file that it opened: before each use the path is compared with it, so a
restore is noticed by the next request and no old file is written to.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

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
        self._idle: list[_Idle] = []
        self._turns: list[tuple[int, locks.Turn]] = []

    @contextlib.contextmanager
    def read(self, doing: str) -> Iterator[apsw.Connection]:
        """A connection inside one read transaction: what it shows is of one moment.

        Raises:
            NeedsRestore: there is no database.
        """
        with sqlite.errors(doing), _Borrowed(self, doing) as conn:
            conn.execute("BEGIN")
            yield conn
            conn.execute("COMMIT")

    def write(self, doing: str, work: Callable[[apsw.Connection], T]) -> T:
        """Run ``work`` in one durable transaction and return its result.

        Raises:
            NeedsRestore, Locked, Refused, Damaged, StorageError: nothing was written.
            OutcomeUnknown: it may or may not have been written.
        """
        turn = self._take_turn(doing)
        try:
            with sqlite.errors(doing), _Borrowed(self, doing) as conn:
                try:
                    room.reserve_write(self.layout)
                except OSError as error:
                    raise from_os_error(doing, error) from error
                return self.writer.run(conn, doing, work)
        finally:
            if turn:
                turn.release()
                self._turns.append((os.getpid(), turn))

    def unprotected(self) -> str | None:
        """Why what is there is not what the points and the journal lead to; None if it is.

        Looks without a lock, so a difference counts only if nothing was
        written while it was found.
        """
        if volumes.current(self.layout) is None:
            return None
        with self.read("looking at the protection") as conn:
            if not schema.guarded(conn):
                return schema.UNGUARDED
        if self._settings.journal == "off":
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

    def _take_turn(self, doing: str) -> locks.Turn | None:
        """Take the writer lock; None where it has to go without.

        Where the journal may fail, so may the volume with the lock: SQLite's
        own then has to do, and no restore can run without that volume anyway.
        """
        with self._guard:
            pid, turn = self._turns.pop() if self._turns else (None, None)
        if pid != os.getpid():
            turn = locks.Turn(self.layout)
        try:
            turn.take(doing)
        except (VolumeGone, OSError):
            if self._settings.journal == "required":
                raise
            return None
        return turn

    def checkout(self, doing: str) -> "_Idle":
        """A connection to the current database, for one thread."""
        identity = fileops.identity(self.layout.link)
        if identity is None:
            self._drop_idle()
            raise volumes.missing(self.layout, doing)
        mine = os.getpid(), identity
        with self._guard:
            stale = [entry for entry in self._idle if entry[:2] != mine]
            self._idle = [entry for entry in self._idle if entry[:2] == mine]
            found = self._idle.pop() if self._idle else None
        for entry in stale:
            entry.conn.close(True)
        return found or self._open(doing)

    def give_back(self, entry: "_Idle") -> None:
        """Keep a connection, with no transaction open, for the next use."""
        with self._guard:
            self._idle.append(entry)

    def _open(self, doing: str) -> "_Idle":
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
                return _Idle(os.getpid(), before, conn)
            conn.close()
        raise Refused(
            doing,
            f"the link {self.layout.link} leads to no database",
            "restore it: python -m pra restore latest",
        )

    def _drop_idle(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for entry in idle:
            entry.conn.close(True)


class _Idle(NamedTuple):
    """A connection, the process that opened it, and the file that it opened."""

    pid: int
    identity: tuple[int, int]
    conn: apsw.Connection


class _Borrowed:
    """A connection for the length of a ``with``."""

    def __init__(self, database: Database, doing: str):
        self._database, self._doing = database, doing

    def __enter__(self) -> apsw.Connection:
        self._entry = self._database.checkout(self._doing)
        return self._entry.conn

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self._database.give_back(self._entry)
        else:
            # Whatever state the transaction is in, closing it rolls it back.
            self._entry.conn.close(True)
