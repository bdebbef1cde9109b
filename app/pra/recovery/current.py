"""Copying the database that is there, as it is, to become the live history."""

from collections.abc import Callable
from typing import NamedTuple

import apsw

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import files
from pra.journal import places
from pra.journal.history import Start
from pra.journal.records import Place
from pra.lineage import marks
from pra.sql import connect, schema
from pra.sql.schema import Position

DOING = "making the database the live history"


class Unchecked(NamedTuple):
    """A database that was read without asking whether its pages are what was written.

    Attributes:
        reason: what is wrong with them.
        seq: the number of its last transaction; 0 if it does not say.
        highest_id: the highest id that it ever gave out.
    """

    reason: str
    seq: int
    highest_id: int


def copy(
    where: Layout, source: str, path: str, force: bool
) -> tuple[Start | None, Unchecked | None]:
    """Copy a database; the copy continues the history that it stands in where that agrees.

    Args:
        force: also one with pages that are not what was written, the rows on them as
            they read now. Nothing else may have any others.

    Returns:
        Where it stands, if journal or record have exactly its place; and what of it could
        not be checked, if anything.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        return _agreeing(where, _copied(source, path, connect.open_for_copy)[0]), None
    except Damaged as error:
        if not force:
            raise
        files.remove(path)
        here, highest_id = _copied(source, path, connect.open_unchecked)
        return None, Unchecked(error.happened, here.seq if here else 0, highest_id)


def _copied(
    source: str, path: str, opened: Callable[[str], apsw.Connection]
) -> tuple[Position | None, int]:
    """Copy; where that stands, and the highest id that it gave out."""
    with connect.errors(DOING):
        live, copy = opened(source), connect.open_target(path)
        try:
            with copy.backup("main", live, "main") as copying:
                copying.step(-1)
            copy.execute("PRAGMA journal_mode=DELETE")
            reason = schema.fault(copy)
            found = schema.position(copy), schema.highest_issued(copy)
        finally:
            live.close()
            copy.close()
    if reason:
        raise Damaged(DOING, reason, "python -m pra restore latest")
    return found


def _agreeing(where: Layout, here: Position | None) -> Start | None:
    if here is None or here.lineage != marks.lineage_of(where.backup):
        return None
    start = Start(here.timeline, Place(here.seq, bytes.fromhex(here.hash)))
    return start if places.stood_at(where, start) else None
