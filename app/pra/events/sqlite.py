"""The events in SQLite, with the journal: rows of one table, and what protects them."""

from typing import TextIO

from pra.base import clock
from pra.base.errors import Damaged
from pra.base.settings import Settings
from pra.data import dump
from pra.data.database import Database
from pra.disk import look, space
from pra.events.interface import Event, Events
from pra.events.journal_health import JournalHealth
from pra.journal import segments
from pra.points import catalogue
from pra.protect import notices
from pra.protect.freshness import Freshness
from pra.sql import connect
from pra.state import identity, mode, volumes


class SqliteEvents(Events):
    """The events of a pair of volumes."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._database = Database(settings)
        self._freshness = Freshness(settings.overdue_seconds)
        self._layout = settings.layout
        self._health = JournalHealth(settings.layout, settings.journal)

    def add(self, message: str) -> Event:
        """Add one event."""

        def insert(conn):
            # The time of its record too: a restore to the moment that a row shows includes it.
            timestamp = clock.rfc3339(self._database.writer.moment_ms / 1000, 3)
            conn.execute("INSERT INTO events(ts, message) VALUES(?, ?)", (timestamp, message))
            return timestamp, conn.last_insert_rowid()

        timestamp, identifier = self._database.write("adding an event", insert)
        return {"timestamp": timestamp, "message": message, "id": identifier}

    def count(self) -> int:
        """The number of events."""
        with self._database.read("counting the events") as conn:
            return conn.execute("SELECT count(*) FROM events").fetchone()[0]

    def newest(self, limit: int) -> list[Event]:
        """The newest events, the newest first."""
        with self._database.read("listing the events") as conn:
            rows = conn.execute(
                "SELECT id, ts, message FROM events ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [{"id": row[0], "timestamp": row[1], "message": row[2]} for row in rows]

    def needs_restore(self) -> bool:
        """Whether the database is missing."""
        missing = volumes.current(self._layout) is None
        if missing:
            self._database.pool.drop()
        return missing

    def status(self) -> dict:
        """How many events there are, how they are protected, and what to know of that."""
        known = catalogue.scan(self._layout)
        needs_restore, told = self.needs_restore(), notices.found(self._settings, known)
        count, checksums = 0, None
        try:
            if not needs_restore:
                count, checksums = self.count(), self._checksums()
        except Damaged as error:
            count = None
            told = told or [notices.Notice(str(error), error.next_step)]
        last = catalogue.latest(known)
        trouble = self._health.trouble(known)
        if trouble:
            told = [*told, notices.of_journal(trouble, needs_restore)]
        overdue = self._freshness.overdue(known)
        if overdue:
            told = [*told, overdue]
        return {
            "count": count,
            "last_backup_file": last.name if last else None,
            "backup_age_seconds": round(max(0.0, clock.now() - last.epoch), 3) if last else None,
            "backup_rows": last.manifest["rows"] if last else None,
            "points": len(known),
            "quarantined": sum(point.status == "quarantined" for point in known),
            "protection": "snapshot" if self._settings.journal == "off" else "journal",
            "journal": self._settings.journal,
            "page_checksums": checksums,
            "unprotected": self._unprotected(),
            "journal_damage": trouble,
            "needs_restore": needs_restore,
            "notices": [notice.as_dict() for notice in told],
            "registry": identity.faults(self._layout),
            "volumes": self._volumes(),
        }

    def dump(self, out: TextIO, point: str | None = None) -> None:
        """Write every event as a line of JSON."""
        if point is None:
            with self._database.read("reading all rows") as conn:
                dump.rows(conn, out)
        else:
            dump.rows_of_point(self._layout, point, out)

    def _checksums(self) -> bool:
        with self._database.read("looking at the pages") as conn:
            return connect.has_checksums(conn)

    def _unprotected(self) -> str | None:
        try:
            return self._database.unprotected() or mode.disagreement(self._settings)
        except Damaged as error:
            return str(error)

    def _volumes(self) -> dict:
        """The room on both volumes; full is one that cannot take what comes next.

        That is a write on one, a snapshot or a segment of the journal on the other.
        """
        where = self._layout
        snapshot = look.size(where.link) or 0
        wanted = {
            "data": (where.data, space.WRITE_BYTES),
            "backup": (where.backup, max(segments.SIZE, snapshot)),
        }
        found = {name: space.of(where, path) for name, (path, _) in wanted.items()}
        return {
            name: {**one._asdict(), "full": one.free < wanted[name][1]}
            for name, one in found.items()
        }
