"""Whether the journal has the place, number and hash, that a point or a database claims."""

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.journal import history, records, segments
from pra.journal.records import Place
from pra.journal.segments import Segment
from pra.lineage import timelines


def holds(where: Layout, start: history.Start) -> bool:
    """Whether the journal has the very transaction of a place, or begins right after it."""
    return _hash_at(where, start) == start.place.hash


def contradiction(where: Layout, start: history.Start) -> str | None:
    """Why no database of this history ever stood at a place; None if nothing says so.

    After one of the volumes was rolled back a number can have been given out twice, and
    what was made of the past that was given up is not to be mixed with this one.
    """
    if _hash_at(where, start) in (None, start.place.hash):
        return None
    return f"the journal has another transaction {start.place.seq}"


def misses(where: Layout, start: history.Start) -> bool:
    """Whether a place that was durable once is not in this journal: it is of another past.

    A journal that is damaged, or gone, cannot tell.
    """
    timeline, found = timelines.read(where, start.timeline), _hash_at(where, start)
    if timeline is not None and start.place.seq == timeline.seq:
        return start.place != history.start_of(timeline)
    if found is not None:
        return found != start.place.hash
    own = segments.of_timeline(where, start.timeline)
    return bool(own) and all(_whole(segment) for segment in own[-2:])


def _whole(segment: Segment) -> bool:
    try:
        _, scan = segments.read(segment)
    except Damaged:
        return False
    scan.read()
    return not scan.hole()


def stood_at(where: Layout, start: history.Start) -> bool:
    """Whether the journal, or the record of the timeline, has exactly that place."""
    timeline = timelines.read_if_sound(where, start.timeline)
    if timeline is None or not timeline.active:
        return False
    return start.place in (
        history.start_of(timeline),
        Place(start.place.seq, _hash_at(where, start)),
    )


def _hash_at(where: Layout, start: history.Start) -> bytes | None:
    """The hash that the journal has for a number; None if it does not have that."""
    own = segments.of_timeline(where, start.timeline)
    # The newest that can have it nearly always does: the one before is then not read.
    for segment in [one for one in own if one.first <= start.place.seq + 1][:-3:-1]:
        try:
            header, scan = segments.read(segment)
        except Damaged:
            continue
        found = {record.seq: record.hash for record in records.committed(scan.read())}
        found[header.applied_seq] = bytes.fromhex(header.applied_hash)
        if start.place.seq in found:
            return found[start.place.seq]
    return None
