"""The end of the segment that is being written, as this process last saw it.

Processes append to it in turn, each under the writer lock: who comes next goes on from
the end that it saw last, and reads what the others appended since.
"""

from pra.disk import files, inode, look
from pra.journal import records, scanning, segments
from pra.journal.records import Place, Record
from pra.journal.scanning import Scan
from pra.journal.segments import Segment
from pra.sql.schema import Position

#: Transactions that a database may lack and still be taken for one that lost power while
#: so many writers waited for its disk. One that lacks more was put there by somebody.
MAX_BEHIND = 256
#: How much of what others appended a writer reads before it reads all, in bytes.
_FIRST_READ = 16 << 10


class Tail:
    """An open segment, and where its records end.

    Attributes:
        file: the segment's file, open for writing.
        header: the segment's header.
        size: of the file, in bytes.
        end: offset of the first byte after the sound records.
        state: what the sound records lead to.
        fault: what follows them, of records that were being written or of others;
            None if nothing does.
        hole: which durable records are missing at the end; None if none is.
        highest: the last number that anything in the segment tells of.
        durable: the last number that is known to be on the disk.
        durable_place: the last transaction that was seen to get there; None before the first.
        doubted: a sync of what is there may have failed; only who had it open was told.
    """

    def __init__(self, segment: Segment):
        """Open a segment and read all of it.

        Raises:
            Damaged: its header is not sound.
            OSError: it cannot be opened or read.
        """
        self.file = segments.Open(segment.path)
        raw = look.read_at(self.file.fd, look.size(segment.path), 0)
        self.header = segments.header_of(segment, raw)
        self.size = len(raw)
        self._timeline = segment.timeline
        self._name = inode.Name(segment.path, look.identity_of(self.file.fd))
        self.doubted = True
        self.durable, self.durable_place = 0, None
        self._take(Scan(raw, records.SEGMENT_HEADER, self.header.state()))

    @classmethod
    def of_new(cls, segment: Segment) -> "Tail":
        """Of a segment just made: what it continues is durable, and it holds nothing yet."""
        tail = cls(segment)
        tail._all_durable()
        return tail

    @property
    def empty(self) -> bool:
        """Whether it holds no record."""
        return self.end == records.SEGMENT_HEADER

    def continues(self, here: Position) -> bool:
        """Whether it is of the database's timeline, and its file is still there."""
        return (
            self._timeline == here.timeline
            and self.header.lineage == here.lineage
            # Appending to a deleted one succeeds.
            and self._name.holds()
        )

    def follow(self, place: Place) -> None:
        """Go on to the database's place if transactions lead to it, else to the end."""
        # Mostly nothing follows what this process wrote itself.
        if look.read_at(self.file.fd, records.HEADER, self.end) == records.NO_RECORD:
            return
        raw = look.read_at(self.file.fd, min(_FIRST_READ, self.size - self.end), self.end)
        found = scanning.follow(raw, self.state, place)
        if found is None:
            self.read_on()
            return
        self.state, length, durable = found
        self.end += length
        self.durable = max(self.durable, durable)

    def read_on(self) -> None:
        """Read all that others appended."""
        raw = look.read_at(self.file.fd, self.size - self.end, self.end)
        self._take(Scan(raw, self.end, self.state, base=self.end))

    def transactions_after(self, place: Place) -> list[Record] | None:
        """The segment's transactions after a place; None if the place is not in it."""
        raw = look.read_at(self.file.fd, self.end, 0)
        start = self.header.state()
        found = records.committed(Scan(raw, records.SEGMENT_HEADER, start).read())
        places = [start.applied, *(Place(record.seq, record.hash) for record in found)]
        return found[places.index(place) :] if place in places else None

    def encode(self, kind: int, seq: int, payload: bytes, moment_ms: int) -> tuple[bytes, Record]:
        """The next record's bytes, and the record as it will be read."""
        pending = max(0, seq - 1 - self.durable)
        data, digest = records.encode(kind, seq, moment_ms, payload, self.state.chain, pending)
        return data, Record(kind, seq, moment_ms, payload, digest, self.end, self.end + len(data))

    def write(self, data: bytes, record: Record, synced: bool) -> None:
        """Append a record that ``encode`` gave.

        Raises:
            OSError: it failed; some of it may be there, which ``cut`` removes.
        """
        files.write_at(self.file.fd, data, self.end)
        if synced:
            files.sync_data(self.file.fd)
        self.state, self.end = records.after(self.state, record), record.end
        if synced:
            self.durable, self.durable_place = record.seq, self.state.applied

    def write_again(self) -> None:
        """Write all records once more, durably.

        Raises:
            OSError: it failed.
        """
        self.file.write_again(self.end)
        self._all_durable()

    def cut(self) -> None:
        """Zero everything after the last sound record, durably.

        Raises:
            OSError: it failed.
        """
        files.write_durably(self.file.fd, bytes(self.size - self.end), self.end)
        self.fault = None

    def note_durable(self, place: Place) -> None:
        """A transaction was synced, and with it all before; needs no lock."""
        self.durable = max(self.durable, place.seq)
        if self.durable_place is None or place.seq > self.durable_place.seq:
            self.durable_place = place

    def _all_durable(self) -> None:
        self.doubted, self.durable = False, self.state.seq
        self.durable_place = self.state.applied

    def _take(self, scan: Scan) -> None:
        found = scan.read()
        self.state, self.end = scan.state, scan.end
        self.fault, self.hole = scan.in_flight() or scan.fault, scan.hole()
        self.highest = scan.highest()
        self.durable = max(self.durable, scan.durable(found[-MAX_BEHIND:]))
