"""Proof that the next write will be protected: a transaction, and its record in the journal."""

import apsw

from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.data.database import Database
from pra.journal import records, segments
from pra.journal.records import Record
from pra.sql import schema
from pra.sql.schema import Position

_DOING = "proving that writes are journaled"


def run(settings: Settings) -> dict:
    """Write as the application does, changing no row, and look for that in the journal.

    Returns:
        {"status": "journaled", "timeline", "seq"}, or {"status": "off"} where the
        settings want no journal.

    Raises:
        PraError: the write was refused, or it is not in the journal.
    """
    if settings.journal == "off":
        return {"status": "off"}
    database = Database(settings)
    before = database.write(_DOING, _come_and_go)
    record = _following(settings.layout, before)
    if record is None:
        lack = database.unprotected()
        raise Refused(
            _DOING,
            lack.said if lack else "the transaction is not in the journal",
            "python -m pra backup makes a new base, where that is what is needed",
        )
    return {"status": "journaled", "timeline": before.timeline, "seq": record.seq}


def _come_and_go(conn: apsw.Connection) -> Position:
    """Add a row and take it back: a transaction that leaves everything as it was.

    Its id is below all that the application gives out, so none of those is used up.
    """
    before = schema.position(conn)
    ((identifier,),) = conn.execute(
        "INSERT INTO events(id, ts, message) SELECT min(0, coalesce(min(id), 0)) - 1, '', ''"
        " FROM events RETURNING id"
    ).fetchall()
    conn.execute("DELETE FROM events WHERE id=?", (identifier,))
    return before


def _following(where: Layout, before: Position) -> Record | None:
    """The transaction that the journal has after a place, read from the disk."""
    found = segments.of_timeline(where, before.timeline)
    older = [segment for segment in found if segment.first <= before.seq + 1]
    for segment in found[max(len(older) - 1, 0) :]:
        _, scan = segments.read(segment)
        for record in records.committed(scan.read()):
            if record.seq > before.seq:
                return record
    return None
