"""Whether the journal goes on from where a database stands."""

from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.journal.records import Place, Record
from pra.journal.tail import MAX_BEHIND, Tail
from pra.lineage import timelines
from pra.sql.schema import Position

#: Why a base is needed after what no changeset holds was changed.
TABLES_CHANGED = "the tables changed since the last base (or user_version, or application_id)"


class Mismatch(Refused):
    """Database and journal do not stand at the same place; a new base is needed.

    Attributes:
        behind: the database lacks transactions that the journal has.
    """

    def __init__(self, happened: str, behind: bool):
        next_step = (
            "python -m pra restore latest brings them back"
            if behind
            else "python -m pra backup makes a new base, as the scheduled one does, or says which"
            " ways lead on where nothing explains the difference"
        )
        super().__init__("writing the journal", happened, next_step)
        self.behind = behind


def behind(seq: int, detail: str) -> Mismatch:
    """The error for a database at ``seq`` that lacks what the journal has."""
    return Mismatch(f"the database stands at transaction {seq}, {detail}", behind=True)


def missing(tail: Tail, here: Position) -> list[Record]:
    """The transactions that a database lacks, of those at the journal's end.

    Raises:
        Mismatch: it is not among the journal's last ones, or its tables are others.
    """
    found = _missing(tail, Place(here.seq, bytes.fromhex(here.hash)))
    if tail.header.schema != here.schema:
        raise Mismatch(TABLES_CHANGED, behind=False)
    return found


def _missing(tail: Tail, place: Place) -> list[Record]:
    state = tail.state
    lacks = place.seq < state.seq
    if tail.hole and place.seq < tail.highest:
        raise behind(place.seq, f"its journal went on to {tail.highest}: {tail.hole}")
    if place == state.applied:
        return []
    found = tail.transactions_after(place) if lacks else None
    if found is not None and len(found) <= MAX_BEHIND:
        return found
    if lacks:
        raise behind(place.seq, f"its journal at {state.seq}")
    detail = f" ({tail.fault})" if tail.fault else ""
    raise Mismatch(
        f"the database stands at transaction {place.seq}, its journal ends at {state.seq}{detail}",
        behind=False,
    )


def refuse_other_start(where: Layout, here: Position) -> None:
    """Refuse a database that does not stand where its timeline begins, which has no journal yet.

    Raises:
        Mismatch
    """
    start = timelines.read(where, here.timeline)
    if start is None or (start.seq, start.hash) != (here.seq, here.hash):
        raise Mismatch(
            f"transaction {here.seq} and those before it are not in the journal", behind=False
        )
