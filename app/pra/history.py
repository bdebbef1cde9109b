"""Reading the past: which transactions lead from a point to a wanted moment.

Only the records of a timeline's own ancestry count, and only while they chain
without a gap. Reading takes no lock: what is being appended meanwhile is
either seen whole or not at all.
"""

from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

from pra import records, segments, timelines
from pra.errors import Damaged, Refused
from pra.layout import Layout
from pra.records import TRANSACTION, Place, Record, Scan, SegmentHeader, State
from pra.segments import Segment
from pra.timelines import Timeline

_SEALED = (
    "its newest segment says that another follows, and there is none: that was lost, or all"
    " stopped right there"
)


class Step(NamedTuple):
    """A committed transaction on the way: its timeline, its record, the schema it needs."""

    timeline: int
    record: Record
    schema: str


class Run(NamedTuple):
    """Committed transactions of one segment that follow each other; at least one."""

    timeline: int
    records: list[Record]
    schema: str

    def changing(self, until: int | None = None) -> Iterator[int]:
        """Numbers, up to ``until``, of those that changed a row: a proof changes none."""
        for record in records.up_to(self.records, until):
            if records.changeset_of(record.payload):
                yield record.seq


class Start(NamedTuple):
    """Where a base stands: its timeline and place there."""

    timeline: int
    place: Place


class End(NamedTuple):
    """Where the journal of a timeline ends.

    Attributes:
        seq: the last number in it; the timeline's first where nothing was journaled.
        doubt: why there may have been more; None if nothing says so.
    """

    seq: int
    doubt: str | None


def end_of(where: Layout, timeline: Timeline) -> End:
    """Where a timeline's journal ends; reads its newest segment.

    A record that was being written when everything stopped looks the same as a last one
    that went bad, and a stop between two segments the same as a newest one that is gone:
    this says so and leaves it to a person.
    """
    last = segments.last_of(where, timeline.number)
    if last is None:
        return End(timeline.seq, None)
    try:
        _, scan = segments.read(last)
    except Damaged as error:
        return End(last.first - 1, error.happened)
    scan.read()
    sealed = _SEALED if scan.state.sealed else None
    return End(scan.state.seq, scan.hole() or scan.stray() or scan.fault or sealed)


class Gap(Refused):
    """The journal does not lead on from where it should."""


class Path(NamedTuple):
    """A timeline's ancestry, the oldest first."""

    where: Layout
    line: list[Timeline]

    def limit(self, index: int) -> Place | None:
        """Where the path leaves the timeline at ``index``; None for the last."""
        if index + 1 == len(self.line):
            return None
        branch = self.line[index + 1].parent
        return Place(branch.seq, bytes.fromhex(branch.hash))

    def index_of(self, start: Start) -> int | None:
        """Which part of the path a place is on; None if it is on none."""
        for index, timeline in enumerate(self.line):
            if timeline.number != start.timeline:
                continue
            limit = self.limit(index)
            return index if limit is None or start.place.seq <= limit.seq else None
        return None

    def origin(self) -> Start | None:
        """The empty database at the path's beginning; None if it began otherwise.

        Without a journal nothing tells what was written since.
        """
        first = self.line[0]
        if not first.empty or first.parent or not segments.last_of(self.where, first.number):
            return None
        return Start(first.number, start_of(first))

    def runs(self, start: Start) -> Generator[Run, None, Place]:
        """Every committed transaction behind ``start``, in order, to the path's end.

        Returns:
            Where that is.

        Raises:
            Gap, Damaged: the way is broken there; all steps before it were given.
        """
        index = self.index_of(start)
        if index is None:
            raise gap(f"transaction {start.place.seq} is not part of this history")
        place = start.place
        for at in range(index, len(self.line)):
            timeline, limit = self.line[at], self.limit(at)
            place = yield from _timeline_runs(self.where, timeline, place, limit)
            if limit is not None:
                if place != limit:
                    raise gap(
                        f"timeline {timeline.number} ends at transaction {place.seq},"
                        f" its successor left it at {limit.seq}"
                    )
                place = start_of(self.line[at + 1])
        return place

    def everything(self, behind: Mapping[int, int] | None = None) -> Iterator[Run]:
        """Every committed transaction that can be read, in order, also across gaps.

        Args:
            behind: numbers by timeline; what is not behind them is left out, and what
                no segment needs to be read for is not read.
        """
        for at in range(len(self.line)):
            yield from self._readable(at, (behind or {}).get(self.line[at].number, -1))

    def newest(self) -> Iterator[Step]:
        """As ``everything``, one transaction at a time and the newest first."""
        for at in reversed(range(len(self.line))):
            for run in self._readable(at, newest_first=True):
                for record in reversed(run.records):
                    yield Step(run.timeline, record, run.schema)

    def holds(self, seq: int) -> bool:
        """Whether a transaction of this number is on the path and can be read."""
        for at, timeline in enumerate(self.line):
            limit = self.limit(at)
            # The next timeline begins behind all numbers that were ever given out.
            if seq > timeline.seq and (limit is None or seq <= limit.seq):
                for run in self._readable(at, seq - 1, seq):
                    return any(record.seq == seq for record in run.records)
        return False

    def _readable(
        self, at: int, after: int = -1, last: int | None = None, newest_first: bool = False
    ) -> Iterator[Run]:
        """The transactions of one part of the path behind ``after`` and up to ``last``."""
        timeline, limit = self.line[at], self.limit(at)
        if limit is not None:
            last = limit.seq if last is None else min(last, limit.seq)
        found = segments.of_timeline(self.where, timeline.number)
        ends = [segment.first - 1 for segment in found[1:]] + [None]
        wanted = [
            segment
            for segment, end in zip(found, ends, strict=False)
            if (end is None or end > after) and (last is None or segment.first <= last)
        ]
        for segment in reversed(wanted) if newest_first else wanted:
            try:
                header, scan = segments.read(segment)
            except Damaged:
                continue
            within = records.up_to(records.committed(scan.read()), last)
            within = [record for record in within if record.seq > after]
            if within:
                yield Run(timeline.number, within, header.schema)


def holds(where: Layout, start: Start) -> bool:
    """Whether the journal has the very transaction behind which a place is, or begins there."""
    return _hash_at(where, start) == start.place.hash


def contradiction(where: Layout, start: Start) -> str | None:
    """Why no database of this history ever stood at a place; None if nothing says so.

    After one of the volumes was rolled back a number can have been given out twice, and
    what was made of the past that was given up is not to be mixed with this one.
    """
    if _hash_at(where, start) in (None, start.place.hash):
        return None
    return f"the journal has another transaction {start.place.seq}"


def misses(where: Layout, start: Start) -> bool:
    """Whether a place that was durable once is not in this journal: it is of another past.

    A journal that is damaged, or gone, cannot tell.
    """
    timeline, found = timelines.read(where, start.timeline), _hash_at(where, start)
    if timeline is not None and start.place.seq == timeline.seq:
        return start.place != start_of(timeline)
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


def stood_at(where: Layout, start: Start) -> bool:
    """Whether the journal, or the record of the timeline, has exactly that place."""
    timeline = timelines.read_if_sound(where, start.timeline)
    if timeline is None or not timeline.active:
        return False
    return start.place in (start_of(timeline), Place(start.place.seq, _hash_at(where, start)))


def _hash_at(where: Layout, start: Start) -> bytes | None:
    """The hash that the journal has for a number; None if it does not have that."""
    own = segments.of_timeline(where, start.timeline)
    for segment in [one for one in own if one.first <= start.place.seq + 1][-2:]:
        try:
            header, scan = segments.read(segment)
        except Damaged:
            continue
        found = {record.seq: record.hash for record in records.committed(scan.read())}
        found[header.applied_seq] = bytes.fromhex(header.applied_hash)
        if start.place.seq in found:
            return found[start.place.seq]
    return None


def start_of(timeline: Timeline) -> Place:
    """Where a database stands at the beginning of a timeline."""
    return Place(timeline.seq, bytes.fromhex(timeline.hash))


def path_to(where: Layout, timeline: Timeline) -> Path:
    """The ancestry of a timeline."""
    return Path(where, timelines.path_to(where, timeline))


def past(where: Layout, reached: Start | None) -> dict[int, int]:
    """The last number of each timeline that leads to a place."""
    timeline = timelines.read_if_sound(where, reached.timeline) if reached else None
    if timeline is None:
        return {}
    path = path_to(where, timeline)
    limits = [path.limit(at) or reached.place for at in range(len(path.line))]
    return {one.number: limit.seq for one, limit in zip(path.line, limits, strict=True)}


def live_path(where: Layout) -> Path | None:
    """The ancestry of the current timeline; None before the first."""
    timeline = timelines.live(where)
    return path_to(where, timeline) if timeline else None


def _timeline_runs(
    where: Layout, timeline: Timeline, place: Place, limit: Place | None
) -> Generator[Run, None, Place]:
    """The transactions of one timeline behind ``place`` up to ``limit``; returns where it ends."""
    reader = _Reader(place)
    for segment in _segments_from(where, timeline, place):
        header, scan = segments.read(segment)
        reader.enter(header)
        found = reader.wanted(scan.read())
        within = records.up_to(found, limit.seq if limit else None)
        if within:
            reader.place = Place(within[-1].seq, within[-1].hash)
            yield Run(timeline.number, within, header.schema)
        if len(within) < len(found):
            return reader.place
        reader.leave(segment, scan)
    reader.finish()
    return reader.place


def _segments_from(where: Layout, timeline: Timeline, place: Place) -> list[Segment]:
    """The segments that can hold what follows ``place``: the last that may hold it, and on."""
    found = segments.of_timeline(where, timeline.number)
    first = max((i for i, s in enumerate(found) if s.first <= place.seq + 1), default=0)
    if first and found[first].first == place.seq + 1:
        header, _ = segments.read(found[first])
        if header.state().applied != place:
            first -= 1
    return found[first:]


class _Reader:
    """Follows the chain through one timeline's segments.

    Attributes:
        place: where a database stands that was given everything so far.
        begun: the starting place was found; what follows is wanted.
    """

    def __init__(self, place: Place):
        self.place = place
        self.begun = False
        self._state: State | None = None
        self._fault: str | None = None
        self._hole: Damaged | None = None

    def enter(self, header: SegmentHeader) -> None:
        """Go on in the next segment, which must continue the one before."""
        before = header.state()
        if self.begun and (header.rebase or before[:2] != self._state[:2]):
            because = f" ({self._fault})" if self._fault else ""
            raise gap(
                f"the journal is interrupted before transaction {header.seq + 1}{because}; later"
                " moments are reached from points made after that"
            )
        self.begun = self.begun or before.applied == self.place

    def wanted(self, found: list[Record]) -> list[Record]:
        """The transactions of a segment behind the starting place that were not aborted."""
        if not self.begun:
            places = [(record.seq, record.hash) for record in found if record.kind == TRANSACTION]
            if self.place not in places:
                return []
            self.begun = True
            found = [record for record in found if record.seq > self.place.seq]
        return records.committed(found)

    def leave(self, segment: Segment, scan: Scan) -> None:
        """Remember how a segment ended."""
        self._state, self._fault = scan.state, scan.fault
        hole = scan.hole()
        self._hole = segments.damaged(segment, hole) if hole else None

    def finish(self) -> None:
        """Check the end of the last segment.

        Torn last records are an end like any other: they were never acknowledged.
        """
        if self._hole:
            raise self._hole
        if not self.begun and self._state and self._state.seq > self.place.seq:
            raise gap(f"transaction {self.place.seq} is not in the journal, but later ones are")


def gap(happened: str) -> Gap:
    """The error for a way that is broken."""
    return Gap(
        "following the journal",
        happened,
        "python -m pra points shows the points and the journal's reach;"
        " --force goes as far as it leads",
    )
