"""Telling whether what was copied of a volume is the past that the volume has."""

from pra.base.errors import Refused
from pra.offsite.index import Index
from pra.offsite.names import RECORDS, Piece, Record


class AnotherPast(Refused):
    """The copies have what the volume never had: it was rolled back, or somebody copied it."""

    def __init__(self, shown: str, what: str):
        super().__init__(
            "copying elsewhere",
            f"the copies in {shown} are of another past of this volume: {what}. It was rolled"
            " back, or a copy of it is in use somewhere else",
            "stop the other one if there is one; python -m pra offsite push --anew gives this"
            " volume copies of its own beside those, which stay",
        )


def refuse_newer(shown: str, index: Index, numbers: list[int]) -> None:
    """Refuse where the copies have a timeline that began after all that the volume has.

    Raises:
        AnotherPast
    """
    newest = max(numbers, default=0)
    there = [one.number for one in index.within(RECORDS) if isinstance(one, Record)]
    beyond = max([*there, *index.timelines()], default=0)
    if beyond > newest:
        raise AnotherPast(shown, f"they have timeline {beyond}, the volume none after {newest}")


def refuse_other_record(shown: str, index: Index, record: Record) -> None:
    """Refuse to add a second record of a timeline.

    Raises:
        AnotherPast
    """
    there = [one for one in index.within(RECORDS) if isinstance(one, Record)]
    if any(one.number == record.number and one != record for one in there):
        raise AnotherPast(shown, f"timeline {record.number} began otherwise")


def refuse_segments_beyond(shown: str, index: Index, live: int, last: int) -> None:
    """Refuse where the copies have a segment after the last one of the live timeline.

    Args:
        last: where that begins.

    Raises:
        AnotherPast
    """
    beyond = max(index.timelines().get(live, {0}))
    if beyond > last:
        raise AnotherPast(shown, f"timeline {live} goes on from transaction {beyond} there")


def other_pieces(pieces: list[Piece], content: bytes, mac) -> list[Piece]:
    """Those of a segment that hold something else than the volume has."""
    return [
        one
        for one in pieces
        if one.end <= len(content) and mac(content[one.start : one.end]) != one.mac
    ]
