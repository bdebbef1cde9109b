"""What a database of an earlier version lacks, given to it where that can be done now."""

import contextlib

from pra.base.errors import Damaged, PraError
from pra.base.layout import Layout
from pra.disk import look, space
from pra.journal import high_water, segments, supported
from pra.protect import new_base
from pra.sql import counting, guards, keys, schema
from pra.state import volumes


def lacks_keys(where: Layout) -> bool:
    """Whether the database is of an earlier version, and a new base would let it remember keys.

    Not where that base could not be made: without it writes would be refused.
    """
    with new_base.live(where) as conn:
        if not (keys.addable(conn) and guards.guarded(conn)) or supported.fault(conn):
            return False
        try:
            high_water.of_anything(where, new_base.known_position(conn))
        except (PraError, OSError):
            return False
    path = f"{where.generation(volumes.current(where))}/app.db"
    size = sum(look.size(f"{path}{beside}") or 0 for beside in ("", "-wal"))
    return space.of(where, where.backup).free > 2 * size + 2 * segments.SIZE


def add_keys(where: Layout) -> None:
    """Let a database of an earlier version remember keys, where no journal has to follow.

    Needs the writer lock. One that follows later finds other tables, and makes a new base.
    """
    with new_base.live(where) as conn:
        if keys.addable(conn) and guards.guarded(conn):
            conn.execute("BEGIN IMMEDIATE")
            rows = counting.kept(conn)
            keys.add(conn)
            schema.take_definitions(conn)
            if rows is not None:
                counting.keep(conn, rows)
            conn.execute("COMMIT")


def know_count(where: Layout, anew: bool = False) -> None:
    """Let the database keep the number of its events again where it knows none.

    A version that knows nothing of it wrote, or a work that told nothing. Needs the writer lock.

    Args:
        anew: count them in any case.
    """
    # A database that cannot be read is no matter of its count: a backup finds out, and says more.
    with contextlib.suppress(Damaged), new_base.live(where) as conn:
        if guards.guarded(conn) and (anew or counting.kept(conn) is None):
            conn.execute("BEGIN IMMEDIATE")
            counting.recount(conn)
            conn.execute("COMMIT")
