"""Long journals, written by the package's own encoder and not one INSERT at a time."""

import struct
from collections.abc import Callable

import apsw

from pra.base import clock
from pra.base.layout import Layout
from pra.disk import files
from pra.journal import records, segments
from pra.journal.records import SEAL, TRANSACTION
from pra.lineage import marks, timelines
from pra.sql import schema

_MESSAGE = "a message of the usual length"
# The session format's value of an integer: its type, then eight bytes, the highest first.
_INTEGER = struct.Struct(">Bq")
_ID = _INTEGER.pack(1, 1)


def write(where: Layout, transactions: int) -> None:
    """Journal so many additions behind the empty beginning of a volume pair.

    The database lacks them all, as it does after its volume was lost.
    """
    start = timelines.read(where, max(timelines.numbers(where)))
    timelines.activate(where, start.number)
    lineage = marks.lineage_of(where.backup)
    place = records.Place(start.seq, bytes.fromhex(start.hash))
    state = records.State(place.seq, place.hash, place, None, False)
    payload_of = _additions()
    last, began_ms = start.seq + transactions, int(clock.now() * 1000) - transactions
    while state.seq < last:
        header = records.header_after(state, lineage, start.number, start.schema)
        path = segments.create(where, header).path
        content, state = _segment(state, last, began_ms, payload_of)
        fd = files.open_write(path)
        try:
            files.write_at(fd, content, records.SEGMENT_HEADER)
        finally:
            files.close(fd)


def _segment(
    state: records.State, last: int, began_ms: int, payload_of: Callable[[int], bytes]
) -> tuple[bytes, records.State]:
    """The records of one segment behind ``state``, and the state behind them."""
    seq, chain = state.seq, state.chain
    parts, room = [], segments.SIZE - records.SEGMENT_HEADER - 2 * records.HEADER
    while seq < last:
        payload = payload_of(seq + 1)
        room -= records.HEADER + len(payload)
        if room < 0:
            break
        seq += 1
        data, chain = records.encode(TRANSACTION, seq, began_ms + seq, payload, chain)
        parts.append(data)
    place = records.Place(seq, chain)
    if seq < last:
        data, chain = records.encode(SEAL, seq, began_ms + seq, b"", chain)
        parts.append(data)
    return b"".join(parts), records.State(seq, chain, place, None, seq < last)


def _additions() -> Callable[[int], bytes]:
    """What gives the payload of a transaction that adds the event with its own number."""
    changeset = _changeset()
    at = changeset.index(_ID)
    before, after = changeset[:at], changeset[at + len(_ID) :]

    def payload_of(number: int) -> bytes:
        added = before + _INTEGER.pack(1, number) + after
        return records.payload_of({"events": number}, added)

    return payload_of


def _changeset() -> bytes:
    """What adding event 1 amounts to."""
    conn = apsw.Connection(":memory:")
    schema.create(conn)
    session = apsw.Session(conn, "main")
    session.attach("events")
    conn.execute("INSERT INTO events VALUES(1, ?, ?)", (clock.rfc3339(clock.now(), 3), _MESSAGE))
    try:
        return session.changeset()
    finally:
        session.close()
        conn.close()
