"""What the tables are: looked at anew only where somebody may have changed a definition."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import apsw

from pra.base.errors import Damaged
from pra.journal import supported
from pra.sql import guards, schema


class Tables(NamedTuple):
    """What a connection knows of the schema.

    Attributes:
        others: changes with what other connections commit; while it is the same, so is all else.
        version: as ``schema.version`` said it; while that is the same, so is all that follows.
        guarded: the write guards are there.
        hash: of the definitions.
        names: of the user's tables.
        unfit: what the journal cannot follow; None if it can all.
    """

    others: int
    version: tuple[int, int, int]
    guarded: bool
    hash: str
    names: list[str]
    unfit: supported.Unfollowed | None


class Known:
    """The tables as each connection last saw them.

    Args:
        restricted: the connections cannot change a definition themselves
            (``supported.restrict``): only what others committed has to be looked at.
    """

    def __init__(self, restricted: bool):
        self._restricted = restricted
        self._known: WeakKeyDictionary[apsw.Connection, Tables] = WeakKeyDictionary()

    def of(self, conn: apsw.Connection) -> Tables:
        """What there is; inside a transaction, in which nobody else can change it.

        Raises:
            Damaged: others may have changed rows.
        """
        others, known = _others(conn), self._known.get(conn)
        if known is None or known.others != others or not self._restricted:
            known = self._known[conn] = _look(conn, others, known)
        if not known.guarded:
            raise Damaged(
                "writing to the database",
                guards.UNGUARDED,
                guards.WAYS_ON,
            )
        return known


def _others(conn: apsw.Connection) -> int:
    return conn.execute("PRAGMA data_version").fetchone()[0]


def _look(conn: apsw.Connection, others: int, known: Tables | None) -> Tables:
    version = schema.version(conn)
    if known and known.version == version:
        return known._replace(others=others)
    return Tables(
        others,
        version,
        guards.guarded(conn),
        schema.schema_hash(conn),
        schema.tables(conn),
        supported.fault(conn),
    )
