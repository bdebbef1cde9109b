"""How far the journal elsewhere leads, as whoever copies knows it: by numbers and headers."""

from typing import NamedTuple

from pra.journal.history import Path, Start
from pra.journal.records import Place, SegmentHeader
from pra.journal.segments import Segment
from pra.pitr import paths


class Seen(NamedTuple):
    """A segment of the volume.

    Attributes:
        header: what it continues.
        last: the last number that is sound in it.
        there: all up to that is elsewhere.
    """

    segment: Segment
    header: SegmentHeader
    last: int
    there: bool


#: By timeline and first number.
Known = dict[tuple[int, int], Seen]


def leads(path: Path, start: Start, known: Known) -> bool:
    """Whether what is elsewhere leads from a place to the path's end without a gap."""
    index = path.index_of(start)
    if index is None:
        return False
    place = start.place
    every = [known[key].segment for key in sorted(known)]
    way = paths.leading_on(path, start, every, None)
    for at in range(index, len(path.line)):
        timeline = path.line[at]
        if at > index:
            place = Place(timeline.seq, bytes.fromhex(timeline.hash))
        last = _through(place, [known[one[:2]] for one in way if one.timeline == timeline.number])
        limit = path.limit(at)
        if last is None or (limit and last < limit.seq):
            return False
    return True


def _through(place: Place, own: list[Seen]) -> int | None:
    """The last number that segments of one timeline lead to; None where they are interrupted."""
    last = place.seq
    for one in own:
        if not one.there or one.segment.first > last + 1:
            return None
        begins = one.header.rebase and one.segment.first == last + 1
        if begins and (last, bytes.fromhex(one.header.applied_hash)) != place:
            # What is between it and the journal before is unknown.
            return None
        last = max(last, one.last)
    return last


def end(path: Path, known: Known) -> Start | None:
    """The last number of the live timeline that is elsewhere with all that is here before it."""
    live = path.line[-1]
    own = [known[key] for key in sorted(known) if key[0] == live.number]
    if not all(one.there for one in own):
        return None
    return Start(live.number, Place(max([live.seq, *(one.last for one in own)]), b""))


def gaps(path: Path, before: Start, known: Known) -> list[tuple[int, int, int]]:
    """What left the volume before it was copied: timeline, first and last number of each part.

    Args:
        before: where the copies ended before.
    """
    found = []
    for at, timeline in enumerate(path.line):
        if timeline.number < before.timeline:
            continue
        last = before.place.seq if timeline.number == before.timeline else timeline.seq
        for key in sorted(known):
            if key[0] != timeline.number or known[key].last <= last:
                continue
            if key[1] > last + 1:
                found.append((timeline.number, last + 1, key[1] - 1))
            last = known[key].last
        limit = path.limit(at)
        if limit and last < limit.seq:
            found.append((timeline.number, last + 1, limit.seq))
    return found
