"""Writing the journal: each transaction is on ``pra-backup`` before it is acknowledged.

A record is written before its COMMIT; both are synced after it, beside those of other
writers. A process that dies leaves the record, or both. A loss of power can leave the
one without the other, of writes that nobody was told of: records that the database
lacks are applied by the next writer, and for rows that the journal lacks the next start
makes a new base. Everything here needs the writer lock, so at any moment one thread of
one process is at work.
"""

from collections.abc import Callable
from typing import NamedTuple

from pra.base import clock
from pra.base.errors import Damaged, OutcomeUnknown, Refused, from_os_error
from pra.base.layout import Layout
from pra.disk import files, inode, look
from pra.journal import evidence, records, scanning, segments
from pra.journal.records import ABORT, SEAL, TRANSACTION, Place, Record, SegmentHeader, State
from pra.journal.scanning import Scan
from pra.journal.segments import Segment
from pra.lineage import timelines
from pra.sql.schema import Position

_DOING = "writing the journal"
#: How much of what others appended a writer reads before it reads all, in bytes.
_LOOK = 16 << 10
#: Transactions that a database may lack and still be taken for one that lost power while
#: so many writers waited for its disk. One that lacks more was put there by somebody.
MAX_BEHIND = 256
#: Why a base is needed after what no changeset holds was changed.
TABLES_CHANGED = "the tables changed since the last base (or user_version, or application_id)"


class Mismatch(Refused):
    """Database and journal do not stand at the same place; a new base is needed.

    Attributes:
        behind: the database lacks transactions that the journal has.
    """

    def __init__(self, happened: str, behind: bool):
        next_step = (
            "python -m pra restore latest brings them back"
            if behind
            else "python -m pra backup makes a new base, as the scheduled one does, or says which"
            " ways lead on where nothing explains the difference"
        )
        super().__init__(_DOING, happened, next_step)
        self.behind = behind


class Appended(NamedTuple):
    """A record that was written but not synced: its segment, its end there, its place."""

    file: segments.Open
    end: int
    seq: int
    hash: bytes


class Journal:
    """The end of the journal, as this process last saw it."""

    def __init__(self, where: Layout):
        self._where = where
        self.close()

    def close(self) -> None:
        """Give up the open segment; the next use looks at the disk again."""
        self._segment: Segment | None = None
        self._file: segments.Open | None = None
        self._name: inode.Name | None = None
        self._size = 0
        self._state: State | None = None
        self._end = 0
        # Whether a sync of what is there may have failed: who had it open was told.
        self._doubted = False
        # The last number known to be on the disk; the last place that was seen to get there.
        self._durable = 0
        self._durable_place: Place | None = None
        self._prepared: tuple[bytes, Record] | None = None
        self._header: SegmentHeader | None = None
        # What is wrong with the end: records that were being written, or others.
        self._fault, self._hole = None, None
        # The last number that anything in the segment tells of.
        self._highest = 0

    def doubt(self) -> None:
        """Write all of the segment again before anything is added to it: a sync failed."""
        self._doubted = True

    def note_durable(self, record: Appended) -> None:
        """A record was synced, and with it all before; may be called without the lock."""
        if record.file is self._file:
            self._durable = max(self._durable, record.seq)
            if self._durable_place is None or record.seq > self._durable_place.seq:
                self._durable_place = Place(record.seq, record.hash)

    @property
    def durable(self) -> tuple[int, str] | None:
        """Number and hash (hex) of a transaction that is on the disk for sure, if one is known."""
        place = self._durable_place
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
        missing = self._look(here, self._follow)
        if self._state is None:
            self._begin_timeline(here)
            return []
        if self._fault:
            self._cut()
        if self._doubted:
            self._file.write_again(self._end)
            self._doubted, self._durable = False, self._state.seq
            self._durable_place = self._state.applied
        return missing

    def inspect(self, here: Position) -> list[Record]:
        """As ``continue_from``, changing nothing, and reading the segment to its end.

        Raises:
            Mismatch, Damaged, OSError: as ``continue_from`` does.
        """
        return self._look(here, self._read_on)

    def last_seq(self, here: Position) -> int:
        """The last number used on the timeline of ``here``, by journal or database."""
        self._refresh(here, self._read_on)
        return max(here.seq, self._state.seq if self._state else 0)

    @property
    def next_seq(self) -> int:
        """The number of the next transaction."""
        return self._state.seq + 1

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
        return self._encode(TRANSACTION, self.next_seq, payload, moment_ms)

    def append(self) -> Appended:
        """Append what was prepared; it is not durable before it is synced.

        Raises:
            OSError: it failed, and no trace is left.
            OutcomeUnknown: it failed, and a trace may be left.
        """
        self._write_prepared(synced=False)
        return Appended(self._file, self._end, self._state.seq, self._state.applied.hash)

    def abort(self, seq: int) -> None:
        """Record that the transaction just appended was not committed, for sure.

        Raises:
            OutcomeUnknown: that cannot be recorded.
        """
        self._encode(ABORT, seq, b"", clock.now_ms())
        try:
            self._write_prepared(synced=True)
        except OSError as error:
            self.close()
            raise _unknown(error, "recording that the transaction was undone failed") from error

    def _look(self, here: Position, go_on: Callable[[Place], None]) -> list[Record]:
        place = self._refresh(here, go_on)
        if self._state is None:
            segments.refuse_gone(self._where)
            self._refuse_other_start(here)
            return []
        missing = self._missing(place)
        self._refuse_other_schema(here)
        return missing

    def _refuse_other_schema(self, here: Position) -> None:
        if self._header.schema != here.schema:
            raise Mismatch(TABLES_CHANGED, behind=False)

    def _refuse_other_start(self, here: Position) -> None:
        start = timelines.read(self._where, here.timeline)
        if start is None or (start.seq, start.hash) != (here.seq, here.hash):
            raise Mismatch(
                f"transaction {here.seq} and those before it are not in the journal", behind=False
            )

    def _missing(self, place: Place) -> list[Record]:
        """The transactions behind ``place``.

        Raises:
            Mismatch: it is not among the journal's last ones.
            Damaged: some of them are missing that were durable.
        """
        state = self._state
        behind = place.seq < state.seq
        if self._hole and place.seq < self._highest:
            raise _behind(place.seq, f"its journal went on to {self._highest}: {self._hole}")
        if place == state.applied:
            return []
        found = self._transactions_behind(place) if behind else None
        if found is not None and len(found) <= MAX_BEHIND:
            return found
        if behind:
            raise _behind(place.seq, f"its journal at {state.seq}")
        detail = f" ({self._fault})" if self._fault else ""
        raise Mismatch(
            f"the database stands at transaction {place.seq}, its journal ends at"
            f" {state.seq}{detail}",
            behind=False,
        )

    def _transactions_behind(self, place: Place) -> list[Record] | None:
        """The open segment's transactions behind a place; None if the place is not in it."""
        raw = look.read_at(self._file.fd, self._end, 0)
        start = self._header.state()
        found = records.committed(Scan(raw, records.SEGMENT_HEADER, start).read())
        places = [start.applied, *(Place(record.seq, record.hash) for record in found)]
        return found[places.index(place) :] if place in places else None

    def _refresh(self, here: Position, go_on: Callable[[Place], None]) -> Place:
        """Go on from the last known end; from the beginning where that no longer holds.

        Returns:
            Where the database stands.
        """
        place = Place(here.seq, bytes.fromhex(here.hash))
        if self._segment is None or not self._still_ours(here):
            self.close()
            self._open_last(here)
            return place
        go_on(place)
        # A new base goes on in a segment of its own, without a word in this one.
        if self._state.sealed or self._fault or here.seq > self._state.seq:
            self.close()
            self._open_last(here)
        return place

    def _still_ours(self, here: Position) -> bool:
        return (
            self._segment.timeline == here.timeline
            and self._header.lineage == here.lineage
            # Appending to a deleted one succeeds.
            and self._name.holds()
        )

    def _follow(self, place: Place) -> None:
        """Go on to the database's place if transactions lead to it, else to the end."""
        raw = look.read_at(self._file.fd, min(_LOOK, self._size - self._end), self._end)
        if raw[: records.HEADER] == records.NO_RECORD:
            return
        found = scanning.follow(raw, self._state, place)
        if found is None:
            self._read_on(place)
            return
        self._state, length, durable = found
        self._end += length
        self._durable = max(self._durable, durable)

    def _read_on(self, _: Place) -> None:
        """Read all that others appended."""
        raw = look.read_at(self._file.fd, self._size - self._end, self._end)
        self._take(Scan(raw, self._end, self._state, base=self._end))

    def _take(self, scan: Scan) -> None:
        found = scan.read()
        self._state, self._end = scan.state, scan.end
        self._fault, self._hole = scan.stray() or scan.fault, scan.hole()
        self._highest = scan.highest()
        self._durable = max(self._durable, scan.durable(found[-MAX_BEHIND:]))

    def _open_last(self, here: Position) -> None:
        last = segments.last_of(self._where, here.timeline)
        if last is None:
            return
        try:
            self._open(last)
        except Damaged:
            highest = max(last.first - 1, evidence.in_segment(last))
            if highest > here.seq:
                raise _behind(here.seq, f"its damaged journal went on to {highest}") from None
            raise
        if self._header.lineage != here.lineage:
            self.close()
            raise segments.damaged(last, "it belongs to another history")

    def _open(self, segment: Segment) -> None:
        file = segments.Open(segment.path)
        raw = look.read_at(file.fd, look.size(segment.path), 0)
        header = segments.header_of(segment, raw)
        self._segment, self._file, self._size, self._header = segment, file, len(raw), header
        self._name = inode.Name(segment.path, look.identity_of(file.fd))
        self._doubted = True
        self._take(Scan(raw, records.SEGMENT_HEADER, header.state()))

    def _open_fresh(self, segment: Segment) -> None:
        """Open a segment just made: what it continues is durable, and it holds nothing yet."""
        self._open(segment)
        self._doubted, self._durable = False, self._state.seq
        self._durable_place = self._state.applied

    def _begin_timeline(self, here: Position) -> None:
        place = Place(here.seq, bytes.fromhex(here.hash))
        state = State(place.seq, place.hash, place, None, False)
        header = records.header_after(state, here.lineage, here.timeline, here.schema)
        self._open_fresh(segments.create(self._where, header))

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

    def _make_room(self, needed: int, before_sealing: Callable[[], None]) -> None:
        """Go on in a new segment if the record, an abort and a seal behind it do not fit."""
        # A segment without a record is replaced: its successor would have its name.
        empty = self._end == records.SEGMENT_HEADER
        if not self._state.sealed:
            if self._end + needed + 2 * records.HEADER <= self._size:
                return
            if not empty:
                before_sealing()
                self._encode(SEAL, self._state.seq, b"", clock.now_ms())
                self._write_prepared(synced=True)
        old = self._header
        header = (
            old
            if empty
            else records.header_after(self._state, old.lineage, old.timeline, old.schema)
        )
        segment = segments.create(self._where, header, needed, replacing=empty)
        self.close()
        self._open_fresh(segment)

    def _encode(self, kind: int, seq: int, payload: bytes, moment_ms: int) -> bytes:
        pending = max(0, seq - 1 - self._durable)
        data, digest = records.encode(kind, seq, moment_ms, payload, self._state.chain, pending)
        end = self._end + len(data)
        self._prepared = data, Record(kind, seq, moment_ms, payload, digest, self._end, end)
        return digest

    def _write_prepared(self, synced: bool) -> None:
        data, record = self._prepared
        try:
            files.write_at(self._file.fd, data, self._end)
            if synced:
                files.sync_data(self._file.fd)
        except OSError as error:
            self._take_back(error)
            raise
        self._state, self._end = records.after(self._state, record), record.end
        if synced:
            self._durable, self._durable_place = record.seq, self._state.applied

    def _take_back(self, cause: OSError) -> None:
        """Remove a record whose write or sync failed; that sync is not tried again."""
        try:
            self._cut()
        except OSError:
            self.close()
            raise _unknown(cause, "taking the record back failed too") from cause

    def _cut(self) -> None:
        """Zero everything behind the last sound record."""
        files.write_durably(self._file.fd, bytes(self._size - self._end), self._end)
        self._fault = None


def _behind(seq: int, detail: str) -> Mismatch:
    return Mismatch(f"the database stands at transaction {seq}, {detail}", behind=True)


def _unknown(cause: OSError, also: str) -> OutcomeUnknown:
    failure = from_os_error(_DOING, cause)
    return OutcomeUnknown(
        _DOING, f"{failure.happened}, and {also}", "look before trying again: GET /consultation"
    )
