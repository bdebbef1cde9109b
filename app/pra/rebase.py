"""A new base for the journal, where it no longer leads to the database.

That is so after writes that were not journaled (another mode, a journal
volume that failed), after a change of the tables, and after damage to the
journal. The database must not be older than its journal: then a restore is
needed, because a new base would drop what only the journal has.
"""

import contextlib
from collections.abc import Callable, Iterator

import apsw

from pra import followed, replay, schema, sqlite, volumes, witness
from pra.errors import Damaged, Refused
from pra.journal import Journal, Mismatch
from pra.layout import Layout
from pra.points import Point
from pra.schema import Position
from pra.witness import Witness

_DOING = "making a new base for the journal"


def place(where: Layout) -> Position:
    """Where the database stands, by its own word, also where others wrote to it."""
    with _live(where, sqlite.open_for_copy) as conn:
        return schema.position(conn)


def needed(where: Layout) -> bool:
    """Whether the journal does not lead to the database as it is; needs the writer lock.

    What a crash left in the journal alone is brought into the database first: a copy
    without it would lack rows that may have been acknowledged.

    Raises:
        Mismatch: the database is older than its journal.
    """
    with _live(where) as conn:
        here = schema.position(conn)
        if here is None:
            raise Refused(
                _DOING,
                "the database says nothing of its place in history",
                "restore it: python -m pra restore latest",
            )
        return schema.schema_hash(conn) != here.schema or _mismatch(where, conn, here)


def refuse_missing(where: Layout, doing: str) -> None:
    """Refuse to go on from a database that lacks what was acknowledged without a journal.

    Raises:
        Damaged
    """
    # First what was acknowledged: what is written meanwhile is no loss.
    acknowledged = Witness(_path(where)).last()
    witness.refuse_missing(doing, place(where).seq, acknowledged)


def accept_missing(where: Layout) -> None:
    """Take the database as it is, also where it lacks what was acknowledged without a journal."""
    Witness(_path(where)).set(place(where).seq)


def guarded(where: Layout) -> bool:
    """Whether nobody else can have changed rows."""
    with _live(where, sqlite.open_unchecked) as conn:
        return schema.guarded(conn)


def take_over(where: Layout) -> None:
    """Give the pages that others wrote past the application the checksums that they lack."""
    with _live(where, sqlite.open_unchecked) as conn:
        sqlite.give_checksums(conn)


def guard(where: Layout) -> None:
    """Put the write guards back where somebody removed them."""
    with _live(where) as conn:
        conn.execute("BEGIN IMMEDIATE")
        schema.guard(conn)
        conn.execute("COMMIT")


def move(where: Layout) -> None:
    """Give the database a place that only the new base has; needs the writer lock.

    Raises:
        Refused: it holds what the journal cannot follow.
    """
    with _live(where) as conn:
        unfit = followed.fault(conn)
        if unfit:
            raise Refused(_DOING, *unfit)
        conn.execute("BEGIN IMMEDIATE")
        schema.guard(conn)
        schema.rebase(conn, _journal_seq(where, schema.position(conn)) + 1)
        conn.execute("COMMIT")


def begin(where: Layout, point: Point) -> None:
    """Let the journal go on from a point just made; needs the writer lock."""
    Journal(where).begin_at(Position(**point.manifest["position"]))


def _mismatch(where: Layout, conn: apsw.Connection, here: Position) -> bool:
    journal = Journal(where)
    try:
        if journal.inspect(here):
            replay.roll_forward(conn, here, journal.continue_from(here))
        return False
    except Mismatch as mismatch:
        if mismatch.behind:
            raise
        return True
    except Damaged:
        return True
    finally:
        journal.close()


def _journal_seq(where: Layout, here: Position) -> int:
    journal = Journal(where)
    try:
        return journal.last_seq(here)
    except Damaged:
        return here.seq
    finally:
        journal.close()


def _path(where: Layout) -> str:
    return f"{where.generation(volumes.current(where))}/app.db"


@contextlib.contextmanager
def _live(
    where: Layout, opened: Callable[[str], apsw.Connection] = sqlite.open_live
) -> Iterator[apsw.Connection]:
    with sqlite.errors(_DOING):
        conn = opened(_path(where))
        try:
            yield conn
        finally:
            conn.close()
