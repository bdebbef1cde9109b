"""Changing the tables: what no changeset holds, and a new base for the journal therefore does.

A tool of SQLite's knows nothing of page checksums: what it wrote would count as damage.
"""

import apsw

from pra.base.errors import Damaged, Refused, UsageError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.journal import high_water, supported
from pra.points.catalogue import Point
from pra.protect import backup, new_base
from pra.sql import guards, schema

_DOING = "changing the tables"


def run(settings: Settings, sql: str) -> Point:
    """Run SQL in one transaction, then make the point from which the journal goes on.

    Killed in between, the next scheduled backup ends the work.

    Returns:
        The new point, verified or quarantined.

    Raises:
        UsageError: SQLite takes no such statement.
        Refused, StorageError: nothing was changed, or no point was made of it.
    """
    where = settings.layout
    backup.refuse_unready(where, _DOING)
    with (
        locks.maintenance(where, _DOING),
        locks.writer(where, _DOING, seconds=locks.MAINTENANCE_WAIT),
    ):
        new_base.refuse_missing(where, _DOING)
        new_base.refuse_not_live(where)
        if not new_base.guarded(where):
            raise Damaged(
                _DOING,
                guards.UNGUARDED,
                guards.WAYS_ON,
            )
        # Brings in what a crash left in the journal alone.
        new_base.needed(where)
        change(where, sql, followed_after=settings.journal != "off")
    return backup.run(settings)


def change(where: Layout, sql: str, followed_after: bool) -> None:
    """Run SQL that changes the tables, and move to where a new base begins; needs the writer lock.

    Args:
        followed_after: whether the journal has to be able to follow what comes of it.

    Raises:
        UsageError: SQLite does not take it.
        Refused: the result would be of no use to the application, or the journal.
    """
    with new_base.live(where) as conn:
        conn.execute("BEGIN IMMEDIATE")
        here = new_base.known_position(conn)
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
        unfit = supported.fault(conn) if followed_after else None
        if unfit:
            raise Refused("changing the tables", *unfit)
        guards.guard(conn)
        schema.rebase(conn, high_water.of_anything(where, here).seq + 1)
        conn.execute("COMMIT")


def _stay_inside(action: int, *_) -> int:
    """Refuse what leaves the transaction or brings in another file (SQLite's authorizer)."""
    outside = apsw.SQLITE_TRANSACTION, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH
    return apsw.SQLITE_DENY if action in outside else apsw.SQLITE_OK
