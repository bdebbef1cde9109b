"""Following the chain of records through one timeline's segments."""

from collections.abc import Generator, Iterator
from typing import NamedTuple

from pra.base.errors import Damaged, Refused
from pra.base.layout import Layout
from pra.journal import records, segments
from pra.journal.records import TRANSACTION, Place, Record, SegmentHeader, State
from pra.journal.scanning import Scan
from pra.journal.segments import Segment
from pra.lineage.timelines import Timeline


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


class Gap(Refused):
    """The journal does not lead on from where it should."""


def timeline_runs(
    where: Layout, timeline: Timeline, place: Place, limit: Place | None
) -> Generator[Run, None, Place]:
    """The transactions of one timeline after ``place`` up to ``limit``; returns where it ends."""
    reader = Reader(place)
    for segment in segments_from(where, timeline, place):
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


def segments_from(where: Layout, timeline: Timeline, place: Place) -> list[Segment]:
    """The segments that can hold what follows ``place``: the last that may hold it, and on."""
    found = segments.of_timeline(where, timeline.number)
    first = max((i for i, s in enumerate(found) if s.first <= place.seq + 1), default=0)
    if first and found[first].first == place.seq + 1:
        header, _ = segments.read(found[first])
        if header.state().applied != place:
            first -= 1
    return found[first:]


class Reader:
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
        """The transactions of a segment after the starting place that were not aborted."""
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
