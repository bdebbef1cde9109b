"""The journal's reach: from which moment to which it can bring the database back.

Reads the last segment and the headers of the others: listing points has to be fast.
"""

from collections.abc import Iterator

from pra.base import clock
from pra.base.errors import Damaged, PraError
from pra.base.layout import Layout
from pra.disk import look
from pra.journal import history, records, segments
from pra.journal.history import Path
from pra.journal.segments import Segment
from pra.pitr import targets
from pra.points.catalogue import Point


def summary(where: Layout, known: list[Point]) -> dict | None:
    """The current timeline's journal.

    Returns:
        {"timeline", "segments", "bytes", "from", "to", "first_seq", "last_seq",
        "damage", "doubt"}; times as text, None where there is none; None without a journal.
    """
    path = history.live_path(where)
    every = segments.listing(where)
    if path is None or not every:
        return None
    live = path.line[-1]
    found = [segment for segment in every if segment.timeline == live.number]
    try:
        last_seq, last_time = end(found)
        damage = None
    except PraError as error:
        last_seq, last_time, damage = None, None, error.happened
    first_seq, first_time = _beginning(where, path, known, every)
    to = max(last_time or 0.0, live.created)
    return {
        "timeline": live.number,
        "segments": len(every),
        "bytes": sum(look.size(segment.path) or 0 for segment in every),
        "from": clock.rfc3339(first_time, 3) if first_time is not None else None,
        "to": clock.rfc3339(max(to, first_time), 3) if first_time is not None else None,
        "first_seq": first_seq,
        "last_seq": live.seq if last_seq is None and damage is None else last_seq,
        "damage": damage,
        "doubt": None if damage else history.end_of(where, live).doubt,
    }


def end(found: list[Segment]) -> tuple[int | None, float | None]:
    """Number and time of the last transaction; the newest segment may be empty.

    Args:
        found: the segments of one timeline.

    Raises:
        Damaged: it cannot be read.
    """
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


def _beginning(
    where: Layout, path: Path, known: list[Point], every: list[Segment]
) -> tuple[int | None, float | None]:
    """Number and time of the oldest base from which the journal leads on without a gap."""
    bases = []
    origin = path.origin()
    # Only between suspect points may a part of the journal be gone and an older one kept.
    gaps = any(point.status == "quarantined" for point in known)
    for at, lowest in _unbroken(path, every, gaps):
        timeline = path.line[at]
        if origin and at == 0 and lowest <= timeline.seq:
            bases.append((timeline.seq, timeline.created))
        for point in known:
            start = targets.start_of(point)
            sound = point.status in ("verified", "safety", "quarantined")
            if sound and start and path.index_of(start) == at and targets.in_journal(where, point):
                reached = start.place.seq >= lowest
                bases += [(start.place.seq, point.manifest["created_time"])] if reached else []
    return min(bases, default=(None, None))


def _unbroken(path: Path, every: list[Segment], gaps: bool) -> Iterator[tuple[int, int]]:
    """Parts of the path, the newest first, each with the number it is unbroken from."""
    for at in reversed(range(len(path.line))):
        timeline, limit = path.line[at], path.limit(at)
        own = [one for one in every if one.timeline == timeline.number]
        lowest = _unbroken_from(own, gaps)
        if lowest is None:
            # Nothing of it can be replayed: just its end counts.
            lowest = limit.seq if limit else timeline.seq
        yield at, lowest
        if lowest > timeline.seq:
            return


def _unbroken_from(found: list[Segment], gaps: bool) -> int | None:
    """The number before the first segment of the last unbroken row of them.

    Args:
        gaps: some of them may have been removed in the middle.
    """
    lowest = following = None
    for segment in reversed(found):
        try:
            header = segments.header_only(segment)
            if gaps and following and _last_of(segment) != following.seq:
                return lowest
        except Damaged:
            return lowest
        lowest, following = header.applied_seq, header
        if header.rebase:
            return lowest
    return lowest


def _last_of(segment: Segment) -> int:
    """The last number in a segment."""
    _, scan = segments.read(segment)
    scan.read()
    return scan.state.seq
