"""What of a backup volume can be copied: what is sound, and on the disk."""

from typing import NamedTuple

from pra.base import sealing
from pra.base.errors import Damaged
from pra.base.layout import twin
from pra.disk import files, look
from pra.journal import records, segments
from pra.journal.scanning import Scan
from pra.journal.segments import Segment
from pra.offsite.names import Piece


def document(path: str) -> str:
    """A document that is kept twice, from a copy that is sound."""
    for one in (path, twin(path)):
        raw = look.read_small(one, 1 << 20)
        try:
            sealing.unseal(raw or b"")
            return raw.decode()
        except ValueError:
            continue
    raise Damaged(
        "copying elsewhere", f"{path} and its copy are lost", "python -m pra points tells more"
    )


class Readable(NamedTuple):
    """What of a segment is sound and on the disk.

    Attributes:
        content: its bytes, from the first on; none where there is no record yet, since such a
            segment can be replaced.
        sealed: the segment ends there.
        header: what it continues.
        last: the last number in it.
        fault: what follows that is not sound; None if nothing does.
    """

    content: bytes
    sealed: bool
    header: records.SegmentHeader
    last: int
    fault: str | None


def segment(found: Segment) -> Readable:
    """What of a segment can be copied.

    Raises:
        Damaged: not even its header can be read.
        FileNotFoundError: it was removed.
        OSError: it cannot be read, or what was read may not be on the disk.
    """
    with segments.open_file(found.path) as file:
        raw = file.read()
    header = segments.header_of(found, raw)
    scan = Scan(raw, records.SEGMENT_HEADER, header.state())
    if not scan.read():
        return Readable(b"", False, header, header.seq, scan.fault)
    if not scan.state.sealed:
        # Its last writer may not have waited for the disk yet; a record that a loss of power
        # takes back must not be elsewhere.
        files.sync_file(found.path)
    return Readable(raw[: scan.end], scan.state.sealed, header, scan.state.seq, scan.fault)


def covered(pieces: list[Piece]) -> int:
    """How far pieces lead from the beginning without a gap."""
    at = 0
    for piece in sorted(pieces, key=lambda one: one.start):
        if piece.start <= at:
            at = max(at, piece.end)
    return at
