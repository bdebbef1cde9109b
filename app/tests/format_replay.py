"""Rebuilds the newest state from base and records, by docs/format.md alone.

    python3 format_replay.py /backup | sqlite3 new.db

Needs nothing but Python's standard library.
"""

import sqlite3
import sys

from format_reader import (
    ABORT,
    DELETE,
    INSERT,
    TRANSACTION,
    Place,
    changes,
    counters,
    expect,
    live_path,
    points,
    schema_hash,
    segments,
)

EMPTY = """CREATE TABLE events(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  ts TEXT NOT NULL,
  message TEXT NOT NULL
)"""
#: The table of keys and all that belongs to it, in the order in which it is made.
KEYS = (
    """CREATE TABLE idempotency_keys(
  key TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  event INTEGER NOT NULL,
  ts TEXT NOT NULL,
  message BLOB NOT NULL
) WITHOUT ROWID""",
    "CREATE INDEX idempotency_keys_by_number ON idempotency_keys(number)",
    *(
        f"""CREATE TRIGGER idempotency_keys_guard_{event.lower()} BEFORE {event} ON idempotency_keys
WHEN pra_writer() IS NOT 1
BEGIN SELECT RAISE(ABORT, 'idempotency_keys is written through the application'); END"""
        for event in ("INSERT", "UPDATE", "DELETE")
    ),
)


def opened(path):
    """A database file at rest, for reading."""
    return sqlite3.connect(f"file:{path}?immutable=1", uri=True)


def newest(backup):
    """The newest state: (a database in memory, its timeline and place, the base's name or None).

    The application's own triggers and its position are left out.
    """
    path = live_path(backup)
    name, index, place = _base(backup, path)
    conn = sqlite3.connect(":memory:", isolation_level=None)
    if name is None:
        conn.execute(EMPTY)
    else:
        with opened(f"{backup}/{name}") as source:
            source.backup(conn)
    tables, triggers = [schema_hash(conn)], _without_triggers(conn)
    for at in range(index, len(path)):
        one, limit = path[at]
        if at > index:
            place = Place(one["seq"], one["hash"])
        place = _replay(conn, tables, triggers, segments(backup, one["number"]), place, limit)
        expect(limit in (None, place), f"timeline {one['number']} ends at {place}")
    for definition in triggers:
        conn.execute(definition)
    return conn, path[-1][0]["number"], place, name


def _without_triggers(conn):
    """Drop all triggers and the position; returns the definitions of the users' triggers."""
    conn.execute("DROP TABLE IF EXISTS pra_position")
    found = conn.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in found:
        conn.execute(f"DROP TRIGGER {_quoted(name)}")
    return [sql for name, sql in found if not name.startswith("pra_guard_")]


def _base(backup, path):
    """Name, part of the path and place of the point that is nearest to the path's end."""
    numbers, found = [one["number"] for one, _ in path], []
    for name, known in points(backup).items():
        here = known.get("position")
        if known["status"] not in ("verified", "safety") or not here:
            continue
        if here["lineage"] == known["lineage"] and here["timeline"] in numbers:
            index = numbers.index(here["timeline"])
            limit = path[index][1]
            if limit is None or here["seq"] <= limit.seq:
                found.append((index, here["seq"], known["serial"], name, here["hash"]))
    if found:
        index, seq, _, name, digest = max(found)
        return name, index, Place(seq, digest)
    first = path[0][0]
    expect(first["empty"] and not first["parent"], "there is no base")
    return None, 0, Place(first["seq"], first["hash"])


def _become(conn, tables, triggers, wanted):
    """Add the table of keys where the records tell of it and the database lacks it."""
    if tables[-1] == wanted:
        return
    for definition in triggers:
        conn.execute(definition)
    for definition in KEYS:
        conn.execute(definition)
    tables.append(schema_hash(conn))
    expect(tables[-1] == wanted, "the records are of other tables")
    triggers[:] = _without_triggers(conn)


def _replay(conn, tables, triggers, parts, place, limit):
    """Apply the transactions of one timeline behind a place, up to where the path leaves it."""
    before = None
    for part in parts:
        head = part.header
        begun = before is not None or place == Place(head["applied_seq"], head["applied_hash"])
        if before is not None:
            expect(not head["rebase"] and (head["seq"], head["chain"]) == before, "a gap")
        aborted = {record.seq for record in part.records if record.kind == ABORT}
        for record in part.records:
            if begun and record.kind == TRANSACTION and record.seq not in aborted:
                if limit and record.seq > limit.seq:
                    return place
                _become(conn, tables, triggers, head["schema"])
                apply(conn, record.payload)
                place = Place(record.seq, record.hash)
            begun = begun or place == Place(record.seq, record.hash)
        if begun and part.records:
            before = part.records[-1].seq, part.records[-1].hash
    return place


def apply(conn, payload):
    """Apply one transaction as it stands."""
    wanted, changeset = counters(payload)
    for change in changes(changeset):
        names = [row[1] for row in conn.execute(f"PRAGMA table_info({_quoted(change.table)})")]
        expect(len(names) == len(change.key), f"{change.table} has other columns")
        found = conn.execute(*_statement(change, names))
        expect(found.rowcount == 1, f"{change} does not fit the rows")
    for table, last in wanted.items():
        conn.execute("DELETE FROM sqlite_sequence WHERE name = ? AND seq <= ?", (table, last))
        conn.execute(
            "INSERT INTO sqlite_sequence SELECT ?1, ?2"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
            (table, last),
        )


def _statement(change, names):
    """The SQL of one change and its values; old values are compared too."""
    table = _quoted(change.table)
    if change.operation == INSERT:
        return f"INSERT INTO {table} VALUES({', '.join('?' * len(names))})", change.new
    stated = [at for at, value in enumerate(change.old) if value is not ...]
    where = " AND ".join(f"{_quoted(names[at])} IS ?" for at in stated)
    old = [change.old[at] for at in stated]
    if change.operation == DELETE:
        return f"DELETE FROM {table} WHERE {where}", old
    changed = [at for at, value in enumerate(change.new) if value is not ...]
    expect(all(change.key[at] or at in changed for at in stated), "an old value is left alone")
    sets = ", ".join(f"{_quoted(names[at])} = ?" for at in changed)
    return f"UPDATE {table} SET {sets} WHERE {where}", [change.new[at] for at in changed] + old


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


def main(backup):
    """Write the newest state as SQL to standard output."""
    conn, timeline, place, base = newest(backup)
    said = f"timeline {timeline}, transaction {place.seq}, replayed onto {base or 'nothing'}"
    print(said, file=sys.stderr)
    for line in conn.iterdump():
        print(line)
    for number in ("user_version", "application_id"):
        print(f"PRAGMA {number} = {conn.execute(f'PRAGMA {number}').fetchone()[0]};")


if __name__ == "__main__":
    main(sys.argv[1])
