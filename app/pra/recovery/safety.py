"""Keeping what a restore is about to replace.

What is there is removed once it is kept, so a point that already holds it is read and
checked completely before it stands for it: its manifest alone proves nothing.
"""

import os
import sys
from hashlib import sha256
from typing import NamedTuple

from pra.base.errors import Damaged, PraError
from pra.base.layout import Layout
from pra.disk import copying, files, look, space
from pra.journal import history
from pra.lineage import timelines
from pra.lineage.timelines import Branch
from pra.pitr import targets
from pra.points import catalogue, publish, verify
from pra.points.catalogue import Point
from pra.protect import backup
from pra.sql import connect, schema
from pra.state import position, volumes

_EMPTIED = "the database file is missing or empty"


class Kept(NamedTuple):
    """What was there before a restore, and where it is kept.

    Attributes:
        point: the safety point; None if there was no database.
        left: where the database stood (hash in hex); None if that is unknown.
        highest_id: the highest event id that it had given out.
        unfit: points that should hold the same and do not, as [{"name", "reason"}].
    """

    point: Point | None
    left: Branch | None
    highest_id: int
    unfit: tuple[dict, ...] = ()

    @property
    def name(self) -> str | None:
        """The safety point's name."""
        return self.point.name if self.point else None

    @property
    def raw(self) -> bool:
        """It is a copy, byte by byte, of what could not be read."""
        return self.point is not None and self.point.manifest["rows"] is None

    @property
    def seq(self) -> int:
        """The number of the last transaction; 0 if unknown."""
        return self.left.seq if self.left else 0


def keep(where: Layout, known: list[Point]) -> Kept:
    """Make a safety point of the current database, if there is one.

    A database that can no longer be copied as such is kept byte by byte.
    """
    number = volumes.current(where)
    if number is None:
        return Kept(None, None, 0)
    database = f"{where.generation(number)}/app.db"
    if not look.size(database):
        # SQLite would delete the -wal beside it, which may hold every row that there is.
        if not connect.emptied(database):
            return Kept(None, None, 0)
        return _keep_raw(where, known, number, _EMPTIED)
    unfit: list[dict] = []
    highest = 0
    try:
        here, highest = place(where, number)
        same = _sound(where, _same_moment(known, here), unfit)
        if same:
            return _kept(same, here.as_dict(), highest, unfit)
        temporary, content = backup.snapshot(where)
    except Damaged as error:
        raw = _keep_raw(where, known, number, error.happened)
        return raw._replace(highest_id=highest, unfit=tuple(unfit))
    again = _sound(where, _same_bytes(known, content), unfit)
    if again:
        files.remove(temporary)
        return _kept(again, again.manifest["position"], content["highest_issued"], unfit)
    content["status"], content["reason"] = "safety", "what was there before a restore"
    point = publish.publish(where, known, temporary, content)
    return _kept(point, content["position"], content["highest_issued"], unfit)


def keep_others(where: Layout) -> dict[int, Point | None]:
    """Make a safety point of each generation that the link does not lead to.

    Each may be all that there is of what it holds, unless nobody ever wrote to it.

    Returns:
        Their numbers, each with its safety point; None where it holds nothing of its own.
    """
    found: dict[int, Point | None] = dict.fromkeys(volumes.others(where))
    for number in found:
        database = f"{where.generation(number)}/app.db"
        if not (look.size(database) or look.size(f"{database}-wal")):
            continue
        if not volumes.unwritten(where, number):
            found[number] = _keep_other(where, catalogue.scan(where), number, database)
    return found


def _keep_other(where: Layout, known: list[Point], number: int, database: str) -> Point:
    if connect.emptied(database):
        return _keep_raw(where, known, number, _EMPTIED).point
    try:
        temporary, content = backup.snapshot(where, database)
    except Damaged as error:
        return _keep_raw(where, known, number, error.happened).point
    same = _sound(where, _same_bytes(known, content), [])
    if same:
        files.remove(temporary)
        return same
    content["status"] = "safety"
    content["reason"] = f"g{number}, which was there before a restore and not in use"
    return publish.publish(where, known, temporary, content)


def _keep_raw(where: Layout, known: list[Point], number: int, why: str) -> Kept:
    temporary, content = _raw_copy(where, number, why)
    return Kept(publish.publish(where, known, temporary, content), None, 0)


def _sound(where: Layout, point: Point | None, unfit: list[dict]) -> Point | None:
    """A point if it is what its manifest says, by every byte of it."""
    if point is None:
        return None
    try:
        reason = verify.fault(where, point)
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
    if reason is None:
        return point
    unfit.append({"name": point.name, "reason": reason})
    print(f"pra: {point.name} is no safety point: {reason}", file=sys.stderr)
    return None


def confirm(where: Layout, kept: Kept) -> Kept:
    """Bring a safety point up to the last write; needs the writer lock.

    Where the journal leads from the point to that write, the two together
    are the safety point; else a new one is made. A copy of a damaged database is made
    again where a byte differs: it can be written to, and nothing tells by what.
    """
    number = volumes.current(where)
    if number is None or (kept.raw and _same_raw(where, number, kept.point)):
        return kept
    if kept.point is None or kept.raw:
        return _again(where, kept)
    try:
        here, highest = place(where, number)
    except Damaged:
        return _again(where, kept)
    if here is None or kept.left is None:
        # No journal tells what was written since.
        return _again(where, kept)
    if Branch(here.timeline, here.seq, here.hash) == kept.left:
        return kept
    left = Branch(here.timeline, here.seq, here.hash)
    if _journal_leads(where, kept.point, left):
        return kept._replace(left=left, highest_id=highest)
    return _again(where, kept)


def _same_raw(where: Layout, number: int, point: Point) -> bool:
    """Whether a raw copy is still what is there, with the -wal that belongs to it."""
    source = f"{where.generation(number)}/app.db"
    digest = copying.sha256(source) if look.size(source) else sha256().hexdigest()
    wal = copying.sha256(f"{source}-wal") if look.size(f"{source}-wal") else None
    return (digest, wal) == (point.manifest["sha256"], point.wal)


def _again(where: Layout, kept: Kept) -> Kept:
    newer = keep(where, catalogue.scan(where))
    return newer._replace(unfit=(*kept.unfit, *newer.unfit))


def _journal_leads(where: Layout, point: Point, left: Branch) -> bool:
    timeline = timelines.read_if_sound(where, left.timeline)
    if timeline is None:
        return False
    reached = None
    try:
        for run in history.path_to(where, timeline).runs(targets.start_of(point)):
            reached = run.records[-1]
    except PraError:
        return False
    return reached is not None and (reached.seq, reached.hash.hex()) == (left.seq, left.hash)


def _kept(point: Point, place: dict | None, highest: int, unfit: list[dict]) -> Kept:
    left = Branch(place["timeline"], place["seq"], place["hash"]) if place else None
    return Kept(point, left, highest, tuple(unfit))


def place(where: Layout, number: int) -> tuple[schema.Position | None, int]:
    """Where the current database stands, if that is certain, and the highest id it gave out."""
    found = position.of(f"{where.generation(number)}/app.db", "looking at what a restore replaces")
    return found.proven, found.highest_id


def _same_moment(known: list[Point], here: schema.Position | None) -> Point | None:
    """The newest point that should hold exactly this moment."""
    for point in known:
        sound = point.status in ("verified", "safety") and point.manifest["position"]
        if sound and here and point.manifest["position"] == here.as_dict():
            return point
    return None


def _same_bytes(known: list[Point], content: dict) -> Point | None:
    """The newest safety point that should hold exactly these bytes."""
    for point in known:
        if point.status == "safety" and point.manifest["sha256"] == content["sha256"]:
            return point
    return None


def _raw_copy(where: Layout, number: int, why: str) -> tuple[str, dict]:
    source = f"{where.generation(number)}/app.db"
    path = f"{where.temporary}/snapshot.db"
    files.remove(path)
    wal_bytes = look.size(f"{source}-wal") or 0
    space.reserve(where, where.backup, (look.size(source) or 0) + wal_bytes)
    if look.size(source) is None:
        files.write_new(path, b"")
        digest = copying.sha256(path)
    else:
        digest = copying.copy(source, path)
    wal = _keep_wal(where, f"{source}-wal") if wal_bytes else None
    beside = " (-wal in .pra/raw)" if wal else ""
    return path, {
        "rows": None,
        "max_id": None,
        "position": None,
        "sha256": digest,
        "wal": wal,
        "bytes": look.size(path),
        "status": "safety",
        "reason": f"raw copy{beside} of what could not be read before a restore: {why}",
    }


def _keep_wal(where: Layout, source: str) -> str:
    """Keep the -wal of a damaged database too, named after its content; returns that hash."""
    unnamed = f"{where.temporary}/raw.db-wal"
    files.remove(unnamed)
    digest = copying.copy(source, unnamed)
    files.make_directory(where.raw)
    # Also where there is one of that name: it may have gone bad since.
    files.replace(unnamed, where.raw_wal(digest))
    files.fsync_directory(where.raw)
    files.fsync_directory(os.path.dirname(where.raw))
    return digest
