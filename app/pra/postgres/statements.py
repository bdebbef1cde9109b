"""What is asked of the tables: each statement is a transaction of its own, sent once."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import psycopg

from pra.base.errors import Refused, RuleBroken

ADDING = "adding an event"
#: So many keys of requests are kept at least, the newest ones; more are removed at every so
#: many events.
KEPT, PRUNED_EVERY = 100_000, 1000
#: Of the SHA-256 of a message, in bytes: enough to tell that a retry says something else.
_DIGEST = 16
_BATCH = 1000

_TEXT = """to_char(ts, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
#: Refused where its number is not above those of all events that were there when the statement
#: began: they were numbered before it, so that the sequence was set back since, or one was given a
#: number by hand.
_IN_ORDER = """CASE WHEN id <= (SELECT max(id) FROM events)
  THEN pra_refuse_number(id, (SELECT max(id) FROM events)) END"""
_ADD = f"""
WITH added AS (INSERT INTO events (message) VALUES (%s) RETURNING id, ts)
SELECT id, {_TEXT}, {_IN_ORDER} FROM added"""
#: The row of the key is written last: where another request with it came first, its unique
#: index takes all of the statement back. A retry that finds it has a transaction that writes
#: as well, a record of the log that says nothing: it ends only once a standby has what the first
#: one wrote. Where a trigger leaves the key's row out, a division by zero takes the event back.
_ADD_ONCE = f"""
WITH known AS (SELECT event, ts, digest FROM idempotency_keys WHERE key = %(key)s),
added AS (
  INSERT INTO events (message) SELECT %(message)s::text WHERE NOT EXISTS (SELECT FROM known)
  RETURNING id, ts),
noted AS (
  INSERT INTO idempotency_keys (key, event, ts, digest)
  SELECT %(key)s, id, ts, %(digest)s FROM added RETURNING event, ts)
SELECT event, {_TEXT}, true, digest = %(digest)s,
  pg_logical_emit_message(true, 'pra', '')::text, NULL FROM known
UNION ALL SELECT id, {_TEXT}, false, true, (1 / (SELECT count(*) FROM noted))::text, {_IN_ORDER}
  FROM added"""
_KEY_TAKEN, _NUMBER_TAKEN = "idempotency_keys_pkey", "events_pkey"
#: Of ``pra_refuse_number``.
_NUMBER_BEHIND = "PRA01"
_SET_FORWARD = (
    "set it forward, as the owner of the table: SELECT setval(pg_get_serial_sequence('events',"
    " 'id'), max(id)) FROM events"
)
_PRUNE = """
DELETE FROM idempotency_keys WHERE number < (
  SELECT number FROM idempotency_keys ORDER BY number DESC OFFSET %s LIMIT 1)"""
_COUNT = "SELECT coalesce(sum(events), 0)::bigint FROM event_counts"
_NEWEST = f"SELECT id, {_TEXT}, message FROM events ORDER BY id DESC LIMIT %s"
_ALL = f"SELECT id, {_TEXT}, message FROM events ORDER BY id"


class Added(NamedTuple):
    """What a request to add is answered.

    Attributes:
        replayed: an earlier request with the same key added it.
        fits: that one had the same message.
    """

    event: int
    timestamp: str
    replayed: bool = False
    fits: bool = True


def _left_out() -> RuleBroken:
    """A trigger that is none of ours left an event out."""
    return RuleBroken(
        ADDING,
        "a trigger of the database leaves that event out",
        "send what it lets pass, or change it",
    )


def add(connection: psycopg.Connection, message: str) -> Added:
    """Add an event.

    Raises:
        Refused: nothing was added.
    """
    with _numbered():
        found = connection.execute(_ADD, (message,)).fetchone()
    if found is None:
        raise _left_out()
    return Added(*found[:2])


def add_once(connection: psycopg.Connection, message: str, key: str) -> Added:
    """Add an event, unless a request with the same key did.

    Raises:
        Refused: nothing was added.
    """
    given = {"message": message, "key": key, "digest": _digest(message)}
    try:
        with _numbered():
            found = _once(connection, given)
    except psycopg.errors.DivisionByZero as error:
        if error.diag.context:
            # Of a function of somebody else's.
            raise
        raise _left_out() from None
    if found is None:
        raise _left_out()
    return Added(*found[:4])


def _once(connection: psycopg.Connection, given: dict) -> tuple | None:
    try:
        return connection.execute(_ADD_ONCE, given).fetchone()
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != _KEY_TAKEN:
            raise
    # It has ended meanwhile, so that now its key is seen.
    return connection.execute(_ADD_ONCE, given).fetchone()


@contextmanager
def _numbered() -> Iterator[None]:
    """Say what is wrong with the sequence of the numbers, where it gave one that is none.

    Raises:
        Refused: nothing was added.
    """
    try:
        yield
    except psycopg.Error as error:
        taken = error.sqlstate == "23505" and error.diag.constraint_name == _NUMBER_TAKEN
        if not taken and error.sqlstate != _NUMBER_BEHIND:
            raise
        said = error.diag.message_detail if taken else error.diag.message_primary
        raise Refused(
            ADDING,
            f"the sequence of the events' numbers is behind the events: {said}",
            _SET_FORWARD,
        ) from None


def _digest(message: str) -> bytes:
    return sha256(message.encode()).digest()[:_DIGEST]


def prune(connection: psycopg.Connection) -> None:
    """Forget the oldest keys."""
    connection.execute(_PRUNE, (KEPT - 1,))


def count(connection: psycopg.Connection) -> int:
    """The number of events."""
    return connection.execute(_COUNT).fetchone()[0]


def newest(connection: psycopg.Connection, limit: int) -> list[tuple[int, str, str]]:
    """The newest events: number, time and message of each."""
    return connection.execute(_NEWEST, (limit,)).fetchall()


@contextmanager
def everything(connection: psycopg.Connection) -> Iterator[Iterator[list[tuple]]]:
    """All events as of one moment, in the order of ids, some at a time."""
    with connection.transaction(), connection.cursor(name="pra_dump") as cursor:
        # Whoever reads it may be slow, and holds nothing that others wait for.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute(_ALL)
        yield iter(lambda: cursor.fetchmany(_BATCH), [])
