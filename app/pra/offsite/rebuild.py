"""A backup volume made anew from copies, in an empty folder."""

import contextlib
import hashlib
import os

from pra.base import layout, sealing
from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import files, look
from pra.journal import segments
from pra.journal.segments import Segment
from pra.lineage import marks, sealed
from pra.offsite import names, parallel
from pra.offsite.copies import Objects, Reader
from pra.offsite.names import ChunkName, Piece, PointName, Record
from pra.points import manifest, verify
from pra.points.catalogue import Point
from pra.state import volumes

_DOING = "rebuilding the backup volume"


class Rebuilt:
    """A backup volume that is filled from copies, piece by piece.

    Attributes:
        where: its layout.
        faults: what could not be brought back, as sentences.
        used: by segment, the pieces that it was brought back from.
    """

    def __init__(self, where: Layout, reader: Reader, objects: Objects):
        """Begin with a mark: it is a volume of its own, of the history that was copied."""
        self.where, self.faults = where, []
        self.used: dict[tuple[int, int], list[Piece]] = {}
        self._reader, self._objects = reader, objects
        volumes.prepare_backup_volume(where)
        marks.write_mark(where.backup, reader.lineage)

    def timelines(self) -> None:
        """Bring back the records of the timelines.

        Raises:
            Damaged: one is not what it should be.
            StorageError: the store or the folder failed.
        """
        for name in self._objects.records:
            self._record(name)

    @property
    def segments(self) -> list[Segment]:
        """The segments that can be brought back, in order."""
        return [
            Segment(timeline, first, f"{self.where.journal}/{timeline}-{first:020d}.seg")
            for timeline, first in sorted(self._objects.pieces)
        ]

    def journal(self, wanted: list[Segment]) -> None:
        """Bring back segments that are not there yet, as far as their pieces lead.

        Raises:
            StorageError: the store or the folder failed.
        """
        for segment in wanted:
            if look.size(segment.path) is None:
                content = self._segment(segment)
                if content:
                    files.write_new(segment.path, content.ljust(segments.SIZE, b"\0"))

    def _record(self, name: Record) -> None:
        try:
            known = sealing.unseal(self._reader.content(name))
            record, activation = known["record"].encode(), known["activation"].encode()
        except (ValueError, KeyError, AttributeError) as error:
            raise Damaged(
                _DOING, f"the record of timeline {name.number}: {error}", "take another history"
            ) from error
        number = name.number
        if [one.number for one in self._objects.records].count(number) > 1:
            raise Damaged(
                _DOING,
                f"there are two pasts of timeline {number}",
                "python -m pra offsite fetch POINT takes a point by its name",
            )
        sealed.write_raw(self.where.timeline(number), record)
        sealed.write_raw(self.where.activation(number), activation)

    def _segment(self, segment: Segment) -> bytes:
        """What the pieces of a segment lead to from its beginning; the longest first."""
        content = bytearray()
        pieces = self._objects.pieces[segment.timeline, segment.first]
        left = sorted(pieces, key=lambda one: one.end, reverse=True)
        while fitting := [one for one in left if one.start <= len(content) < one.end]:
            piece = fitting[0]
            left.remove(piece)
            try:
                part = self._reader.content(piece)
            except Damaged as error:
                self.faults.append(f"{error.doing}: {error.happened}")
                continue
            known = len(content) - piece.start
            if part[:known] != content[piece.start :]:
                self.faults.append(
                    f"{names.text_of(piece)} is of another past than what leads to it: two volumes"
                    " were copied as one"
                )
                continue
            content += part[known:]
            self.used.setdefault(segment[:2], []).append(piece)
        beyond = [one for one in left if one.start > len(content)]
        if beyond:
            name = os.path.basename(segment.path)
            self.faults.append(f"{name}: what comes after byte {len(content)} is missing")
        return bytes(content)

    def holds(self, piece: Piece) -> bool:
        """Whether what a piece says is part of its segment as it was brought back."""
        segment = f"{self.where.journal}/{piece.timeline}-{piece.first:020d}.seg"
        with contextlib.closing(segments.open_file(segment)) as file:
            raw = file.read()
        return self._reader.key.mac(raw[piece.start : piece.end]) == piece.mac

    def manifest_of(self, name: PointName) -> Point:
        """A point by its manifest; its database is not there yet.

        Raises:
            Damaged: it is not what was pushed, or not of a verified point.
        """
        return self._point(name)[0]

    def _point(self, name: PointName) -> tuple[Point, bytes, list[str]]:
        raw, macs = self._reader.point(name)
        file = layout.point_name(name.epoch)
        try:
            known = manifest.decode(raw, file)
        except ValueError as error:
            raise Damaged(f"reading {file}", str(error), "take another point") from error
        if known["status"] != "verified" or known["lineage"] != self._reader.lineage:
            raise Damaged(
                f"reading {file}", "it is no verified point of this history", "take another point"
            )
        point = Point(file, known["created_epoch"], known["bytes"], "verified", None, known)
        return point, raw, macs

    def bring(self, name: PointName) -> Point:
        """Bring a point back, checked as any point is.

        Raises:
            Damaged: it is not what was verified; nothing of it stays.
        """
        point, raw, macs = self._point(name)
        path = self.where.point(point.name)
        try:
            self._database(path, point, macs)
            files.write_new(self.where.manifest(point.name), raw)
            reason = verify.fault(self.where, point)
            if reason:
                raise Damaged(f"checking {point.name}", reason, "take another point")
        except BaseException:
            files.remove(self.where.manifest(point.name))
            files.remove(path)
            raise
        return point

    def _database(self, path: str, point: Point, macs: list[str]) -> None:
        """Put a database together; no more is written than its manifest says."""
        left, digest = point.bytes, hashlib.sha256()
        fd = files.open_new(path)
        try:
            for mac in set(macs) - self._objects.chunks:
                missing = names.text_of(ChunkName(mac))
                raise Damaged(
                    f"rebuilding {point.name}", f"{missing} is missing", "take another point"
                )
            for content in parallel.in_order(self._reader.content, map(ChunkName, macs)):
                left -= len(content)
                if left < 0:
                    break
                digest.update(content)
                files.write_all(fd, content)
            files.fsync(fd)
        finally:
            files.close(fd)
        if left or digest.hexdigest() != point.manifest["sha256"]:
            raise Damaged(
                f"rebuilding {point.name}",
                "its chunks do not make the database that its manifest says",
                "take another point",
            )
