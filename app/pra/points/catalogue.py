"""The catalogue of restore points, without opening or hashing any of them.

Order comes from the serial numbers in the manifests, never from names or
clocks: two backups can share a second and a clock can jump back.
"""

import os
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from pra.base import clock, layout
from pra.base.errors import Unknown, UsageError
from pra.base.layout import Layout
from pra.disk import files, look
from pra.lineage import marks
from pra.points import manifest

#: What a point can be.
STATES = (*manifest.KEPT_STATUS, "foreign", "damaged")


class Point(NamedTuple):
    """One restore point.

    Attributes:
        name: file name, app-EPOCH.db.
        epoch: when it was made, seconds since 1970 (from the manifest, else the name).
        bytes: size of the file; 0 if it is missing.
        status: verified, quarantined, foreign, damaged or safety.
        reason: why it is not simply verified.
        manifest: what it says, also of a file that is not like that any more; None where
            there is none that can be read.
    """

    name: str
    epoch: int
    bytes: int
    status: str
    reason: str | None
    manifest: dict | None

    def as_dict(self, now: float) -> dict:
        """The form that listings show."""
        known = self.manifest or {}
        return {
            "name": self.name,
            "created": known.get("created") or clock.rfc3339(self.epoch),
            "created_epoch": self.epoch,
            "age_seconds": round(max(0.0, now - self.epoch), 3),
            "rows": known.get("rows"),
            "max_id": known.get("max_id"),
            "bytes": self.bytes,
            "sha256": known.get("sha256"),
            "status": self.status,
            "reason": self.reason,
            "position": known.get("position"),
        }

    @property
    def wal(self) -> str | None:
        """SHA-256 of the -wal that belongs to a raw copy; None where there is none."""
        return (self.manifest or {}).get("wal")

    @property
    def serial(self) -> int:
        """Place in the order of creation; 0 where none of this history is known."""
        return self.manifest["serial"] if self.manifest and self.status != "foreign" else 0


class Points(list[Point]):
    """Points, newest first: a list that nobody changes.

    What is asked of all of them is worked out once: thousands are asked for each answer of
    /metrics, and seldom have any of them changed.
    """

    @cached_property
    def states(self) -> Counter:
        """How many there are of each state."""
        return Counter(point.status for point in self)

    @cached_property
    def size(self) -> int:
        """Of all of them, in bytes."""
        return sum(point.bytes for point in self)

    @cached_property
    def highest(self) -> dict[tuple[str, int], Point]:
        """By lineage and timeline, the point with the highest number of a transaction."""
        highest: dict[tuple[str, int], Point] = {}
        placed = (point for point in self if point.manifest and point.manifest.get("position"))
        for point in placed:
            place = point.manifest["position"]
            branch = (place["lineage"], place["timeline"])
            if branch not in highest or highest[branch].manifest["position"]["seq"] < place["seq"]:
                highest[branch] = point
        return highest

    @cached_property
    def branches(self) -> dict[tuple[int, bool], str]:
        """The timelines that they are of in their own history, as the first of each names them.

        By number, and by whether the point just begins it.
        """
        found: dict[tuple[int, bool], str] = {}
        for point in self:
            known = point.manifest or {}
            place = known.get("position")
            if place and point.status != "foreign" and place["lineage"] == known["lineage"]:
                found.setdefault((place["timeline"], known.get("begins", False)), point.name)
        return found

    @cached_property
    def odd(self) -> "list[Point]":
        """Those in whose making something was odd about the clock."""
        return [point for point in self if point.manifest and point.manifest.get("clock")]


def scan(where: Layout) -> Points:
    """Every point, newest first.

    Raises:
        OSError: the backup volume cannot be read.
    """
    databases, manifests = _entries(where)
    lineage = marks.lineage_of(where.backup)
    return in_order(
        of_files(where, name, databases.get(name), name in manifests, lineage)
        for name in {*databases, *manifests}
    )


def in_order(found: Iterable[Point]) -> Points:
    """These points, newest first."""
    every = list(found)
    numbered = sorted((p for p in every if p.serial), key=lambda p: p.serial, reverse=True)
    others = sorted((p for p in every if not p.serial), key=lambda p: p.epoch, reverse=True)
    return Points(_merged(numbered, others))


def latest(points: list[Point]) -> Point | None:
    """The newest verified point of a list that is newest first."""
    return next((point for point in points if point.status == "verified"), None)


def find(points: list[Point], name: str) -> Point:
    """The point of that name.

    Raises:
        UsageError: that cannot be the name of a point.
        Unknown: there is no such point.
    """
    if not layout.POINT_NAME.fullmatch(name):
        raise UsageError(
            "choosing a point",
            f"{name!r} is not the name of a point",
            "give a name like app-1763719200.db or 'latest'; python -m pra points lists them",
        )
    for point in points:
        if point.name == name:
            return point
    raise Unknown(
        "choosing a point", f"there is no point {name}", "python -m pra points lists what there is"
    )


def remove(where: Layout, names: list[str]) -> None:
    """Remove points for good; one that is interrupted is finished by the next backup."""
    for name in names:
        if look.size(where.point(name)) is not None:
            doomed = f"{where.temporary}/{name}"
            files.remove(doomed)
            files.link_new(where.point(name), doomed)
    files.fsync_directory(where.temporary)
    for name in names:
        files.remove(where.manifest(name))
        files.remove(where.point(name))
    files.fsync_directory(where.backup)
    for name in names:
        files.remove(f"{where.temporary}/{name}")


def _entries(where: Layout) -> tuple[dict[str, int], set[str]]:
    """Sizes of database files by name, and the point names that have a manifest."""
    databases, manifests = {}, set()
    with os.scandir(where.backup) as entries:
        for entry in entries:
            found = layout.POINT_FILE.fullmatch(entry.name)
            if not found:
                continue
            if found[2] == "json":
                manifests.add(f"{found[1]}.db")
            elif entry.is_file(follow_symlinks=False):
                databases[entry.name] = entry.stat(follow_symlinks=False).st_size
    return databases, manifests


def of_files(
    where: Layout, name: str, size: int | None, has_manifest: bool, lineage: str | None
) -> Point:
    """What a point's files are.

    Args:
        name: of the database's file.
        size: of that, in bytes; None where there is none.
        has_manifest: there is one beside it.
        lineage: of the backup volume.
    """
    epoch = layout.point_epoch(name)
    if not has_manifest:
        reason = "made outside this application: content and completeness are unknown"
        return Point(name, epoch, size, "foreign", reason, None)
    try:
        known = manifest.decode(_manifest(where, name), name)
    except ValueError as error:
        reason = "the database file is missing" if size is None else str(error)
        return Point(name, epoch, size or 0, "damaged", reason, None)
    if known["lineage"] not in (lineage, None):
        reason = _other_history(known, lineage)
        return Point(name, known["created_epoch"], size or 0, "foreign", reason, known)
    if size is None:
        return Point(name, epoch, 0, "damaged", "the database file is missing", known)
    if known["bytes"] != size:
        reason = f"the file has {size} bytes, the manifest says {known['bytes']}"
        return Point(name, epoch, size, "damaged", reason, known)
    status, reason = known["status"], known["reason"]
    return Point(name, known["created_epoch"], size, status, reason, known)


def _manifest(where: Layout, name: str) -> bytes:
    try:
        return look.read_small(where.manifest(name)) or b""
    except look.NotRegular as error:
        # One point that cannot be known hides no other.
        raise ValueError("the manifest is no regular file") from error


def _other_history(known: dict, lineage: str | None) -> str:
    whose = f"it was made in another history, {known['lineage'][:8]}"
    ours = f"this volume belongs to {lineage[:8]}" if lineage else "this volume has no mark"
    return f"{whose}; {ours}"


def _merged(numbered: list[Point], others: list[Point]) -> list[Point]:
    """Put points without a number where their time says, leaving the numbered order alone."""
    result, rest = [], iter(others)
    waiting = next(rest, None)
    for point in numbered:
        while waiting and waiting.epoch > point.epoch:
            result.append(waiting)
            waiting = next(rest, None)
        result.append(point)
    return result + ([waiting] if waiting else []) + list(rest)
