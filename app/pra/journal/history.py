"""Reading the past: which transactions lead from a point to a wanted moment.

Only the records of a timeline's own ancestry count, and only while they chain
without a gap. Reading takes no lock: what is being appended meanwhile is
either seen whole or not at all.
"""

from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.journal import chain, records, segments
from pra.journal.records import Place, Record
from pra.lineage import timelines
from pra.lineage.timelines import Timeline

_SEALED = (
    "its newest segment says that another follows, and there is none: that was lost, or all"
    " stopped right there"
)


class Step(NamedTuple):
    """A committed transaction on the way: its timeline, its record, the schema it needs."""

    timeline: int
    record: Record
    schema: str


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
    return End(scan.state.seq, scan.hole() or scan.in_flight() or scan.fault or sealed)


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

    def runs(self, start: Start) -> Generator[chain.Run, None, Place]:
        """Every committed transaction after ``start``, in order, to the path's end.

        Returns:
            Where that is.

        Raises:
            Gap, Damaged: the way is broken there; all steps before it were given.
        """
        index = self.index_of(start)
        if index is None:
            raise chain.gap(f"transaction {start.place.seq} is not part of this history")
        place = start.place
        for at in range(index, len(self.line)):
            timeline, limit = self.line[at], self.limit(at)
            place = yield from chain.timeline_runs(self.where, timeline, place, limit)
            if limit is not None:
                if place != limit:
                    raise chain.gap(
                        f"timeline {timeline.number} ends at transaction {place.seq},"
                        f" its successor left it at {limit.seq}"
                    )
                place = start_of(self.line[at + 1])
        return place

    def everything(self, after: Mapping[int, int] | None = None) -> Iterator[chain.Run]:
        """Every committed transaction that can be read, in order, also across gaps.

        Args:
            after: numbers by timeline; what is not after them is left out, and what
                no segment needs to be read for is not read.
        """
        for at in range(len(self.line)):
            yield from self._readable(at, (after or {}).get(self.line[at].number, -1))

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
            # The next timeline begins after all numbers that were ever given out.
            if seq > timeline.seq and (limit is None or seq <= limit.seq):
                for run in self._readable(at, seq - 1, seq):
                    return any(record.seq == seq for record in run.records)
        return False

    def _readable(
        self, at: int, after: int = -1, last: int | None = None, newest_first: bool = False
    ) -> Iterator[chain.Run]:
        """The transactions of one part of the path after number ``after`` and up to ``last``."""
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
                yield chain.Run(timeline.number, within, header.schema)


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
