"""The journal's format: segments of records, chained by hash. Bytes only, no files.

A segment is a file of a fixed size, filled with zeros beforehand so that a
record's fsync has no new size to make durable. It begins with a header block;
records follow without gaps; the first zero where a record should begin is the
end. A record is a header with a checksum of its own (so that its length can be
trusted), then its payload. Each record's hash covers its predecessor's.

A header also says how many of the numbers before it were perhaps not on the disk when
it was written. After a loss of power some records can be missing before others that
are sound; they were all on their way if none of those calls a missing one durable.
"""

import functools
import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

TRANSACTION, ABORT, SEAL = 1, 2, 3

_MAGIC = b"PRAR"
# Magic, kind and how many before it are pending, number, milliseconds, length.
_FIELDS = struct.Struct("<4sIQQI")
_CRC = struct.Struct("<I")
_HASH = 32
_HEADER = struct.Struct("<4sIQQI32sI")
_KIND, _PENDING_SHIFT, _MOST_PENDING = 0xFF, 8, 0xFFFFFF
# A header's fields end at the first, its hash at the second.
_SEALED, _HASHED = _FIELDS.size, _FIELDS.size + _HASH
#: Size of a record's header, in bytes.
HEADER = _HEADER.size
#: What is where no record begins.
NO_RECORD = bytes(HEADER)
_SEGMENT_MAGIC = b"PRA journal segment 1\n"
#: Size of a segment's header block, in bytes.
SEGMENT_HEADER = 1024
_LENGTH = struct.Struct("<I")
_compact = json.JSONEncoder(separators=(",", ":")).encode
_quoted = functools.cache(json.dumps)


class Place(NamedTuple):
    """A state of the database: the number and the hash of its last transaction."""

    seq: int
    hash: bytes


class State(NamedTuple):
    """What a prefix of the journal amounts to.

    Attributes:
        seq: the last number used.
        chain: hash of the last record of any kind.
        applied: where a database stands that has everything.
        before: where one stands that lacks just the last record; None where
            that is not allowed.
        sealed: the segment ends here; the next record is in another.
    """

    seq: int
    chain: bytes
    applied: Place
    before: Place | None
    sealed: bool


class Record(NamedTuple):
    """One record; ``offset`` and ``end`` are its first byte and the one after its last."""

    kind: int
    seq: int
    time_ms: int
    payload: bytes
    hash: bytes
    offset: int
    end: int


class SegmentHeader(NamedTuple):
    """What a segment continues.

    Attributes:
        lineage, timeline: the history that it belongs to.
        seq, chain: last number used and last record's hash (hex) before it.
        applied_seq, applied_hash: the state of the database (hash in hex) before it.
        schema: hash of the tables' definitions while it is written.
        rebase: it continues no segment but a point; what is between is unknown.
    """

    lineage: str
    timeline: int
    seq: int
    chain: str
    applied_seq: int
    applied_hash: str
    schema: str
    rebase: bool

    def state(self) -> State:
        """The state before the segment's first record."""
        applied = Place(self.applied_seq, bytes.fromhex(self.applied_hash))
        return State(self.seq, bytes.fromhex(self.chain), applied, None, False)


class FormatError(Exception):
    """A segment's header is not what it should be."""


def header_after(state: State, lineage: str, timeline: int, schema: str) -> SegmentHeader:
    """The header of the segment that continues ``state``."""
    return SegmentHeader(
        lineage,
        timeline,
        state.seq,
        state.chain.hex(),
        state.applied.seq,
        state.applied.hash.hex(),
        schema,
        rebase=False,
    )


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The header block of a segment, SEGMENT_HEADER bytes."""
    text = _compact(header._asdict()).encode()
    block = (_SEGMENT_MAGIC + _LENGTH.pack(len(text)) + text).ljust(
        SEGMENT_HEADER - _CRC.size, b"\0"
    )
    return block + _CRC.pack(zlib.crc32(block))


def decode_segment_header(raw: bytes) -> SegmentHeader:
    """Read a header block.

    Raises:
        FormatError: it is incomplete, changed or of another format.
    """
    block = raw[: SEGMENT_HEADER - _CRC.size]
    crc = raw[SEGMENT_HEADER - _CRC.size : SEGMENT_HEADER]
    if not block.startswith(_SEGMENT_MAGIC) or crc != _CRC.pack(zlib.crc32(block)):
        raise FormatError("the segment's header is damaged")
    start = len(_SEGMENT_MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack_from(block, len(_SEGMENT_MAGIC))
    try:
        return SegmentHeader(**json.loads(block[start : start + length]))
    except (ValueError, TypeError):
        raise FormatError("the segment's header is of an unknown format") from None


def encode(
    kind: int, seq: int, time_ms: int, payload: bytes, chain: bytes, pending: int = 0
) -> tuple[bytes, bytes]:
    """Write a record that follows the one with the hash ``chain``; returns (bytes, hash).

    Args:
        pending: how many numbers before ``seq`` may not be durable yet.
    """
    word = kind | min(pending, _MOST_PENDING) << _PENDING_SHIFT
    fields = _FIELDS.pack(_MAGIC, word, seq, time_ms, len(payload))
    digest = hashlib.sha256(chain + fields + payload).digest()
    head = fields + digest
    return head + _CRC.pack(zlib.crc32(head)) + payload, digest


def payload_of(sequences: dict[str, int], changeset: bytes) -> bytes:
    """A transaction's payload: AUTOINCREMENT's counters as JSON, then its changeset."""
    # The library's encoder takes four times as long for numbers, under the writer lock; and
    # a counter can be anything, since nothing keeps a shell from SQLite's table of them.
    pairs = [
        f"{_quoted(name)}:{last if type(last) is int else json.dumps(last)}"
        for name, last in sequences.items()
    ]
    text = f"{{{','.join(pairs)}}}".encode()
    return _LENGTH.pack(len(text)) + text + changeset


def changeset_of(payload: bytes) -> bytes:
    """The changeset in a transaction's payload."""
    return payload[_LENGTH.size + _LENGTH.unpack_from(payload)[0] :]


def changesets_of(found: list[Record]) -> bytes:
    """The changesets of transactions in a row, which are one changeset."""
    skip, length_of = _LENGTH.size, _LENGTH.unpack_from
    # A call for each would be half the time: a restore joins hundreds of thousands.
    return b"".join([one.payload[skip + length_of(one.payload)[0] :] for one in found])


def sequences_of(payload: bytes) -> dict[str, int]:
    """AUTOINCREMENT's counters in a transaction's payload."""
    (length,) = _LENGTH.unpack_from(payload)
    return json.loads(payload[_LENGTH.size : _LENGTH.size + length])


def after(state: State, record: Record) -> State:
    """The state after one more record."""
    if record.kind == TRANSACTION:
        here = Place(record.seq, record.hash)
        return State(record.seq, record.hash, here, state.applied, False)
    if record.kind == ABORT:
        return State(record.seq, record.hash, state.before, None, False)
    return state._replace(chain=record.hash, before=None, sealed=True)


def committed(found: list[Record]) -> list[Record]:
    """The transactions among a segment's records that were not aborted."""
    aborted = {record.seq for record in found if record.kind == ABORT}
    return [record for record in found if record.kind == TRANSACTION and record.seq not in aborted]


def up_to(found: list[Record], last: int | None) -> list[Record]:
    """Those of records in a row whose numbers are at most ``last``; all if it is None."""
    if last is None or not found or found[-1].seq <= last:
        return found
    return [record for record in found if record.seq <= last]


def follow(raw: bytes, state: State, place: Place) -> tuple[State, int, int] | None:
    """Go on to where the database stands, along sound transactions and nothing else.

    As a ``Scan`` would, but nothing is kept of what is read, and nothing searched behind
    the end: each of many writers does this for all the others, under their lock.

    Args:
        raw: what comes behind ``state``.

    Returns:
        The state there, how many bytes lead to it, and the last number that one of them
        calls durable; None where anything else is there.
    """
    at, durable, last_start = 0, 0, len(raw) - HEADER
    seq, chain = state.seq, state.chain
    fields_of, crc32, sha256 = _HEADER.unpack_from, zlib.crc32, hashlib.sha256
    while seq < place.seq and at <= last_start:
        magic, word, number, _, length, digest, crc = fields_of(raw, at)
        start, behind = at + HEADER, at + HEADER + length
        if magic != _MAGIC or crc != crc32(raw[at : at + _HASHED]):
            return None
        if digest != sha256(chain + raw[at : at + _SEALED] + raw[start:behind]).digest():
            return None
        if word & _KIND != TRANSACTION or number != seq + 1:
            return None
        known = seq - (word >> _PENDING_SHIFT)
        if known > durable:
            durable = known
        seq, chain, at = number, digest, behind
    if (seq, chain) != place or raw[at : at + HEADER] != NO_RECORD:
        return None
    # What the database has was committed: it is not to be undone any more.
    return State(seq, chain, place, None, False), at, durable


class Scan:
    """Reads records from a buffer, in order, as far as they are sound.

    Attributes:
        end: offset of the first byte that is not part of a sound record.
        fault: why it ended before a clean end; None if it is clean.
    """

    def __init__(self, raw: bytes, offset: int, state: State, base: int = 0):
        """Read ``raw``, which begins at ``base`` of its segment, from ``offset`` of the segment."""
        self._raw, self._base = raw, base
        self.state, self.end, self.fault = state, offset, None

    def __iter__(self) -> Iterator[Record]:
        return iter(self.read())

    def read(self) -> list[Record]:
        """The records up to the end.

        All at once and in one loop: a restore reads hundreds of thousands, and
        a call for each costs nearly as much as its hash.
        """
        raw, base, at = self._raw, self._base, self.end - self._base
        seq, chain, applied, before, sealed = self.state
        found, last_start = [], len(raw) - HEADER
        fields_of, crc32, sha256 = _HEADER.unpack_from, zlib.crc32, hashlib.sha256
        new = tuple.__new__
        while at <= last_start and not sealed:
            magic, word, number, time_ms, length, digest, crc = fields_of(raw, at)
            kind = word & _KIND
            if magic != _MAGIC or crc != crc32(raw[at : at + _HASHED]):
                break
            start, behind = at + HEADER, at + HEADER + length
            payload = raw[start:behind]
            if digest != sha256(chain + raw[at : at + _SEALED] + payload).digest():
                break
            if kind == TRANSACTION and number == seq + 1:
                before, applied = applied, (number, digest)
            elif kind == ABORT and number == seq and before is not None:
                applied, before = before, None
            elif kind == SEAL and number == seq:
                # Sealing comes after a database that had everything was seen.
                before, sealed = None, True
            else:
                break
            fields = kind, number, time_ms, payload, digest, base + at, base + behind
            found.append(new(Record, fields))
            seq, chain, at = number, digest, behind
        self.state = State(seq, chain, Place(*applied), Place(*before) if before else None, sealed)
        self.end = base + at
        self.fault = None if sealed else _fault(raw[at : at + HEADER])
        return found

    def hole(self) -> str | None:
        """Why the end is no end: a record that was durable is missing; None if it is one."""
        for seq, pending in self._behind():
            if seq - pending - 1 > self.state.seq:
                return f"records before {seq} are damaged ({self.fault or 'zeros'})"
        return None

    def stray(self) -> str | None:
        """What lies behind an end, of records that were on their way when the power went."""
        behind = [seq for seq, _ in self._behind()]
        return f"records up to {max(behind)} were being written" if behind else None

    def durable(self, found: list[Record]) -> int:
        """The last number that one of these records, just read, calls durable."""
        known = 0
        for one in found:
            word = _FIELDS.unpack_from(self._raw, one.offset - self._base)[1]
            known = max(known, one.seq - 1 - (word >> _PENDING_SHIFT))
        return known

    def highest(self) -> int:
        """The highest number that anything here proves to have been given out.

        Behind a hole that is every sound header's; behind an end, of records that were
        on their way when the power went, none: nobody was told of those.
        """
        behind = [seq for seq, _ in self._behind()] if self.hole() else []
        return max([self.state.seq, *behind])

    def _behind(self) -> Iterator[tuple[int, int]]:
        """Number and pending numbers of each sound header behind the end.

        The torn last record is none of them.
        """
        end = self.end - self._base
        for at, seq, pending in _sound_headers(self._raw, end):
            if at != end or seq != self.state.seq + 1:
                yield seq, pending


def highest_number(raw: bytes) -> int:
    """The highest number in any sound record's header, whatever surrounds it; 0 without one."""
    return max((seq for _, seq, _ in _sound_headers(raw, 0)), default=0)


def behind_a_hole(raw: bytes, start: int) -> Iterator[Record]:
    """Transactions from an offset on that are as they were written, whatever surrounds them.

    One follows a record whose header is sound, and is proven by the hash in that.
    """
    behind, chain = None, b""
    for at, seq, _ in _sound_headers(raw, start):
        _, word, _, time_ms, length, digest, _ = _HEADER.unpack_from(raw, at)
        payload = raw[at + HEADER : at + HEADER + length]
        proven = digest == hashlib.sha256(chain + raw[at : at + _SEALED] + payload).digest()
        follows, behind, chain = behind == at, at + HEADER + length, digest
        if follows and proven and word & _KIND == TRANSACTION:
            yield Record(TRANSACTION, seq, time_ms, payload, digest, at, behind)


def _sound_headers(raw: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Offset, number and pending numbers of each sound header from an offset on."""
    at = raw.find(_MAGIC, start)
    while at >= 0:
        head = raw[at : at + HEADER]
        if len(head) == HEADER and _sound_header(head):
            _, word, seq, _, _ = _FIELDS.unpack_from(head)
            yield at, seq, word >> _PENDING_SHIFT
        at = raw.find(_MAGIC, at + 1)


def _fault(head: bytes) -> str | None:
    """Why there is no sound record where one could begin; None if nothing begins there."""
    if not any(head):
        return None
    if len(head) < HEADER:
        return "a record's header is incomplete"
    seq = _FIELDS.unpack_from(head)[2]
    return f"record {seq} is damaged or does not continue the one before it"


def _sound_header(head: bytes) -> bool:
    """Whether a record's header is what was written, so that its length can be trusted."""
    return _CRC.unpack_from(head, _HASHED)[0] == zlib.crc32(head[:_HASHED])
