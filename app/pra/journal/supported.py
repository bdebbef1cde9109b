"""What the journal can follow; anything else is refused before it is acknowledged.

A changeset holds rows of tables and nothing else, and it names a row by its key. So
definitions, SQLite's own tables and the numbers in the file's header are not changed in
a write; and a key tells rows apart only where equal means the same, byte by byte:
otherwise a replay takes one row for another, or cannot tell which change comes first.
"""

import re
from typing import NamedTuple

import apsw

from pra.base.errors import Refused
from pra.sql import schema

#: Key types, in upper case, whose equal values are the same; others where the table is STRICT.
_EXACT, _EXACT_IF_STRICT = ("TEXT", "REAL"), ("INT", "INTEGER", "BLOB")
# Comments and whatever is quoted: no clause of a definition is inside of them.
_NO_CLAUSE = re.compile(r"""--[^\n]*|/\*.*?\*/|'[^']*'|"[^"]*"|`[^`]*`|\[[^]]*\]""", re.DOTALL)
_ON_CONFLICT = re.compile(r"\bON\s+CONFLICT\b", re.IGNORECASE)


# A tool of SQLite's writes no page checksums, so its changes would count as damage.
_HOW = "python -m pra define 'SQL', which also makes the journal's new base"


class Unfollowed(NamedTuple):
    """What the journal cannot follow, and what makes it so that it can."""

    happened: str
    next_step: str


def fault(conn: apsw.Connection) -> Unfollowed | None:
    """The first thing in a database that the journal cannot follow; None if it can all."""
    for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'pra_*'"):
        if name not in schema.OURS:
            return Unfollowed(
                f"the journal cannot follow {name}: names with pra_ are the application's own",
                f"rename it: {_HOW}",
            )
    for table in conn.execute(
        "SELECT l.name, l.type, l.wr, l.strict, s.sql FROM pragma_table_list AS l"
        " JOIN sqlite_schema AS s ON s.name = l.name AND s.type = 'table'"
        " WHERE l.schema='main' AND l.type IN ('table', 'virtual')"
        " AND l.name NOT GLOB 'sqlite_*' AND l.name NOT GLOB 'pra_*'"
    ).fetchall():
        found = _fault_of(conn, *table)
        if found:
            why, cure = found
            return Unfollowed(
                f"the journal cannot follow the table {table[0]}: {why}",
                f"{cure}: {_HOW}",
            )
    return None


def _fault_of(
    conn: apsw.Connection, name: str, kind: str, without_rowid: int, strict: int, sql: str
) -> tuple[str, str] | None:
    """Why a table cannot be followed, and what to do about it."""
    if kind == "virtual":
        return "it is a virtual one, whose rows no changeset holds", "drop it"
    if _ON_CONFLICT.search(_NO_CLAUSE.sub(" ", sql)):
        return (
            "its ON CONFLICT clause would decide about rows in a replay too",
            "make it without that clause and say INSERT OR ... instead",
        )
    columns = conn.execute(
        "SELECT name, type FROM pragma_table_info(?) WHERE pk > 0", (name,)
    ).fetchall()
    if without_rowid:
        return _fault_of_key(conn, name, columns, strict)
    # An INTEGER PRIMARY KEY is the rowid itself; any other key is an index beside it.
    beside = conn.execute(
        "SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", (name,)
    ).fetchall()
    if columns and not beside:
        return None
    return (
        "it has no primary key of its own",
        "give it an INTEGER PRIMARY KEY (without DESC) or make it WITHOUT ROWID",
    )


def _fault_of_key(
    conn: apsw.Connection, table: str, columns: list[tuple[str, str]], strict: int
) -> tuple[str, str] | None:
    exact = _EXACT + (_EXACT_IF_STRICT if strict else ())
    for column, kind in columns:
        if kind.upper() not in exact:
            return (
                f"equal values of its key {column} can differ, as 1 and 1.0 do",
                "declare that as TEXT, or make the table STRICT with INTEGER or BLOB",
            )
    collations = [conn.column_metadata("main", table, column)[1] for column, _ in columns]
    collations += [
        collation
        for (collation,) in conn.execute(
            "SELECT x.coll FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS x"
            " WHERE l.origin = 'pk' AND x.key",
            (table,),
        )
    ]
    if any(collation.upper() != "BINARY" for collation in collations):
        return (
            "equal values of its key can differ: it is compared by another collation than BINARY",
            "compare its key by BINARY",
        )
    return None


def restrict(conn: apsw.Connection) -> None:
    """Let a connection prepare no statement whose effect no changeset holds.

    Asked when a statement is prepared and not when it runs, so a write costs no more.
    """
    conn.authorizer = _judge


_SCHEMA_TABLES = ("sqlite_master", "sqlite_schema")
_CHANGES = (apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE)
#: Statements by their codes that change definitions, or bring in what is no part of the database.
_DEFINING = {
    code: name.removeprefix("SQLITE_").replace("_", " ")
    for code, name in apsw.mapping_authorizer_function.items()
    if isinstance(code, int)
    and re.match(r"SQLITE_((CREATE|DROP)_(?!TEMP)|ALTER_|ANALYZE|ATTACH|DETACH)", name)
}
# A session prepares statements for each transaction, so what is read counts in each write.
_ASKED = frozenset({*_DEFINING, *_CHANGES, apsw.SQLITE_PRAGMA})
#: Pragmas with a value that leave rows, definitions and the file's header as they are.
_HARMLESS = {
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "journal_mode",
    "synchronous",
    "table_info",
    "table_list",
    "table_xinfo",
    "wal_checkpoint",
}


def _judge(action: int, one: str | None, two: str | None, database: str | None, _) -> int:
    """Allow what a statement is about to do (SQLite's arguments of an authorizer).

    Raises:
        Refused: the journal could not follow it.
    """
    if action not in _ASKED:
        return apsw.SQLITE_OK
    if action in _DEFINING:
        _refuse(f"{_DEFINING[action]} {one or ''}".strip())
    if action == apsw.SQLITE_PRAGMA and two is not None and one.lower() not in _HARMLESS:
        _refuse(f"PRAGMA {one}={two}")
    if action in _CHANGES and database == "main" and one.lower().startswith("sqlite_"):
        _refuse("a change of the tables" if one in _SCHEMA_TABLES else f"a change of {one}")
    return apsw.SQLITE_OK


def _refuse(what: str) -> None:
    raise Refused(
        "writing to the database",
        f"{what} is nothing that the journal can follow",
        f"tables are changed by {_HOW}",
    )
