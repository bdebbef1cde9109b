"""Where a database stands, as the database itself says.

Every look goes through SQLite as all other uses do, so nobody makes it delete a log
that may hold rows; and it shows what is there also where others wrote to it.
"""

from typing import NamedTuple

from pra.base.errors import PraError
from pra.sql import connect, schema
from pra.sql.schema import Position


class Standing(NamedTuple):
    """What a database says of itself.

    Attributes:
        position: its place in history; None if it says nothing of it.
        proven: the same; None too where somebody else may have changed rows since.
        highest_id: the highest event id that it ever gave out.
    """

    position: Position | None
    proven: Position | None
    highest_id: int


def of(path: str, doing: str) -> Standing:
    """Look at a database.

    Raises:
        Damaged, StorageError: it cannot be read.
    """
    with connect.errors(doing):
        conn = connect.open_for_copy(path)
        try:
            here, proven = schema.position(conn), schema.proven_position(conn)
            return Standing(here, proven, schema.highest_issued(conn))
        finally:
            conn.close()


def readable(path: str, doing: str) -> Standing | None:
    """As ``of``; None where that cannot be told."""
    try:
        return of(path, doing)
    except PraError:
        return None
