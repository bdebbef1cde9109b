"""What is checked before a write: its database stands on the live timeline, and lacks nothing.

Looked at under the writer lock, as restores do what they do to the timelines under it.
A write costs one look at their folder, unless that changed.
"""

import time
from weakref import WeakKeyDictionary

import apsw

from pra.base import layout
from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.disk import files, look
from pra.journal import high_water
from pra.lineage import timelines
from pra.points import catalogue
from pra.points.catalogue import Points
from pra.sql import schema
from pra.sql.schema import Position
from pra.state import identity


class Behind(Refused):
    """The database lacks transactions that something else has."""

    def __init__(self, doing: str, here: Position, seen: high_water.Seen):
        super().__init__(
            doing,
            f"the database stands at transaction {here.seq}, {seen.by} at {seen.seq}: it is older",
            "python -m pra restore latest brings back what it lacks (what is here is kept);"
            " python -m pra restore current makes it the live history as it is",
        )


def refuse_behind(where: Layout, doing: str, here: Position, known: Points | None = None) -> None:
    """Refuse a database that lacks what a point has.

    Args:
        known: the points that there are, where the caller has listed them.

    Raises:
        Behind
    """
    seen = high_water.of_points(catalogue.scan(where) if known is None else known, here)
    if seen.seq > here.seq:
        raise Behind(doing, here, seen)


class Gate:
    """Remembers which connections passed, and how the timelines' folder looked then."""

    def __init__(self, where: Layout):
        self._where = where
        self._passed: WeakKeyDictionary = WeakKeyDictionary()

    def admit(self, conn: apsw.Connection, here: Position, doing: str) -> bool:
        """Refuse a database that is not the live one; whether ``confirm`` has to follow.

        Where no backup volume is mounted there is nothing to ask: whether a write may go
        on without one is for the journal's mode to say.

        Raises:
            Refused: it is not, or that cannot be told.
            OSError: the backup volume failed.
        """
        signature = look.signature(self._where.timelines)
        known = self._passed.get(conn, _NEVER)
        if signature is not None and known == signature:
            return False
        if signature is None and not _mounted(self._where):
            return False
        if known is _NEVER:
            identity.refuse_unknown(self._where, doing)
        mine = identity.refuse_elsewhere(self._where, doing, here)
        if not mine.active:
            # Before anything is written on it: from then on it is the live one.
            timelines.activate(self._where, mine.number)
        if known is not _NEVER:
            self._note(conn)
        return known is _NEVER

    def confirm(self, conn: apsw.Connection, doing: str) -> None:
        """Refuse a database that still lacks what a point has; the journal was looked at.

        Raises:
            Behind
        """
        refuse_behind(self._where, doing, schema.position(conn))
        self._note(conn)

    def _note(self, conn: apsw.Connection) -> None:
        signature = look.signature(self._where.timelines)
        old = signature is not None and time.time_ns() - signature[2] > files.TICK_NS
        self._passed[conn] = signature if old else None


_NEVER = object()


def _mounted(where: Layout) -> bool:
    folders = (layout.OWN, layout.COPY)
    return any(look.identity(f"{where.backup}/{folder}") for folder in folders)
