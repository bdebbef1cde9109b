"""Segment files of the journal: names, creation, reading. Knows nothing of transactions."""

import contextlib
import errno
import os
import re
from typing import NamedTuple

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import files, look, space
from pra.journal import records
from pra.journal.records import SegmentHeader
from pra.journal.scanning import Scan
from pra.lineage import marks

#: Size of a segment, in bytes, unless one record needs more.
SIZE = 1 << 20
_NAME = re.compile(r"([0-9]{1,9})-([0-9]{20})\.seg")


class Segment(NamedTuple):
    """One segment file: the timeline it belongs to, its first number, its path."""

    timeline: int
    first: int
    path: str


def listing(where: Layout) -> list[Segment]:
    """Every segment, by timeline and number."""
    found = []
    for name in look.names(where.journal):
        parts = _NAME.fullmatch(name)
        if parts:
            found.append(Segment(int(parts[1]), int(parts[2]), f"{where.journal}/{name}"))
    return sorted(found)


def of_timeline(where: Layout, timeline: int) -> list[Segment]:
    """The segments of one timeline of this history, in order."""
    lineage = marks.lineage_of(where.backup)
    found = [segment for segment in listing(where) if segment.timeline == timeline]
    return [segment for segment in found if not _foreign(segment, lineage)]


def foreign(where: Layout) -> list[Segment]:
    """The segments that belong to another history: nobody reads on in them or removes them."""
    lineage = marks.lineage_of(where.backup)
    return [segment for segment in listing(where) if _foreign(segment, lineage)]


def last_of(where: Layout, timeline: int) -> Segment | None:
    """The last segment of a timeline of this history; looks at no other header."""
    lineage = marks.lineage_of(where.backup)
    found = [segment for segment in listing(where) if segment.timeline == timeline]
    return next((one for one in reversed(found) if not _foreign(one, lineage)), None)


def _foreign(segment: Segment, lineage: str | None) -> bool:
    """Whether a segment says that it belongs to another history; a damaged one does not."""
    try:
        return lineage is not None and header_only(segment).lineage != lineage
    except Damaged:
        return False


class Gone(Damaged):
    """The folder of the journal is not there, so nothing tells how far it went."""


def refuse_gone(where: Layout) -> None:
    """Refuse to take a journal that is not there for an empty one.

    Raises:
        Gone
    """
    if look.identity(where.journal) is not None:
        return
    raise Gone(
        "looking at the journal",
        f"its folder is gone from the backup volume ({where.journal})",
        "put it back if it is anywhere; python -m pra restore current makes the database that is"
        " here the live history, with a new journal; python -m pra restore latest takes what the"
        " points have (what is here is kept)",
    )


def create(
    where: Layout, header: SegmentHeader, least: int = 0, replacing: bool = False
) -> Segment:
    """Make a segment, durable under its name before it is used.

    Args:
        header: what it continues.
        least: bytes that its records need at least.
        replacing: take the place of one that has the name and no record.

    Raises:
        OSError: it was not made.
    """
    size = max(SIZE, records.SEGMENT_HEADER + least + 2 * records.HEADER)
    space.reserve(where, where.backup, size)
    temporary = f"{where.journal}/next.tmp"
    path = f"{where.journal}/{header.timeline}-{header.seq + 1:020d}.seg"
    files.remove(temporary)
    try:
        content = records.encode_segment_header(header).ljust(size, b"\0")
        files.write_new(temporary, content)
        (files.replace if replacing else files.link_new)(temporary, path)
    except FileExistsError:
        raise Damaged(
            "beginning a segment of the journal",
            f"{path} is there already, from another history or another past of this one",
            "move that file away, to where it can be looked at; nothing here needs it",
        ) from None
    finally:
        files.remove(temporary)
    files.fsync_directory(where.journal)
    return Segment(header.timeline, header.seq + 1, path)


def read(segment: Segment) -> tuple[SegmentHeader, Scan]:
    """A segment's header, and its records to be read.

    Raises:
        Damaged: the header is not sound, or belongs elsewhere.
    """
    with open_file(segment.path) as file:
        raw = file.read()
    header = header_of(segment, raw)
    return header, Scan(raw, records.SEGMENT_HEADER, header.state())


def header_only(segment: Segment) -> SegmentHeader:
    """A segment's header, without reading its records.

    Raises:
        Damaged: it is not sound, or belongs elsewhere.
    """
    return header_of(segment, look.read_small(segment.path, records.SEGMENT_HEADER) or b"")


def header_of(segment: Segment, raw: bytes) -> SegmentHeader:
    """The header in a segment's first bytes.

    Raises:
        Damaged: it is not sound, or belongs elsewhere.
    """
    try:
        header = records.decode_segment_header(raw)
    except records.FormatError as error:
        raise damaged(segment, str(error)) from None
    if (header.timeline, header.seq + 1) != (segment.timeline, segment.first):
        raise damaged(segment, "the file's name does not match its header")
    return header


def damaged(segment: Segment, reason: str) -> Damaged:
    """The error for a segment that cannot be used."""
    return Damaged(
        f"reading {os.path.basename(segment.path)} of the journal",
        reason,
        "python -m pra backup makes a new base where the database is whole;"
        " python -m pra restore --plan shows what the journal still reaches",
    )


def sync_last(where: Layout, timeline: int) -> None:
    """Make durable what a timeline's last segment holds: its writer may have died before.

    Those before it were synced when they were sealed.
    """
    last = last_of(where, timeline)
    if last:
        files.sync_file(last.path)


def write_last_again(where: Layout, timeline: int) -> None:
    """As ``sync_last``, and after a sync that failed too; needs the writer lock.

    Not where the header is damaged: nothing of that segment can be replayed, written
    again or not, and what it holds stays as it is, to be looked at.
    """
    last = last_of(where, timeline)
    if last:
        with contextlib.suppress(Damaged):
            header_only(last)
            Open(last.path).write_again()


class Open:
    """A segment's file, open for writing; closed when nobody uses it any more.

    Attributes:
        fd: its descriptor.
    """

    def __init__(self, path: str):
        self._path = path
        self.fd = files.open_write(path)

    def __del__(self):
        if hasattr(self, "fd"):
            files.close(self.fd)

    def opened_again(self) -> "Open":
        """The same file, opened once more; itself where its name is gone.

        The system tells of a write that failed only once for each opening: who shares
        one may be told that all is well because another was told the truth.
        """
        try:
            another = Open(self._path)
        except OSError:
            return self
        same = look.identity_of(another.fd) == look.identity_of(self.fd)
        return another if same else self

    def begin(self) -> None:
        """Let the disk begin with the records that were written so far.

        Raises:
            OSError: as a sync does.
        """
        files.begin_writing_out(self.fd)

    def sync(self) -> None:
        """Make every record durable that was written so far.

        Raises:
            OSError: they may not be.
        """
        files.sync_data(self.fd)

    def write_again(self, least: int = 0) -> None:
        """Write all its records once more, durably; needs the writer lock.

        A sync of them failed, or may have: a second one would report success for
        pages that never reached the disk.

        Args:
            least: where they end at least.

        Raises:
            OSError: it failed, or they cannot even be read any more.
        """
        raw = look.read_at(self.fd, os.fstat(self.fd).st_size, 0)
        scan = Scan(raw, records.SEGMENT_HEADER, records.decode_segment_header(raw).state())
        scan.read()
        if scan.end < least:
            raise OSError(errno.EIO, "records that were just written cannot be read")
        written = raw[records.SEGMENT_HEADER : scan.end]
        files.write_durably(self.fd, written, records.SEGMENT_HEADER)


def open_file(path: str):
    """A segment's file for reading."""
    return os.fdopen(files.open_read(path), "rb")
