"""Writing the journal: each transaction is on ``pra-backup`` before it is acknowledged.

A record is written before its COMMIT; both are synced after it, together with those of other
writers. A process that dies leaves the record, or both. A loss of power can leave the
one without the other, of writes that nobody was told of: records that the database
lacks are applied by the next writer, and for rows that the journal lacks the next start
makes a new base. Everything here needs the writer lock, so at any moment one thread of
one process is at work.
"""

from collections.abc import Callable
from typing import NamedTuple

from pra.base import clock
from pra.base.errors import Damaged, OutcomeUnknown, from_os_error
from pra.base.layout import Layout
from pra.journal import comparison, high_water, records, segments
from pra.journal.records import ABORT, SEAL, TRANSACTION, Place, Record, SegmentHeader, State
from pra.journal.segments import Segment
from pra.journal.tail import Tail
from pra.sql.schema import Position


class Appended(NamedTuple):
    """A record that was written but not synced: its segment, its end there, its place."""

    file: segments.Open
    end: int
    seq: int
    hash: bytes


class Journal:
    """Appends to the journal of a volume pair; keeps its last segment open in between."""

    def __init__(self, where: Layout):
        self._where = where
        self.close()

    def close(self) -> None:
        """Give up the open segment; the next use looks at the disk again."""
        self._tail: Tail | None = None
        self._prepared: tuple[bytes, Record] | None = None

    def doubt(self) -> None:
        """Write all of the segment again before anything is added to it: a sync failed."""
        tail = self._tail
        if tail is not None:
            tail.doubted = True

    def note_durable(self, record: Appended) -> None:
        """A record was synced, and with it all before; may be called without the lock."""
        tail = self._tail
        if tail is not None and record.file is tail.file:
            tail.note_durable(Place(record.seq, record.hash))

    @property
    def durable(self) -> tuple[int, str] | None:
        """Number and hash (hex) of a transaction that is on the disk for sure, if one is known."""
        place = self._tail.durable_place if self._tail else None
        return (place.seq, place.hash.hex()) if place else None

    def continue_from(self, here: Position) -> list[Record]:
        """Make the journal ready for the transaction after ``here``.

        Returns:
            The transactions that the database lacks and must apply first.

        Raises:
            Mismatch: they differ by more than a few transactions at the end.
            Damaged: what should be there cannot be read.
            OSError: the backup volume failed.
        """
        missing = self._missing(here, whole=False)
        if self._tail is None:
            self._begin_timeline(here)
            return []
        if self._tail.fault:
            self._tail.cut()
        if self._tail.doubted:
            self._tail.write_again()
        return missing

    def inspect(self, here: Position) -> list[Record]:
        """As ``continue_from``, changing nothing, and reading the segment to its end.

        Raises:
            Mismatch, Damaged, OSError: as ``continue_from`` does.
        """
        return self._missing(here, whole=True)

    def last_seq(self, here: Position) -> int:
        """The last number used on the timeline of ``here``, by journal or database."""
        self._refresh(here, whole=True)
        return max(here.seq, self._tail.state.seq if self._tail else 0)

    def end(self, here: Position) -> int | None:
        """The last number in the journal of the timeline of ``here``; None before the first.

        What was appended since the database came to ``here`` may not be counted yet.

        Raises:
            Damaged, Mismatch, OSError: it cannot be read.
        """
        self._refresh(here, whole=False)
        return self._tail.state.seq if self._tail else None

    @property
    def next_seq(self) -> int:
        """The number of the next transaction."""
        return self._tail.state.seq + 1

    def prepare(self, payload: bytes, moment_ms: int, before_sealing: Callable[[], None]) -> bytes:
        """Get ready to append a transaction with the number ``next_seq``; returns its hash.

        Args:
            moment_ms: its time, in milliseconds since 1970.
            before_sealing: makes the database durable, called before a segment is left:
                what it may lack after a loss of power is then in the last one.

        Raises:
            OSError: there is no room for it, and no trace is left.
        """
        self._make_room(records.HEADER + len(payload), before_sealing)
        self._prepared = self._tail.encode(TRANSACTION, self.next_seq, payload, moment_ms)
        return self._prepared[1].hash

    def append(self) -> Appended:
        """Append what was prepared; it is not durable before it is synced.

        Raises:
            OSError: it failed, and no trace is left.
            OutcomeUnknown: it failed, and a trace may be left.
        """
        self._write(*self._prepared, synced=False)
        tail = self._tail
        return Appended(tail.file, tail.end, tail.state.seq, tail.state.applied.hash)

    def last(self) -> Appended | None:
        """The last transaction that is there, which may not be durable; None where all is."""
        tail = self._tail
        place = tail.state.applied
        if tail.empty or place.seq <= tail.durable:
            return None
        return Appended(tail.file, tail.end, place.seq, place.hash)

    def abort(self, seq: int) -> None:
        """Record that the transaction just appended was not committed, for sure.

        Raises:
            OutcomeUnknown: that cannot be recorded.
        """
        try:
            self._write(*self._tail.encode(ABORT, seq, b"", clock.now_ms()), synced=True)
        except OSError as error:
            self.close()
            raise _unknown(error, "recording that the transaction was undone failed") from error

    def begin_at(self, here: Position) -> None:
        """Start a new segment at a point, whatever the journal held before.

        What lies between the journal's end and the point cannot be replayed.
        """
        self.close()
        header = SegmentHeader(
            here.lineage,
            here.timeline,
            here.seq,
            here.hash,
            here.seq,
            here.hash,
            here.schema,
            rebase=True,
        )
        segments.create(self._where, header)

    def _missing(self, here: Position, whole: bool) -> list[Record]:
        self._refresh(here, whole)
        if self._tail is None:
            segments.refuse_gone(self._where)
            comparison.refuse_other_start(self._where, here)
            return []
        return comparison.missing(self._tail, here)

    def _refresh(self, here: Position, whole: bool) -> None:
        """Go on from the last known end; from the beginning where that no longer holds.

        Args:
            whole: read to the segment's end, and not only to the place of ``here``.
        """
        tail = self._tail
        if tail is not None and tail.continues(here):
            if whole:
                tail.read_on()
            else:
                tail.follow(Place(here.seq, bytes.fromhex(here.hash)))
            # A new base begins a segment of its own, and nothing in this one says so.
            if not (tail.state.sealed or tail.fault or here.seq > tail.state.seq):
                return
        self.close()
        last = segments.last_of(self._where, here.timeline)
        if last is not None:
            self._tail = _opened(last, here)

    def _begin_timeline(self, here: Position) -> None:
        place = Place(here.seq, bytes.fromhex(here.hash))
        state = State(place.seq, place.hash, place, None, False)
        header = records.header_after(state, here.lineage, here.timeline, here.schema)
        self._tail = Tail.of_new(segments.create(self._where, header))

    def _make_room(self, needed: int, before_sealing: Callable[[], None]) -> None:
        """Go on in a new segment if the record, an abort and a seal after it do not fit."""
        tail = self._tail
        # A segment without a record is replaced: its successor would have its name.
        empty = tail.empty
        if not tail.state.sealed:
            if tail.end + needed + 2 * records.HEADER <= tail.size:
                return
            if not empty:
                before_sealing()
                seal = tail.encode(SEAL, tail.state.seq, b"", clock.now_ms())
                self._write(*seal, synced=True)
        old = tail.header
        header = (
            old
            if empty
            else records.header_after(tail.state, old.lineage, old.timeline, old.schema)
        )
        segment = segments.create(self._where, header, needed, replacing=empty)
        self.close()
        self._tail = Tail.of_new(segment)

    def _write(self, data: bytes, record: Record, synced: bool) -> None:
        """Append a record; where that fails, remove it. A sync that failed is not tried again."""
        tail = self._tail
        try:
            tail.write(data, record, synced)
        except OSError as cause:
            try:
                tail.cut()
            except OSError:
                self.close()
                raise _unknown(cause, "taking the record back failed too") from cause
            raise


def _opened(last: Segment, here: Position) -> Tail:
    """The last segment of a database's timeline, read to its end.

    Raises:
        Mismatch: it is damaged, and the database lacks what it had.
        Damaged: it is damaged, or of another history.
    """
    try:
        tail = Tail(last)
    except Damaged:
        highest = max(last.first - 1, high_water.in_segment(last))
        if highest > here.seq:
            said = f"its damaged journal went on to {highest}"
            raise comparison.behind(here.seq, said) from None
        raise
    if tail.header.lineage != here.lineage:
        raise segments.damaged(last, "it belongs to another history")
    return tail


def _unknown(cause: OSError, also: str) -> OutcomeUnknown:
    doing = "writing the journal"
    failure = from_os_error(doing, cause)
    return OutcomeUnknown(
        doing, f"{failure.happened}, and {also}", "look before trying again: GET /consultation"
    )
