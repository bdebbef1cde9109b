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

from pra.base.errors import Damaged, Refused
from pra.base.layout import Layout
from pra.disk import locks
from pra.journal import acknowledged, high_water, places, replay, segments, supported
from pra.journal.acknowledged import Acknowledged
from pra.journal.comparison import Mismatch
from pra.journal.history import Start
from pra.journal.records import Place
from pra.journal.tail import MAX_BEHIND
from pra.journal.writer import Journal
from pra.lineage import timelines
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.sql import connect, counting, guards, keys, schema
from pra.sql.schema import Position
from pra.state import admission, identity, position, volumes

_DOING = "making a new base for the journal"


def place(where: Layout) -> Position:
    """Where the database stands, as it says itself, also where others wrote to it.

    Raises:
        Refused: it says nothing of that.
    """
    return _known(position.of(_path(where), _DOING).position)


@contextlib.contextmanager
def writer_lock_on_live(where: Layout, doing: str) -> Iterator[None]:
    """Hold the writer lock while the database is copied, which has to be the live one.

    Raises:
        Refused, Damaged, Locked: it is another one, that cannot be told, or it lacks what
            was acknowledged without a journal.
    """
    refuse_missing(where, doing)
    identity.refuse_unknown(where, doing, catalogue.scan(where))
    with locks.writer(where, doing, seconds=locks.MAINTENANCE_WAIT):
        refuse_not_live(where, doing)
        yield


def refuse_not_live(where: Layout, doing: str = _DOING) -> None:
    """Refuse a database that is not on the live timeline; needs the writer lock.

    Raises:
        Refused
    """
    with live(where, connect.open_unchecked) as conn:
        here = known_position(conn)
        schema.upgrade(conn)
    mine = identity.refuse_elsewhere(where, doing, here)
    if not mine.active:
        timelines.activate(where, mine.number)


def refuse_behind(where: Layout) -> None:
    """Refuse a database that lacks what a point has; where no journal can mend that.

    Raises:
        Behind
    """
    with live(where) as conn:
        admission.refuse_behind(where, _DOING, known_position(conn))


def needed(where: Layout) -> bool:
    """Whether the journal does not lead to the database as it is; needs the writer lock.

    What a crash left in the journal alone is brought into the database first: a copy
    without it would lack rows that may have been acknowledged.

    Raises:
        Mismatch, Behind: the database is older than its journal or a point.
        Gone: nothing tells how far its journal went.
        Refused: it holds more than its journal explains.
    """
    with live(where) as conn:
        here = known_position(conn)
        wanted = _mismatch(where, conn, here)
        here = schema.position(conn)
        seen = (
            high_water.of_anything(where, here)
            if wanted
            else high_water.of_points(catalogue.scan(where), here)
        )
        if seen.seq > here.seq:
            raise admission.Behind(_DOING, here, seen)
        if wanted:
            _refuse_unexplained(where, conn, here)
        return wanted or schema.schema_hash(conn) != here.schema


def known_position(conn: apsw.Connection) -> Position:
    """Where a database stands; refuses one that does not say it."""
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
    reached = max(end.seq, high_water.of_journal(where, here).seq)
    other = places.contradiction(where, _start(here, here.seq, here.hash))
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
    return durable is not None and not places.misses(where, _start(here, *durable))


def _start(here: Position, seq: int, digest: str) -> Start:
    return Start(here.timeline, Place(seq, bytes.fromhex(digest)))


def refuse_missing(where: Layout, doing: str) -> None:
    """Refuse to go on from a database that lacks what was acknowledged without a journal.

    Raises:
        Damaged
    """
    # First what was acknowledged: what is written meanwhile is no loss.
    last = Acknowledged(_path(where)).last()
    acknowledged.refuse_missing(doing, place(where).seq, last)


def accept_missing(where: Layout) -> None:
    """Take the database as it is, also where it lacks what was acknowledged without a journal."""
    Acknowledged(_path(where)).set(place(where).seq)


def guarded(where: Layout) -> bool:
    """Whether nobody else can have changed rows."""
    with live(where, connect.open_unchecked) as conn:
        return guards.guarded(conn)


def take_over(where: Layout) -> None:
    """Give the pages that others wrote past the application the checksums that they lack."""
    with live(where, connect.open_unchecked) as conn:
        connect.give_checksums(conn)


def guard(where: Layout) -> None:
    """Put the write guards back where somebody removed them."""
    with live(where) as conn:
        conn.execute("BEGIN IMMEDIATE")
        guards.guard(conn)
        counting.recount(conn)
        conn.execute("COMMIT")


def move(where: Layout) -> None:
    """Give the database a place that only the new base has; needs the writer lock.

    Raises:
        Refused: it holds what the journal cannot follow.
    """
    with live(where) as conn:
        unfit = supported.fault(conn)
        if unfit:
            raise Refused(_DOING, *unfit)
        conn.execute("BEGIN IMMEDIATE")
        guards.guard(conn)
        if keys.addable(conn):
            keys.add(conn)
        schema.rebase(conn, high_water.of_anything(where, schema.position(conn)).seq + 1)
        conn.execute("COMMIT")


def join(where: Layout) -> None:
    """Take the database's place for the end of its journal; needs the writer lock.

    The journal that it left earlier was lost with its volume: what is written unjournaled from
    now on begins here.
    """
    with live(where) as conn:
        schema.join_journal(conn)


def begin(where: Layout, point: Point) -> None:
    """Let the journal go on from a point just made; needs the writer lock."""
    Journal(where).begin_at(Position(**point.manifest["position"]))
    with live(where) as conn:
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
def live(
    where: Layout, opened: Callable[[str], apsw.Connection] = connect.open_live
) -> Iterator[apsw.Connection]:
    """The current database, for the length of a ``with``."""
    with connect.errors(_DOING):
        conn = opened(_path(where))
        try:
            yield conn
        finally:
            conn.close()
