"""How many events there are: a number that the database keeps, so that nobody counts them.

Each transaction moves it with the position. A version of the application that knows
nothing of it moves the position alone: the number counts only while both were moved
last by the same transaction. It can also put guards back that somebody dropped to change
rows, and move nothing: so the number counts only while no definition was changed since it
was counted or kept, which the header's ``schema_version`` tells. It is found out again by
whoever reads everything anyway.
"""

from weakref import WeakKeyDictionary

import apsw

from pra.sql import guards

_INSERT, _DELETE = apsw.SQLITE_INSERT, apsw.SQLITE_DELETE
#: What works have told of the transaction under way: events more, and changes made for that.
_told: WeakKeyDictionary[apsw.Connection, tuple[int, int]] = WeakKeyDictionary()


def count(conn: apsw.Connection) -> int:
    """The number of events: as it is kept, or else counted."""
    known = kept(conn)
    return counted(conn) if known is None else known


def counted(conn: apsw.Connection) -> int:
    """The number of events, by reading the whole table."""
    return conn.execute("SELECT count(*) FROM events").fetchone()[0]


def kept(conn: apsw.Connection) -> int | None:
    """The number that the database keeps; None where it has none, or others may have written."""
    try:
        found = conn.execute(
            "SELECT rows, rows_schema FROM pra_position WHERE rows_seq = seq"
        ).fetchone()
    except apsw.SQLError:
        # An earlier version's.
        return None
    trusted = found and found[1] == _definitions(conn) and guards.guarded(conn)
    return found[0] if trusted else None


def recount(conn: apsw.Connection) -> None:
    """Count the events, and keep that; within a transaction."""
    keep(conn, counted(conn))


def keep(conn: apsw.Connection, rows: int) -> None:
    """Keep a number that is known to be right; after all definitions that are changed with it."""
    conn.execute(
        "UPDATE pra_position SET rows = ?, rows_seq = seq, rows_schema = ?",
        (rows, _definitions(conn)),
    )


def _definitions(conn: apsw.Connection) -> int:
    """The header's number that each change of a definition moves on, and a write does not."""
    return conn.execute("PRAGMA schema_version").fetchone()[0]


def difference(changeset: bytes) -> int:
    """How many events more there are after a transaction."""
    more = 0
    for change in apsw.Changeset.iter(changeset):
        if change.name == "events":
            more += (change.opcode == _INSERT) - (change.opcode == _DELETE)
    return more


class Unwatched:
    """What a transaction makes of the number of events where no session watches it.

    Its works tell; what nobody tells of leaves the number unknown.
    """

    def __init__(self, conn: apsw.Connection):
        self._conn, self._before = conn, conn.total_changes()
        _told[conn] = 0, 0

    def difference(self) -> int | None:
        """How many events more there are than at its beginning; None where that is unknown."""
        rows, changes = _told.pop(self._conn)
        return rows if changes == self._conn.total_changes() - self._before else None


def tell(conn: apsw.Connection, rows: int, changes: int) -> None:
    """Tell how many events a work of the transaction under way added, and by how many changes."""
    if conn in _told:
        told = _told[conn]
        _told[conn] = told[0] + rows, told[1] + changes
