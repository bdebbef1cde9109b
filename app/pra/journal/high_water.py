"""The high-water mark: the highest transaction number that anything still names.

A database that lacks one of these transactions is behind: somebody may have been told
of a row that only the journal or a point still has, and nothing may be made of the
database alone.
"""

import os
from collections.abc import Iterable
from typing import NamedTuple

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import look
from pra.journal import records, scanning, segments
from pra.journal.records import Record
from pra.journal.scanning import Scan
from pra.journal.segments import Segment
from pra.lineage import timelines
from pra.points import catalogue
from pra.points.catalogue import Points
from pra.sql.schema import Position


class Seen(NamedTuple):
    """A number that was given out, and what tells so."""

    seq: int
    by: str


def of_anything(where: Layout, here: Position) -> Seen:
    """The highest number on the database's timeline that anything names; its own at least."""
    own = Seen(here.seq, "the database")
    return max([own, *_everything(where, here)], key=lambda seen: seen.seq)


def of_journal(where: Layout, here: Position) -> Seen:
    """The highest number on the database's timeline that the journal tells of; 0 if none."""
    return max([Seen(0, "nothing"), *_by_journal(where, here)], key=lambda seen: seen.seq)


def of_points(known: Points, here: Position) -> Seen:
    """The highest number on the database's timeline that a point holds; its own at least.

    Args:
        known: the points that there are.
    """
    own = Seen(here.seq, "the database")
    return max([own, *_by_points(known, here)], key=lambda seen: seen.seq)


def _everything(where: Layout, here: Position) -> Iterable[Seen]:
    yield from _by_points(catalogue.scan(where), here)
    yield from _by_journal(where, here)
    for timeline in timelines.readable(where):
        for branch in (timeline.parent, timeline.left):
            if branch and branch.timeline == here.timeline:
                yield Seen(branch.seq, f"timeline {timeline.number}")


def _by_journal(where: Layout, here: Position) -> Iterable[Seen]:
    last = segments.last_of(where, here.timeline)
    if last:
        yield Seen(max(last.first - 1, in_segment(last)), "the journal")


def _by_points(known: Points, here: Position) -> Iterable[Seen]:
    point = known.highest.get((here.lineage, here.timeline))
    if point:
        yield Seen(point.manifest["position"]["seq"], f"the point {point.name}")


def in_segment(segment: Segment) -> int:
    """Every record counts that can be recognised, also where the segment's header is lost."""
    return _look(segment).seq


class HighWater(NamedTuple):
    """The highest transaction number and the highest event id that were ever given out.

    Attributes:
        unread: what may have given out higher ids and cannot be read; None if nothing.
    """

    seq: int
    event: int
    unread: str | None


def everywhere(where: Layout) -> HighWater:
    """The highest numbers of all timelines, abandoned ones too, as far as anything names them."""
    begun = timelines.readable(where)
    seq = max((timeline.seq for timeline in begun), default=0)
    event = max((timeline.highest_id for timeline in begun), default=0)
    unread = None
    # Also where a timeline's record is lost: its numbers were given out all the same.
    for number in {segment.timeline for segment in segments.listing(where)}:
        for segment in reversed(segments.of_timeline(where, number)):
            found = _look(segment)
            seq = max(seq, found.seq, segment.first - 1)
            if not found.all_read:
                unread = os.path.basename(segment.path)
            if found.last:
                event = max(event, records.sequences_of(found.last.payload).get("events", 0))
                break
    return HighWater(seq, event, unread)


class _Look(NamedTuple):
    """What a segment tells: its highest number, its last transaction, and whether that is all."""

    seq: int
    last: Record | None
    all_read: bool


def _look(segment: Segment) -> _Look:
    raw = look.read_small(segment.path, look.size(segment.path) or 0) or b""
    try:
        scan = Scan(raw, records.SEGMENT_HEADER, segments.header_of(segment, raw).state())
    except Damaged:
        found = list(scanning.after_a_hole(raw, 0))
        seq = scanning.highest_number(raw)
        # Without any it can be one that was just begun, or one that is gone from end to end.
        return _Look(seq, found[-1] if found else None, bool(found) and found[-1].seq == seq)
    found = [one for one in scan.read() if one.kind == records.TRANSACTION]
    seq = scan.highest()
    if seq > scan.state.seq:
        found += scanning.after_a_hole(raw, scan.end)
    last = found[-1] if found else None
    return _Look(seq, last, seq == scan.state.seq or (last is not None and last.seq == seq))
