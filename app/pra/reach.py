"""The journal's reach: from which moment to which it can bring the database back.

Reads the last segment and the headers of the others: listing points has to be fast.
"""

from pra import clock, fileops, history, records, segments, targets
from pra.errors import Damaged, PraError
from pra.layout import Layout
from pra.points import Point
from pra.segments import Segment


def summary(where: Layout, known: list[Point]) -> dict | None:
    """The current timeline's journal.

    Returns:
        {"timeline", "segments", "bytes", "from", "to", "first_seq", "last_seq",
        "damage"}; times as text, None where there is none; None without a journal.
    """
    path = history.live_path(where)
    if path is None:
        return None
    found = segments.of_timeline(where, path.line[-1].number)
    every = segments.listing(where)
    if not every:
        return None
    try:
        last_seq, last_time = _end(found)
        damage = None
    except PraError as error:
        last_seq, last_time, damage = None, None, error.happened
    first_seq, first_time = _beginning(path, known, found)
    return {
        "timeline": path.line[-1].number,
        "segments": len(every),
        "bytes": sum(fileops.size(segment.path) or 0 for segment in every),
        "from": clock.rfc3339(first_time) if first_time is not None else None,
        "to": clock.rfc3339(max(last_time or 0, first_time or 0)) if first_time else None,
        "first_seq": first_seq,
        "last_seq": last_seq,
        "damage": damage,
    }


def _end(found: list[Segment]) -> tuple[int | None, float | None]:
    """Number and time of the last transaction; the newest segment may be empty."""
    for segment in reversed(found):
        header, scan = segments.read(segment)
        last = None
        for record in scan:
            last = record if record.kind == records.TRANSACTION else last
        hole = scan.hole()
        if hole:
            raise segments.damaged(segment, hole)
        if last:
            return scan.state.seq, last.time_ms / 1000
        if header.rebase:
            return header.seq, None
    return None, None


def _beginning(path, known: list[Point], found: list[Segment]):
    """The oldest base from which the segments lead on without a gap."""
    lowest = _unbroken_from(found)
    bases = []
    for point in known:
        start = targets.start_of(point)
        if point.status != "verified" or start is None or lowest is None:
            continue
        if start.timeline == path.line[-1].number and start.place.seq >= lowest:
            bases.append((start.place.seq, float(point.epoch)))
    timeline = path.line[-1]
    if lowest is not None and timeline.seq >= lowest and (timeline.empty or timeline.parent):
        bases.append((timeline.seq, timeline.created))
    return min(bases, default=(None, None))


def _unbroken_from(found: list[Segment]) -> int | None:
    """The number before the first segment of the last unbroken row of them."""
    lowest = None
    for segment in reversed(found):
        try:
            header = segments.header_only(segment)
        except Damaged:
            return lowest
        lowest = header.applied_seq
        if header.rebase:
            return lowest
    return lowest
