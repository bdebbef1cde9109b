"""The events in SQLite, with the journal: rows of one table, and what protects them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TextIO

import apsw

from pra.base import clock
from pra.base.errors import NeedsRestore, NoKeys, OutcomeUnknown
from pra.base.metrics import Collected
from pra.base.settings import Settings
from pra.data import dump
from pra.data.database import Database
from pra.events.interface import Event, Events, ask_again, reused
from pra.events.report import Report
from pra.events.volume_figures import VolumeFigures
from pra.events.volumes_seen import VolumesSeen
from pra.recovery import automatic
from pra.sql import connect, counting, keys
from pra.state import volumes

_ADDING = "adding an event"
_WITHOUT_KEYS = (
    "the database has no table for the keys of requests, as one of an earlier version; nothing"
    " was added",
    "python -m pra backup gives it one, as the scheduled one does; where it has another table"
    f" {keys.TABLE}, rename that first: python -m pra define 'SQL'",
)


class SqliteEvents(Events):
    """The events of a pair of volumes."""

    add_pauses = True

    def __init__(self, settings: Settings, serving: bool = False):
        """Open nothing.

        Args:
            serving: a database that is lost is to be restored by itself first, if that is due.
        """
        self._settings = settings
        self._database = Database(settings)
        self._layout = settings.layout
        self._seen = VolumesSeen(settings, self._database)
        self._report = Report(settings, self._database, self._seen)
        self._figures = VolumeFigures(settings, self._database, self._seen)
        self._lost = serving and automatic.due(settings)

    def add(self, message: str, key: str | None = None) -> Event:
        """Add one event, or find the one that a request with the same key added."""
        if key is not None:
            return self._add_once(message, key)
        timestamp, identifier = self._database.write(
            _ADDING, lambda conn: self._insert(conn, message)
        )
        return {"timestamp": timestamp, "message": message, "id": identifier}

    def _insert(
        self, conn: apsw.Connection, message: str, key: str | None = None
    ) -> tuple[str, int]:
        # The time of its record too: a restore to the moment that a row shows includes it.
        timestamp = clock.stamp(self._database.writer.moment_ms)
        before = conn.total_changes()
        conn.execute("INSERT INTO events(ts, message) VALUES(?, ?)", (timestamp, message))
        identifier, changed = conn.last_insert_rowid(), conn.total_changes() - before
        if changed != 1:
            # A trigger was at it, which is none of the application's.
            _refuse_unless_added(conn, identifier)
        before += changed - 1
        if key is not None:
            keys.note(conn, key, identifier, timestamp, message)
        counting.tell(conn, 1, conn.total_changes() - before)
        return timestamp, identifier

    def _add_once(self, message: str, key: str) -> Event:
        def insert(conn):
            # Under the writer lock: of two requests at once, the second finds the first's key.
            if not keys.there(conn):
                return None
            before = keys.answered(conn, key, message)
            if before:
                return before, True
            timestamp, identifier = self._insert(conn, message, key)
            return keys.Answered(identifier, timestamp, True), False

        # Refused outside of the transaction, which may be that of others as well.
        done = self._written_once(insert)
        if done is None:
            raise NoKeys(_ADDING, *_WITHOUT_KEYS)
        found, replayed = done
        if not found.fits:
            raise reused(_ADDING, found.event)
        timestamp, identifier = found.timestamp, found.event
        return {
            "timestamp": timestamp,
            "message": message,
            "id": identifier,
            "replayed": replayed,
        }

    def _written_once(self, insert: Callable) -> tuple[keys.Answered, bool] | None:
        try:
            return self._database.write(_ADDING, insert)
        except OutcomeUnknown as error:
            ask_again(error)
            raise

    def count(self) -> int:
        """The number of events."""
        with self._database.read("counting the events") as conn:
            return counting.count(conn)

    def newest(self, limit: int) -> list[Event]:
        """The newest events, the newest first."""
        with self._database.read("listing the events") as conn:
            rows = conn.execute(
                "SELECT id, ts, message FROM events ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [{"id": row[0], "timestamp": row[1], "message": row[2]} for row in rows]

    @property
    def places(self) -> dict[str, str]:
        """The folders of the two volumes."""
        return {self._layout.data: "pra-data", self._layout.backup: "pra-backup"}

    def needs_restore(self) -> bool:
        """Whether the database is missing."""
        missing = volumes.current(self._layout) is None
        if missing:
            # A backup volume that fails too changes nothing in that.
            with contextlib.suppress(OSError):
                self._database.pool.drop()
        return missing

    def lost(self) -> bool:
        """Whether the database is to be restored by itself."""
        return self._lost

    def bring_back(self) -> None:
        """Restore it, or say why not."""
        # Only a server needs it, and the verbs are to start fast.
        from pra.events import start

        start.bring_back(self._settings)
        self._lost = False

    def unrestored(self) -> dict | None:
        """What is against restoring it by itself, if anything is."""
        told = automatic.told(self._settings, automatic.Looked())
        if told is None or told.what is None:
            return None
        return {"state": told.state, "what": told.what, "next": told.next}

    def ready(self) -> None:
        """At once, but while it is restored by itself: what else is missing each answer says.

        Raises:
            NeedsRestore: it is being restored.
        """
        if self._lost:
            raise NeedsRestore(
                "looking for the database",
                "it was lost, and is being restored by itself",
                "wait until it is there; python -m pra status says how it goes",
            )

    def status(self) -> dict:
        """How many events there are, how they are protected, and what to know of that."""
        return self._report.answer(self.needs_restore, self.count)

    @property
    def collectors(self) -> tuple[str, ...]:
        """The parts that /metrics tells."""
        return self._figures.collectors

    def collected(self) -> Iterator[Collected]:
        """What /metrics tells, part by part."""
        return self._figures.collected()

    def dump(self, out: TextIO, point: str | None = None) -> None:
        """Write every event as a line of JSON."""
        if point is None:
            with self._database.read("reading all rows") as conn:
                dump.rows(conn, out)
        else:
            dump.rows_of_point(self._layout, point, out)


def _refuse_unless_added(conn: apsw.Connection, identifier: int) -> None:
    """Refuse an INSERT that a trigger left out, or took back.

    SQLite calls neither an error, and the last row's number is then that of another event.

    Raises:
        RuleBroken: there is no such row; who raises it ends the transaction.
    """
    there = "SELECT 1 FROM events WHERE id = ?"
    if conn.changes() != 1 or not conn.execute(there, (identifier,)).fetchone():
        raise connect.rule_broken(_ADDING, "a trigger of its own leaves that event out")
