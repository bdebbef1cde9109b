"""The database's tables, its position in history, and checks of what a file holds."""

import hashlib
import os
from typing import NamedTuple

import apsw

from pra.sql import counting, guards

EVENTS = """
CREATE TABLE events(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  ts TEXT NOT NULL,
  message TEXT NOT NULL
)"""
# Objects named pra_* are ours and not part of the user's schema.

_POSITION = """
CREATE TABLE pra_position(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  lineage TEXT NOT NULL,
  timeline INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  schema TEXT NOT NULL,
  start_rows INTEGER NOT NULL,
  left_seq INTEGER,
  left_hash TEXT,
  unjournaled_to INTEGER,
  durable_seq INTEGER,
  durable_hash TEXT,
  rows INTEGER,
  rows_seq INTEGER,
  rows_schema INTEGER
)"""

#: Columns that positions of earlier versions lack.
_ADDED = {
    "durable_seq": "INTEGER",
    "durable_hash": "TEXT",
    "rows": "INTEGER",
    "rows_seq": "INTEGER",
    "rows_schema": "INTEGER",
}
#: Names of what is ours in a database; all that begins with pra_ is.
OURS = frozenset({"pra_position", *guards.DEFINITIONS})


class Position(NamedTuple):
    """Where a database stands in the history of its volume pair.

    Attributes:
        lineage: identity of the volume pair's history.
        timeline: number of the generation; each restore opens a new one.
        seq: number of the last transaction, never used twice.
        hash: hex SHA-256 that chains that transaction to its predecessors.
        schema: hex SHA-256 of the tables' definitions.
        start_rows: rows at the beginning of the timeline.
    """

    lineage: str
    timeline: int
    seq: int
    hash: str
    schema: str
    start_rows: int

    def as_dict(self) -> dict:
        """The form that manifests and listings carry."""
        return self._asdict()


def create(conn: apsw.Connection) -> None:
    """Give an empty database its tables."""
    conn.execute(EVENTS)


def install(
    conn: apsw.Connection, lineage: str, timeline: int, seq: int, rows: int | None = None
) -> Position:
    """Put the position and the write guards into a database, replacing older ones.

    Counts the rows where they are not known: that reads the whole table. The
    hash is fresh: a new timeline continues nobody's chain but its own.
    """
    conn.execute("DROP TABLE IF EXISTS pra_position")
    conn.execute(_POSITION)
    if rows is None:
        rows = counting.counted(conn)
    here = Position(lineage, timeline, seq, fresh_hash(), schema_hash(conn), rows)
    conn.execute(
        "INSERT INTO pra_position VALUES(1,?1,?2,?3,?4,?5,?6,NULL,NULL,NULL,?3,?4,NULL,NULL,NULL)",
        here,
    )
    guards.guard(conn)
    counting.keep(conn, rows)
    return here


def fresh_hash() -> str:
    """A hash that continues no chain."""
    return os.urandom(32).hex()


def schema_hash(conn: apsw.Connection) -> str:
    """SHA-256, in hex, of all that no changeset holds and a base does.

    That is the definitions of everything but our own objects, and the numbers that
    users may set in the file's header.
    """
    digest = hashlib.sha256()
    _, *numbers = version(conn)
    if any(numbers):
        digest.update(repr(numbers).encode())
    for row in conn.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema "
        "WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"
    ):
        if row[1] not in OURS:
            digest.update("\0".join(row).encode() + b"\0\0")
    return digest.hexdigest()


def position(conn: apsw.Connection) -> Position | None:
    """What the database says about its place in history; None if it says nothing.

    Raises:
        apsw.CorruptError: no database that was written has such a position.
    """
    try:
        row = conn.execute(
            "SELECT lineage, timeline, seq, hash, schema, start_rows FROM pra_position"
        ).fetchone()
    except apsw.SQLError:
        return None
    # As its columns promise: SQLite hands on whatever a page has.
    if row and not all(map(isinstance, row, Position.__annotations__.values())):
        raise apsw.CorruptError("its position has fields of other kinds")
    return Position(*row) if row else None


def proven_position(conn: apsw.Connection) -> Position | None:
    """As ``position``; None too where somebody else may have changed rows since."""
    return position(conn) if guards.guarded(conn) else None


#: The number of events goes along; what another version wrote meanwhile leaves it unknown.
_ROWS = "rows = rows + ?{0}, rows_seq = CASE WHEN rows_seq = seq THEN ?1 END"


def advance(
    conn: apsw.Connection,
    seq: int,
    new_hash: str,
    durable: tuple[int, str] | None = None,
    rows: int | None = None,
) -> None:
    """Move the position on, inside the transaction that it describes.

    Args:
        rows: how many events more there are after it; None where that is unknown.
        durable: number and hash (hex) of the last transaction that the journal's disk is
            known to have.
    """
    conn.execute(
        "UPDATE pra_position SET seq = ?1, hash = ?2,"
        " durable_hash = CASE WHEN ?3 > coalesce(durable_seq, -1) THEN ?4 ELSE durable_hash END,"
        " durable_seq = CASE WHEN ?3 > coalesce(durable_seq, -1) THEN ?3 ELSE durable_seq END,"
        f" {_ROWS.format(5)}",
        (seq, new_hash, *(durable or (None, None)), rows),
    )


def durable(conn: apsw.Connection) -> tuple[int, str] | None:
    """The last place, number and hash (hex), that its journal is known to have durably."""
    found = conn.execute("SELECT durable_seq, durable_hash FROM pra_position").fetchone()
    return found if found and found[0] is not None else None


def begin_journal(conn: apsw.Connection) -> None:
    """Note that the journal goes on from exactly here."""
    conn.execute(
        "UPDATE pra_position SET durable_seq = seq, durable_hash = hash, unjournaled_to = NULL"
    )


def upgrade(conn: apsw.Connection) -> None:
    """Give a position of an earlier version what this one keeps there, unknown as yet."""
    known = {row[1] for row in conn.execute("PRAGMA table_info(pra_position)")}
    # Nothing that the journal would have to follow.
    judge, conn.authorizer = conn.authorizer, None
    for name, kind in _ADDED.items():
        if known and name not in known:
            conn.execute(f"ALTER TABLE pra_position ADD COLUMN {name} {kind}")
    conn.authorizer = judge


def advance_unjournaled(conn: apsw.Connection, seq: int, rows: int | None = None) -> None:
    """As ``advance``, where the journal does not follow: remembers where it was left."""
    conn.execute(
        "UPDATE pra_position SET"
        " left_seq = CASE WHEN unjournaled_to = seq THEN left_seq ELSE seq END,"
        " left_hash = CASE WHEN unjournaled_to = seq THEN left_hash ELSE hash END,"
        f" seq = ?1, hash = ?2, unjournaled_to = ?1, {_ROWS.format(3)}",
        (seq, fresh_hash(), rows),
    )


def left_journal(conn: apsw.Connection) -> tuple[int, str] | None:
    """Number and hash (hex) from which on nothing was journaled, on purpose; None otherwise."""
    return conn.execute(
        "SELECT left_seq, left_hash FROM pra_position WHERE unjournaled_to = seq"
    ).fetchone()


def join_journal(conn: apsw.Connection) -> None:
    """Forget where the journal was left: it ends where the database stands."""
    conn.execute("UPDATE pra_position SET left_seq=NULL, left_hash=NULL, unjournaled_to=NULL")


def rebase(conn: apsw.Connection, seq: int) -> None:
    """Move the position to where a new base begins, with the tables as they are now."""
    advance_unjournaled(conn, seq)
    take_definitions(conn)
    counting.recount(conn)


def take_definitions(conn: apsw.Connection) -> None:
    """Make the tables as they are now those of the position."""
    conn.execute("UPDATE pra_position SET schema=?", (schema_hash(conn),))


def version(conn: apsw.Connection) -> tuple[int, int, int]:
    """Numbers of the file's header; one changes whenever ``schema_hash`` does.

    Returns:
        (schema_version, user_version, application_id)
    """
    execute = conn.execute
    return (
        execute("PRAGMA schema_version").fetchone()[0],
        execute("PRAGMA user_version").fetchone()[0],
        execute("PRAGMA application_id").fetchone()[0],
    )


def tables(conn: apsw.Connection) -> list[str]:
    """The user's tables."""
    return [
        name
        for (name,) in conn.execute(
            "SELECT name FROM pragma_table_list WHERE schema='main' AND type='table'"
            " AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'pra_*'"
        )
    ]


def sequences(conn: apsw.Connection) -> dict[str, int]:
    """AUTOINCREMENT's counters: sessions do not see them."""
    return dict(conn.execute("SELECT name, seq FROM sqlite_sequence"))


def raise_sequences(conn: apsw.Connection, wanted: dict[str, int]) -> None:
    """Make sure that no number up to the given ones is given out again."""
    for table, highest in wanted.items():
        changed = conn.execute(
            "UPDATE sqlite_sequence SET seq=max(seq, ?) WHERE name=? RETURNING 1", (highest, table)
        ).fetchall()
        if not changed:
            conn.execute("INSERT INTO sqlite_sequence(name, seq) VALUES(?, ?)", (table, highest))


def totals(conn: apsw.Connection) -> tuple[int, int | None]:
    """Number of rows and the highest id (None without rows); an apsw.SQLError without a table."""
    return counting.counted(conn), highest(conn)


def highest(conn: apsw.Connection) -> int | None:
    """The highest id; None without rows. Looked up, where beside a count it would be a scan."""
    return conn.execute("SELECT max(id) FROM events").fetchone()[0]


def highest_issued(conn: apsw.Connection) -> int:
    """The highest id ever given out, also to rows that are gone; 0 where none can have been."""
    # SQLite makes it with the first table that counts.
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name='sqlite_sequence'").fetchone():
        return 0
    return sequences(conn).get("events", 0)


def fault(conn: apsw.Connection) -> str | None:
    """Why a database is not sound, or is not this application's; None if it is both."""
    for (line,) in conn.execute("PRAGMA integrity_check(1)"):
        if line != "ok":
            return f"integrity check: {line}"
    found = conn.execute("SELECT name FROM pragma_table_info('events') ORDER BY cid").fetchall()
    if [name for (name,) in found] != ["id", "ts", "message"]:
        return "it has no table events(id, ts, message)"
    return None
