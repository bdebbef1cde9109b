"""The keys of requests (``Idempotency-Key``): what was answered to each, for its retries.

They are rows of a table like any other to journal, points and restores, so a key is known
exactly where its event is, or was. A database of an earlier version lacks the table until
it is given a new base, or is restored.
"""

from hashlib import sha256
from typing import NamedTuple

import apsw

from pra.sql import guards

#: So many keys are kept, the newest ones.
KEPT = 100_000
#: At most so many old ones are removed beside a new one: also where ``KEPT`` was larger before.
_REMOVED = 2
#: Of the SHA-256 of a message, in bytes: enough to tell that a retry says something else.
_DIGEST = 16
TABLE = "idempotency_keys"
# Names with pra_ would be journaled by no version, and refused by earlier ones.
_TABLE = f"""
CREATE TABLE {TABLE}(
  key TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  event INTEGER NOT NULL,
  ts TEXT NOT NULL,
  message BLOB NOT NULL
) WITHOUT ROWID"""
_GUARD = """
CREATE TRIGGER {table}_guard_{name} BEFORE {event} ON {table}
WHEN pra_writer() IS NOT 1
BEGIN SELECT RAISE(ABORT, '{table} {refusal}'); END"""
#: As they stand in the schema, by name, in the order in which they are made.
DEFINITIONS = {
    TABLE: _TABLE.strip(),
    f"{TABLE}_by_number": f"CREATE INDEX {TABLE}_by_number ON {TABLE}(number)",
    **{
        f"{TABLE}_guard_{event.lower()}": _GUARD.format(
            table=TABLE, name=event.lower(), event=event, refusal=guards.REFUSAL
        ).strip()
        for event in ("INSERT", "UPDATE", "DELETE")
    },
}
_NAMES = ", ".join(f"'{name}'" for name in DEFINITIONS)
_PRESENT = f"SELECT name, sql FROM sqlite_schema WHERE lower(name) IN ({_NAMES})"


class Answered(NamedTuple):
    """What was answered to the request with a key.

    Attributes:
        event, timestamp: of the event that it added.
        fits: whether a retry says the same.
    """

    event: int
    timestamp: str
    fits: bool


def there(conn: apsw.Connection) -> bool:
    """Whether a database can remember keys."""
    return dict(conn.execute(_PRESENT)) == DEFINITIONS


def addable(conn: apsw.Connection) -> bool:
    """Whether a database lacks the table, and has nothing else of its name."""
    return not conn.execute(_PRESENT).fetchone()


def add(conn: apsw.Connection) -> None:
    """Give a database its table of keys; who does that sees to a position with the new schema."""
    for definition in DEFINITIONS.values():
        conn.execute(definition)


def answered(conn: apsw.Connection, key: str, message: str) -> Answered | None:
    """What the request with a key was answered; None if there was none, as far as is kept."""
    found = conn.execute(f"SELECT event, ts, message FROM {TABLE} WHERE key = ?", (key,)).fetchone()
    return Answered(found[0], found[1], found[2] == _digest(message)) if found else None


def note(conn: apsw.Connection, key: str, event: int, timestamp: str, message: str) -> None:
    """Remember what is answered, and forget what is too old, in the transaction of the event."""
    # Numbers follow each other without a gap: the oldest alone are ever removed.
    numbers = conn.execute(
        f"INSERT INTO {TABLE}"
        f" VALUES(?, 1 + coalesce((SELECT max(number) FROM {TABLE}), 0), ?, ?, ?)"
        " RETURNING number",
        (key, event, timestamp, _digest(message)),
    ).fetchall()
    if not numbers:
        # By a trigger that is none of ours: the retry would be added as well.
        raise apsw.ConstraintError(f"a trigger leaves the row of {TABLE} out")
    ((number,),) = numbers
    if number > KEPT:
        conn.execute(
            f"DELETE FROM {TABLE} WHERE key IN (SELECT key FROM {TABLE} WHERE number <= ?"
            " ORDER BY number LIMIT ?)",
            (number - KEPT, _REMOVED),
        )


def _digest(message: str) -> bytes:
    return sha256(message.encode()).digest()[:_DIGEST]
