"""Writing the journal: each transaction is on ``pra-backup`` before it is committed.

The fsync of a record is the commit point. Everything here needs the writer
lock, so at any moment one thread of one process is at work.
"""

import time

from pra import clock, fileops, records, segments, timelines
from pra.errors import Damaged, OutcomeUnknown, Refused, from_os_error
from pra.layout import Layout
from pra.records import ABORT, SEAL, TRANSACTION, Place, Record, Scan, SegmentHeader, State
from pra.schema import Position
from pra.segments import Segment

_DOING = "writing the journal"
_NOTHING = bytes(records.HEADER)
#: Two changes of a folder within one tick of its clock can show the same time: longer
#: than that of any file system, in nanoseconds.
_TICK_NS = 2_000_000_000


class Mismatch(Refused):
    """Database and journal do not stand at the same place; a new base is needed.

    Attributes:
        behind: the database lacks transactions that the journal has.
    """

    def __init__(self, happened: str, behind: bool):
        next_step = (
            "python -m pra restore latest brings them back"
            if behind
            else "python -m pra backup makes a new base; the scheduled one does so too"
        )
        super().__init__(_DOING, happened, next_step)
        self.behind = behind


class Journal:
    """The end of the journal, as this process last saw it."""

    def __init__(self, where: Layout):
        self._where = where
        self._forget()

    def _forget(self) -> None:
        self._segment: Segment | None = None
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._folder: tuple[int, ...] | None = None
        self._size = 0
        self._state: State | None = None
        self._end = 0
        self._last: Record | None = None
        self._last_raw = b""
        self._prepared: tuple[bytes, Record] | None = None
        self._header: SegmentHeader | None = None
        self._fault: str | None = None

    def close(self) -> None:
        """Give up the open segment; the next use looks at the disk again."""
        if self._fd >= 0:
            fileops.close(self._fd)
        self._forget()

    def continue_from(self, here: Position) -> Record | None:
        """Make the journal ready for the transaction after ``here``.

        Returns:
            The record that the database lacks and must apply first; None if
            it lacks nothing.

        Raises:
            Mismatch: they differ by more than that one record.
            Damaged: what should be there cannot be read.
            OSError: the backup volume failed.
        """
        self._refresh(here)
        place = Place(here.seq, bytes.fromhex(here.hash))
        if self._state is None:
            self._begin_timeline(here, place)
            return None
        self._refuse_mismatch(place)
        self._refuse_other_schema(here)
        if self._fault:
            self._cut()
        if place == self._state.applied:
            return None
        self._rewrite_last()
        return self._last

    def inspect(self, here: Position) -> None:
        """Check that ``continue_from`` would work, changing nothing.

        Raises:
            Mismatch, Damaged, OSError: as ``continue_from`` does.
        """
        self._refresh(here)
        if self._state is None:
            self._refuse_other_start(here)
        else:
            self._refuse_mismatch(Place(here.seq, bytes.fromhex(here.hash)))
            self._refuse_other_schema(here)

    def last_seq(self, here: Position) -> int:
        """The last number used on the timeline of ``here``, by journal or database."""
        self._refresh(here)
        return max(here.seq, self._state.seq if self._state else 0)

    @property
    def next_seq(self) -> int:
        """The number of the next transaction."""
        return self._state.seq + 1

    def prepare(self, payload: bytes) -> bytes:
        """Get ready to append a transaction with the number ``next_seq``; returns its hash.

        Raises:
            OSError: there is no room for it, and no trace is left.
        """
        self._make_room(records.HEADER + len(payload))
        return self._encode(TRANSACTION, self.next_seq, payload)

    def append(self) -> None:
        """Append, durably, what was prepared.

        Raises:
            OSError: it failed, and no trace is left.
            OutcomeUnknown: it failed, and a trace may be left.
        """
        self._write_prepared()

    def abort(self, seq: int) -> None:
        """Record that the transaction just appended was not committed, for sure."""
        self._encode(ABORT, seq, b"")
        self._write_prepared()

    def _refuse_other_schema(self, here: Position) -> None:
        if self._header.schema != here.schema:
            raise Mismatch("the tables changed since the last base", behind=False)

    def _refuse_other_start(self, here: Position) -> None:
        start = timelines.read(self._where, here.timeline)
        if start is None or (start.seq, start.hash) != (here.seq, here.hash):
            raise Mismatch(
                f"transaction {here.seq} and those before it are not in the journal", behind=False
            )

    def _refuse_mismatch(self, place: Place) -> None:
        state = self._state
        if place == state.applied or place == state.before:
            return
        if place.seq < state.seq:
            raise Mismatch(
                f"the database stands at transaction {place.seq}, its journal at {state.seq}",
                behind=True,
            )
        detail = f" ({self._fault})" if self._fault else ""
        raise Mismatch(
            f"the database stands at transaction {place.seq}, its journal ends at"
            f" {state.seq}{detail}",
            behind=False,
        )

    def _refresh(self, here: Position) -> None:
        """Read on from the last known end; from the beginning where that no longer holds."""
        if self._segment is None or not self._still_ours(here):
            self.close()
            self._open_last(here)
            return
        self._read_on()
        # A new base goes on in a segment of its own, without a word in this one.
        if self._state.sealed or self._fault or here.seq > self._state.seq:
            self.close()
            self._open_last(here)

    def _still_ours(self, here: Position) -> bool:
        return (
            self._segment.timeline == here.timeline
            and self._header.lineage == here.lineage
            and self._in_place()
        )

    def _in_place(self) -> bool:
        """Whether the path still leads to the open file: appending to a deleted one succeeds.

        Its folder tells, since that changes with any of its names. To look at
        the file itself would cost each record a write more: Linux from 6.13 on
        gives a file new times at its next change if somebody saw the last
        ones, and some file systems then sync the inode too.
        """
        folder = fileops.signature(self._where.journal)
        if folder is not None and folder == self._folder:
            return True
        self._folder = folder if folder and time.time_ns() - folder[3] > _TICK_NS else None
        return fileops.identity(self._segment.path) == self._identity

    def _read_on(self) -> None:
        head = fileops.read_at(self._fd, records.HEADER, self._end)
        if head == _NOTHING:
            return
        raw = fileops.read_at(self._fd, self._size - self._end, self._end)
        self._take(Scan(raw, self._end, self._state, base=self._end), raw, self._end)

    def _take(self, scan: Scan, raw: bytes, base: int) -> None:
        scan.read()
        if scan.last:
            self._last = scan.last
            self._last_raw = raw[scan.last.offset - base : scan.last.end - base]
        self._state, self._end, self._fault = scan.state, scan.end, scan.fault

    def _open_last(self, here: Position) -> None:
        found = segments.of_timeline(self._where, here.timeline)
        if not found:
            return
        try:
            self._open(found[-1])
        except Damaged:
            if found[-1].first > here.seq + 1:
                raise Mismatch(
                    f"the database stands at transaction {here.seq}, its journal beyond"
                    f" {found[-1].first - 1}",
                    behind=True,
                ) from None
            raise
        if self._header.lineage != here.lineage:
            self.close()
            raise segments.damaged(found[-1], "it belongs to another history")

    def _open(self, segment: Segment) -> None:
        fd = fileops.open_write(segment.path)
        raw = fileops.read_at(fd, fileops.size(segment.path), 0)
        try:
            header = segments.header_of(segment, raw)
        except Damaged:
            fileops.close(fd)
            raise
        self._segment, self._fd, self._size, self._header = segment, fd, len(raw), header
        self._identity = fileops.identity_of(fd)
        self._take(Scan(raw, records.SEGMENT_HEADER, header.state()), raw, 0)

    def _begin_timeline(self, here: Position, place: Place) -> None:
        self._refuse_other_start(here)
        timelines.activate(self._where, here.timeline)
        state = State(place.seq, place.hash, place, None, False)
        header = records.header_after(state, here.lineage, here.timeline, here.schema)
        self._open(segments.create(self._where, header))

    def begin_at(self, here: Position) -> None:
        """Start a new segment at a verified point, whatever the journal held before.

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

    def _make_room(self, needed: int) -> None:
        """Go on in a new segment if the record, an abort and a seal behind it do not fit."""
        # A segment without a record is replaced: its successor would have its name.
        empty = self._end == records.SEGMENT_HEADER
        if not self._state.sealed:
            if self._end + needed + 2 * records.HEADER <= self._size:
                return
            if not empty:
                self._encode(SEAL, self._state.seq, b"")
                self._write_prepared()
        old = self._header
        header = (
            old
            if empty
            else records.header_after(self._state, old.lineage, old.timeline, old.schema)
        )
        segment = segments.create(self._where, header, needed, replacing=empty)
        self.close()
        self._open(segment)

    def _encode(self, kind: int, seq: int, payload: bytes) -> bytes:
        now = int(clock.now() * 1000)
        data, digest = records.encode(kind, seq, now, payload, self._state.chain)
        end = self._end + len(data)
        self._prepared = data, Record(kind, seq, now, payload, digest, self._end, end)
        return digest

    def _write_prepared(self) -> None:
        data, record = self._prepared
        try:
            fileops.write_durably(self._fd, data, self._end)
        except OSError as error:
            self._take_back(error)
            raise
        self._state, self._end = records.after(self._state, record), record.end
        self._last, self._last_raw = record, data

    def _take_back(self, cause: OSError) -> None:
        """Remove a record whose write or fsync failed; that fsync is not tried again."""
        try:
            self._cut()
        except OSError:
            self.close()
            failure = from_os_error(_DOING, cause)
            raise OutcomeUnknown(
                _DOING,
                f"{failure.happened}, and taking the record back failed too",
                "look before trying again: GET /consultation",
            ) from cause

    def _cut(self) -> None:
        """Zero everything behind the last sound record."""
        fileops.write_durably(self._fd, bytes(self._size - self._end), self._end)
        self._fault = None

    def _rewrite_last(self) -> None:
        """Write the last record once more, durably.

        Its first fsync may have failed, and after that a second one reports
        success for pages that never reached the disk.
        """
        fileops.write_durably(self._fd, self._last_raw, self._last.offset)
