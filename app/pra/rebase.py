"""A new base for the journal, where it no longer leads to the database.

That is so after writes that were not journaled (another mode, a journal
volume that failed), after a change of the tables, after a loss of power that took
the journal's last records, and after damage to the journal. A new base is then made
without asking, because the database holds every row that was acknowledged: nothing
that can still be read tells of a later transaction, and it left its journal exactly
where that ends, or by no more than a loss of power explains. Anything else is for a
person to decide: a new base would drop what only the journal has, or make a database
of unknown origin the history.
"""

import contextlib
from collections.abc import Callable, Iterator

import apsw

from pra import (
    evidence,
    followed,
    gate,
    history,
    identity,
    locks,
    points,
    replay,
    schema,
    segments,
    sqlite,
    standing,
    timelines,
    volumes,
    witness,
)
from pra.errors import Damaged, Refused, UsageError
from pra.history import Start
from pra.journal import MAX_BEHIND, Journal, Mismatch
from pra.layout import Layout
from pra.points import Point
from pra.records import Place
from pra.schema import Position
from pra.witness import Witness

_DOING = "making a new base for the journal"


def place(where: Layout) -> Position:
    """Where the database stands, by its own word, also where others wrote to it.

    Raises:
        Refused: it says nothing of that.
    """
    return _known(standing.of(_path(where), _DOING).position)


@contextlib.contextmanager
def entered(where: Layout, doing: str) -> Iterator[None]:
    """The writer lock, on a database that is the live one: for who copies it.

    Raises:
        Refused, Damaged, Locked: it is another one, that cannot be told, or it lacks what
            was acknowledged without a journal.
    """
    refuse_missing(where, doing)
    identity.refuse_unknown(where, doing, points.scan(where))
    with locks.writer(where, doing, seconds=locks.MAINTENANCE_WAIT):
        enter(where, doing)
        yield


def enter(where: Layout, doing: str = _DOING) -> None:
    """Refuse a database that is not on the live timeline; needs the writer lock.

    Raises:
        Refused
    """
    with _live(where, sqlite.open_unchecked) as conn:
        here = _known_position(conn)
        schema.upgrade(conn)
    mine = identity.refuse_elsewhere(where, doing, here)
    if not mine.active:
        timelines.activate(where, mine.number)


def refuse_behind(where: Layout) -> None:
    """Refuse a database that lacks what a point has; where no journal can mend that.

    Raises:
        Behind
    """
    with _live(where) as conn:
        gate.refuse_behind(where, _DOING, _known_position(conn))


def needed(where: Layout) -> bool:
    """Whether the journal does not lead to the database as it is; needs the writer lock.

    What a crash left in the journal alone is brought into the database first: a copy
    without it would lack rows that may have been acknowledged.

    Raises:
        Mismatch, Behind: the database is older than its journal or a point.
        Gone: nothing tells how far its journal went.
        Refused: it holds more than its journal explains.
    """
    with _live(where) as conn:
        here = _known_position(conn)
        wanted = _mismatch(where, conn, here)
        here = schema.position(conn)
        seen = evidence.highest(where, here) if wanted else evidence.of_points(where, here)
        if seen.seq > here.seq:
            raise gate.Behind(_DOING, here, seen)
        if wanted:
            _refuse_unexplained(where, conn, here)
        return wanted or schema.schema_hash(conn) != here.schema


def _known_position(conn: apsw.Connection) -> Position:
    return _known(schema.position(conn))


def _known(here: Position | None) -> Position:
    if here is None:
        raise Refused(
            _DOING,
            "the database says nothing of its place in history",
            "python -m pra restore latest takes what points and journal lead to (what is here is"
            " kept); python -m pra restore current makes this database the live history",
        )
    return here


def _refuse_unexplained(where: Layout, conn: apsw.Connection, here: Position) -> None:
    """Refuse what is ahead of its journal otherwise than a loss of power explains.

    Writes that were left out of it on purpose explain any distance, from its end on.
    """
    end = identity.end_of_journal(where, timelines.read(where, here.timeline))
    if (end.seq, end.hash) in ((here.seq, here.hash), schema.left_journal(conn)):
        return
    reached = max(end.seq, evidence.of_journal(where, here).seq)
    other = history.contradiction(where, _start(here, here.seq, here.hash))
    if here.seq - reached <= MAX_BEHIND and not other and _shares_past(where, conn, here):
        return
    raise Refused(
        _DOING,
        f"the database stands at transaction {here.seq}, its journal ends at {reached}, and"
        f" {other or 'nothing says why'}: one of the two is not what it was",
        "python -m pra restore current makes this database the live history; python -m pra"
        " restore latest takes what points and journal lead to (what is here is kept)",
    )


def _shares_past(where: Layout, conn: apsw.Connection, here: Position) -> bool:
    """Whether the journal has what it had durably when the database last heard of it.

    A loss of power takes nothing of that. Where it is not there, one of the two volumes was
    put back, and the journal may hold rows that the database never had.
    """
    durable = schema.durable(conn)
    return durable is not None and not history.misses(where, _start(here, *durable))


def _start(here: Position, seq: int, digest: str) -> Start:
    return Start(here.timeline, Place(seq, bytes.fromhex(digest)))


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
        schema.rebase(conn, evidence.highest(where, schema.position(conn)).seq + 1)
        conn.execute("COMMIT")


def join(where: Layout) -> None:
    """Take the database's place for the end of its journal; needs the writer lock.

    The journal that it left earlier was lost with its volume: what is written unjournaled from
    now on begins here.
    """
    with _live(where) as conn:
        schema.join_journal(conn)


def change(where: Layout, sql: str, followed_after: bool) -> None:
    """Run SQL that changes the tables, and move to where a new base begins; needs the writer lock.

    Args:
        followed_after: whether the journal has to be able to follow what comes of it.

    Raises:
        UsageError: SQLite does not take it.
        Refused: the result would be of no use to the application, or the journal.
    """
    with _live(where) as conn:
        conn.execute("BEGIN IMMEDIATE")
        here = _known_position(conn)
        conn.authorizer = _stay_inside
        try:
            conn.execute(sql).fetchall()
        except (apsw.SQLError, apsw.ConstraintError, apsw.AuthError) as error:
            raise UsageError(
                "changing the tables", f"SQLite refuses that: {error}", "correct the statement"
            ) from error
        finally:
            conn.authorizer = None
        unsound = schema.fault(conn)
        if not unsound and schema.position(conn) != here:
            unsound = "pra_position is the application's own, and was changed"
        if unsound:
            raise Refused("changing the tables", unsound, "leave what the application needs")
        unfit = followed.fault(conn) if followed_after else None
        if unfit:
            raise Refused("changing the tables", *unfit)
        schema.guard(conn)
        schema.rebase(conn, evidence.highest(where, here).seq + 1)
        conn.execute("COMMIT")


def _stay_inside(action: int, *_) -> int:
    """Refuse what leaves the transaction or brings in another file (SQLite's authorizer)."""
    outside = apsw.SQLITE_TRANSACTION, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH
    return apsw.SQLITE_DENY if action in outside else apsw.SQLITE_OK


def begin(where: Layout, point: Point) -> None:
    """Let the journal go on from a point just made; needs the writer lock."""
    Journal(where).begin_at(Position(**point.manifest["position"]))
    with _live(where) as conn:
        schema.begin_journal(conn)


def _mismatch(where: Layout, conn: apsw.Connection, here: Position) -> bool:
    journal = Journal(where)
    try:
        if journal.inspect(here):
            if schema.schema_hash(conn) != here.schema:
                raise Mismatch("it lacks transactions, and its tables were changed", behind=True)
            replay.roll_forward(conn, here, journal.continue_from(here))
        return False
    except Mismatch as mismatch:
        if mismatch.behind:
            raise
        return True
    except segments.Gone:
        raise
    except Damaged:
        return True
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
