"""Reading records from bytes: as far as they are sound, and what comes after that."""

import hashlib
import zlib
from collections.abc import Iterator

from pra.journal import records


def follow(
    raw: bytes, state: records.State, place: records.Place
) -> tuple[records.State, int, int] | None:
    """Go on to where the database stands, along sound transactions and nothing else.

    As a ``Scan`` would, but nothing is kept of what is read, and nothing searched after
    the end: each of many writers does this for all the others, under their lock.

    Args:
        raw: what comes after ``state``.

    Returns:
        The state there, how many bytes lead to it, and the last number that one of them
        calls durable; None where anything else is there.
    """
    at, durable, last_start = 0, 0, len(raw) - records.HEADER
    seq, chain = state.seq, state.chain
    fields_of, crc32, sha256 = records.HEAD.unpack_from, zlib.crc32, hashlib.sha256
    while seq < place.seq and at <= last_start:
        magic, word, number, _, length, digest, crc = fields_of(raw, at)
        start, end = at + records.HEADER, at + records.HEADER + length
        if magic != records.MAGIC or crc != crc32(raw[at : at + records.HASH_END]):
            return None
        if digest != sha256(chain + raw[at : at + records.FIELDS_END] + raw[start:end]).digest():
            return None
        if word & records.KIND != records.TRANSACTION or number != seq + 1:
            return None
        known = seq - (word >> records.PENDING_SHIFT)
        if known > durable:
            durable = known
        seq, chain, at = number, digest, end
    if (seq, chain) != place or raw[at : at + records.HEADER] != records.NO_RECORD:
        return None
    # What the database has was committed: it is not to be undone any more.
    return records.State(seq, chain, place, None, False), at, durable


class Scan:
    """Reads records from a buffer, in order, as far as they are sound.

    Attributes:
        end: offset of the first byte that is not part of a sound record.
        fault: why it ended before a clean end; None if it is clean.
    """

    def __init__(self, raw: bytes, offset: int, state: records.State, base: int = 0):
        """Read ``raw``, which begins at ``base`` of its segment, from ``offset`` of the segment."""
        self._raw, self._base = raw, base
        self.state, self.end, self.fault = state, offset, None

    def __iter__(self) -> Iterator[records.Record]:
        return iter(self.read())

    def read(self) -> list[records.Record]:
        """The records up to the end.

        All at once and in one loop: a restore reads hundreds of thousands, and
        a call for each costs nearly as much as its hash.
        """
        raw, base, at = self._raw, self._base, self.end - self._base
        seq, chain, applied, before, sealed = self.state
        found, last_start = [], len(raw) - records.HEADER
        fields_of, crc32, sha256 = records.HEAD.unpack_from, zlib.crc32, hashlib.sha256
        new = tuple.__new__
        while at <= last_start and not sealed:
            magic, word, number, time_ms, length, digest, crc = fields_of(raw, at)
            kind = word & records.KIND
            if magic != records.MAGIC or crc != crc32(raw[at : at + records.HASH_END]):
                break
            start, end = at + records.HEADER, at + records.HEADER + length
            payload = raw[start:end]
            if digest != sha256(chain + raw[at : at + records.FIELDS_END] + payload).digest():
                break
            if kind == records.TRANSACTION and number == seq + 1:
                before, applied = applied, (number, digest)
            elif kind == records.ABORT and number == seq and before is not None:
                applied, before = before, None
            elif kind == records.SEAL and number == seq:
                # Sealing comes after a database that had everything was seen.
                before, sealed = None, True
            else:
                break
            fields = kind, number, time_ms, payload, digest, base + at, base + end
            found.append(new(records.Record, fields))
            seq, chain, at = number, digest, end
        self.state = records.State(
            seq, chain, records.Place(*applied), records.Place(*before) if before else None, sealed
        )
        self.end = base + at
        self.fault = None if sealed else _fault(raw[at : at + records.HEADER])
        return found

    def hole(self) -> str | None:
        """Which durable records are missing at the end; None if none is."""
        for seq, pending in self._headers_after():
            if seq - pending - 1 > self.state.seq:
                return f"records before {seq} are damaged ({self.fault or 'zeros'})"
        return None

    def in_flight(self) -> str | None:
        """What follows the end, of records that were being written when the power went."""
        found = [seq for seq, _ in self._headers_after()]
        return f"records up to {max(found)} were being written" if found else None

    def durable(self, found: list[records.Record]) -> int:
        """The last number that one of these records, just read, calls durable."""
        known = 0
        for one in found:
            word = records.FIELDS.unpack_from(self._raw, one.offset - self._base)[1]
            known = max(known, one.seq - 1 - (word >> records.PENDING_SHIFT))
        return known

    def highest(self) -> int:
        """The highest number that anything here proves to have been given out.

        Where durable records are missing, every sound header after them counts. Else none
        does: those records were being written when the power went, and nobody was told of them.
        """
        found = [seq for seq, _ in self._headers_after()] if self.hole() else []
        return max([self.state.seq, *found])

    def _headers_after(self) -> Iterator[tuple[int, int]]:
        """Number and pending numbers of each sound header after the end.

        That of a torn last record is left out.
        """
        end = self.end - self._base
        for at, seq, pending in _sound_headers(self._raw, end):
            if at != end or seq != self.state.seq + 1:
                yield seq, pending


def highest_number(raw: bytes) -> int:
    """The highest number in any sound record's header, whatever surrounds it; 0 without one."""
    return max((seq for _, seq, _ in _sound_headers(raw, 0)), default=0)


def after_a_hole(raw: bytes, start: int) -> Iterator[records.Record]:
    """Transactions from an offset on that are as they were written, whatever surrounds them.

    Each follows a record with a sound header, and its own hash, which covers that one's, proves it.
    """
    following, chain = None, b""
    for at, seq, _ in _sound_headers(raw, start):
        _, word, _, time_ms, length, digest, _ = records.HEAD.unpack_from(raw, at)
        payload = raw[at + records.HEADER : at + records.HEADER + length]
        proven = (
            digest == hashlib.sha256(chain + raw[at : at + records.FIELDS_END] + payload).digest()
        )
        follows, following, chain = following == at, at + records.HEADER + length, digest
        if follows and proven and word & records.KIND == records.TRANSACTION:
            yield records.Record(records.TRANSACTION, seq, time_ms, payload, digest, at, following)


def _sound_headers(raw: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Offset, number and pending numbers of each sound header from an offset on."""
    at = raw.find(records.MAGIC, start)
    while at >= 0:
        head = raw[at : at + records.HEADER]
        if len(head) == records.HEADER and _sound_header(head):
            _, word, seq, _, _ = records.FIELDS.unpack_from(head)
            yield at, seq, word >> records.PENDING_SHIFT
        at = raw.find(records.MAGIC, at + 1)


def _fault(head: bytes) -> str | None:
    """Why there is no sound record where one could begin; None if nothing begins there."""
    if not any(head):
        return None
    if len(head) < records.HEADER:
        return "a record's header is incomplete"
    seq = records.FIELDS.unpack_from(head)[2]
    return f"record {seq} is damaged or does not continue the one before it"


def _sound_header(head: bytes) -> bool:
    """Whether a record's header is what was written, so that its length can be trusted."""
    return records.CRC.unpack_from(head, records.HASH_END)[0] == zlib.crc32(
        head[: records.HASH_END]
    )
