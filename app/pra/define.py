"""Changing the tables: what no changeset holds, and a new base for the journal therefore does.

A tool of SQLite's knows nothing of page checksums: what it wrote would count as damage.
"""

from pra import backup, locks, rebase, schema
from pra.errors import Damaged
from pra.points import Point
from pra.settings import Settings

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
        rebase.refuse_missing(where, _DOING)
        rebase.enter(where)
        if not rebase.guarded(where):
            raise Damaged(
                _DOING,
                schema.UNGUARDED,
                "python -m pra restore latest undoes that, python -m pra backup --accept keeps it",
            )
        # Brings in what a crash left in the journal alone.
        rebase.needed(where)
        rebase.change(where, sql, followed_after=settings.journal != "off")
    return backup.run(settings)
