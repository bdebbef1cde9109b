"""What of a backup volume can be copied: what is sound, and on the disk."""

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


def segment(found: Segment) -> tuple[bytes, bool, records.SegmentHeader]:
    """What of a segment is sound and on the disk, whether it ends there, and its header.

    Nothing of one without a record: that can yet be replaced.
    """
    with segments.open_file(found.path) as file:
        raw = file.read()
    header = segments.header_of(found, raw)
    scan = Scan(raw, records.SEGMENT_HEADER, header.state())
    if not scan.read():
        return b"", False, header
    if not scan.state.sealed:
        # Its last writer may not have waited for the disk yet; a record that a loss of power
        # takes back must not be elsewhere.
        files.sync_file(found.path)
    return raw[: scan.end], scan.state.sealed, header


def covered(pieces: list[Piece]) -> int:
    """How far pieces lead from the beginning without a gap."""
    at = 0
    for piece in sorted(pieces, key=lambda one: one.start):
        if piece.start <= at:
            at = max(at, piece.end)
    return at
