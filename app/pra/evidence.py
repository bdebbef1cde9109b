"""How far the numbers of a timeline went, by anything that still tells.

A database that lacks one of these transactions is behind: somebody may have been told
of a row that only the journal or a point still has, and nothing may be made of the
database alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pra import fileops, points, records, segments, timelines
from pra.errors import Damaged
from pra.layout import Layout
from pra.records import Scan
from pra.schema import Position
from pra.segments import Segment


class Seen(NamedTuple):
    """A number that was given out, and what tells so."""

    seq: int
    by: str


def highest(where: Layout, here: Position) -> Seen:
    """The highest number on the database's timeline that anything names; its own at least."""
    own = Seen(here.seq, "the database")
    return max([own, *_everything(where, here)], key=lambda seen: seen.seq)


def of_journal(where: Layout, here: Position) -> Seen:
    """The highest number on the database's timeline that the journal tells of; 0 if none."""
    return max([Seen(0, "nothing"), *_by_journal(where, here)], key=lambda seen: seen.seq)


def of_points(where: Layout, here: Position) -> Seen:
    """The highest number on the database's timeline that a point holds; its own at least."""
    own = Seen(here.seq, "the database")
    return max([own, *_by_points(where, here)], key=lambda seen: seen.seq)


def _everything(where: Layout, here: Position) -> Iterable[Seen]:
    yield from _by_points(where, here)
    yield from _by_journal(where, here)
    for timeline in timelines.readable(where):
        for branch in (timeline.parent, timeline.left):
            if branch and branch.timeline == here.timeline:
                yield Seen(branch.seq, f"timeline {timeline.number}")


def _by_journal(where: Layout, here: Position) -> Iterable[Seen]:
    last = segments.last_of(where, here.timeline)
    if last:
        yield Seen(max(last.first - 1, in_segment(last)), "the journal")


def _by_points(where: Layout, here: Position) -> Iterable[Seen]:
    for point in points.scan(where):
        place = (point.manifest or {}).get("position")
        if place and (place["lineage"], place["timeline"]) == (here.lineage, here.timeline):
            yield Seen(place["seq"], f"the point {point.name}")


def in_segment(segment: Segment) -> int:
    """Every record counts that can be recognised, also where the segment's header is lost."""
    raw = fileops.read_small(segment.path, fileops.size(segment.path) or 0) or b""
    try:
        header = segments.header_of(segment, raw)
    except Damaged:
        return records.highest_number(raw)
    scan = Scan(raw, records.SEGMENT_HEADER, header.state())
    scan.read()
    return scan.highest()
