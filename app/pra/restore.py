"""Bringing a point back: check, build aside, save what is there, swap.

Killed at any instant the database is the old one or the new one, whole: the
swap is one rename of a link, and all before it happens aside.
"""

import sys
import time
import uuid
from dataclasses import dataclass

from pra import backup, fileops, generations, locks, points, verify, volumes
from pra.errors import Damaged, DiskFull, PraError, Refused
from pra.layout import Layout
from pra.points import Point
from pra.settings import Settings

#: Space that a restore leaves free on the data volume, in bytes.
HEADROOM = 4 << 20


@dataclass
class _Timer:
    """Seconds spent in each phase."""

    began: float
    phases: dict[str, float]

    def lap(self, phase: str) -> None:
        spent = time.monotonic() - self.began - sum(self.phases.values())
        self.phases[phase] = self.phases.get(phase, 0.0) + spent

    def report(self) -> dict[str, float]:
        total = time.monotonic() - self.began
        return {**{k: round(v, 4) for k, v in self.phases.items()}, "total": round(total, 4)}


def run(settings: Settings, name: str, force: bool = False) -> dict:
    """Restore a point, or the latest that verifies.

    Args:
        name: of a point, or "latest".
        force: restore a quarantined, damaged or unverifiable point too.

    Returns:
        {"status": "restored", "point", "rows", "max_id", "safety_point",
        "generation", "seconds", "skipped"}.

    Raises:
        PraError: nothing was changed.
    """
    where = Layout(settings.data_dir, settings.backup_dir)
    doing = f"restoring {name}"
    volumes.prepare_backup_volume(where)
    with locks.maintenance(where, doing):
        backup.sweep(where)
        timer = _Timer(time.monotonic(), {})
        known = points.scan(where)
        number = volumes.next_number(where)
        point, skipped = _build_first_sound(where, known, name, number, force, timer)
        result = _swap(where, known, point, number, timer)
        return {**result, "skipped": skipped, "seconds": timer.report()}


def _build_first_sound(
    where: Layout, known: list[Point], name: str, number: int, force: bool, timer: _Timer
) -> tuple[Point, list[dict]]:
    """Copy the first wanted point that verifies into the folder of generation ``number``."""
    wanted = _candidates(known, name)
    skipped = []
    for point in wanted:
        try:
            _refuse_unfit(where, point, force)
            _copy_verified(where, point, number, force, timer)
            return point, skipped
        except (Damaged, Refused) as error:
            if name != "latest":
                raise
            skipped.append({"name": point.name, "reason": error.happened})
            print(f"pra: {point.name} is skipped: {error.happened}", file=sys.stderr)
    reasons = "; ".join(f"{entry['name']}: {entry['reason']}" for entry in skipped)
    raise Refused(
        f"restoring {name}",
        f"no verified point is fit for it{': ' + reasons if reasons else ''}",
        "python -m pra points lists what there is; restore one by name",
    )


def _candidates(known: list[Point], name: str) -> list[Point]:
    if name == "latest":
        return [point for point in known if point.status == "verified"]
    return [points.find(known, name)]


def _refuse_unfit(where: Layout, point: Point, force: bool) -> None:
    doing = f"restoring {point.name}"
    if point.status in ("quarantined", "damaged") and not force:
        raise Refused(
            doing,
            f"it is {point.status}: {point.reason}",
            "choose another point, or add --force to restore it all the same",
        )
    needed = point.bytes + HEADROOM
    free = fileops.free_bytes(where.data)
    if free < needed:
        raise DiskFull(
            doing, f"it needs {needed} bytes on the data volume, {free} are free", "free space"
        )


def _copy_verified(where: Layout, point: Point, number: int, force: bool, timer: _Timer) -> None:
    """Copy and check in one pass, read back in a second.

    Integrity was proven when the point was made; equal hashes carry it over.
    A point without a manifest has no such proof and is checked page by page.
    """
    doing = f"restoring {point.name}"
    path = generations.folder(where, number)
    digest = fileops.copy(where.point(point.name), path)
    timer.lap("build")
    known = point.manifest
    if known and digest != known["sha256"] and not force:
        raise Damaged(doing, "the file's SHA-256 is not the manifest's", "choose another point")
    if fileops.sha256(path) != digest:
        raise Damaged(doing, "the copy reads back differently", "check the data volume")
    reason = None if known and digest == known["sha256"] else verify.content_fault(path, None)
    if reason:
        raise Damaged(doing, reason, "choose another point")
    timer.lap("verify")


def _swap(where: Layout, known: list[Point], point: Point, number: int, timer: _Timer) -> dict:
    """Save what is there, open the timeline and make the built generation the current one."""
    doing = f"restoring {point.name}"
    mark = volumes.mark_of(where.backup) or volumes.write_mark(where.backup, _lineage(point))
    with locks.writer(where, doing, seconds=locks.MAINTENANCE_WAIT):
        safety = _safety_point(where, known)
        past = [safety.manifest] if safety and safety.manifest else []
        past += [p.manifest for p in known if p.manifest]
        places = [content["position"] for content in past if content["position"]]
        built = generations.finish(
            f"{where.generation(number)}/app.db",
            mark.lineage,
            number,
            seq=max((place["seq"] for place in places), default=0),
            highest_id=max((content.get("highest_issued") or 0 for content in past), default=0),
        )
        timer.lap("build")
        volumes.register_timeline(
            where,
            number,
            {
                "parent": (point.manifest or {}).get("position"),
                "point": point.name,
                "safety": safety.name if safety else None,
            },
        )
        if volumes.mark_of(where.data) is None:
            volumes.write_mark(where.data, mark.lineage)
        volumes.switch(where, number)
    volumes.drop_other_generations(where)
    timer.lap("swap")
    return {
        "status": "restored",
        "point": point.name,
        "rows": built.rows,
        "max_id": built.max_id,
        "safety_point": safety.name if safety else None,
        "generation": number,
    }


def _lineage(point: Point) -> str:
    place = (point.manifest or {}).get("position")
    return place["lineage"] if place else uuid.uuid4().hex


def _safety_point(where: Layout, known: list[Point]) -> Point | None:
    """Keep what the data volume holds now; None if it holds no database.

    A database that can no longer be copied as such is kept byte by byte.
    """
    number = volumes.current(where)
    if number is None:
        return None
    try:
        temporary, content = backup.snapshot(where)
        same = _same_moment(known, content)
        if same:
            fileops.remove(temporary)
            return same
        content["reason"] = "what was there before a restore"
    except (PraError, OSError) as error:
        if isinstance(error, DiskFull):
            raise
        temporary, content = _raw_copy(where, number, str(error))
    content["status"] = "safety"
    return backup.publish(where, known, temporary, content)


def _same_moment(known: list[Point], content: dict) -> Point | None:
    """A point that already holds exactly this moment."""
    for point in known:
        sound = point.status in ("verified", "safety") and point.manifest["position"]
        if sound and point.manifest["position"] == content["position"]:
            return point
    return None


def _raw_copy(where: Layout, number: int, why: str) -> tuple[str, dict]:
    source = f"{where.generation(number)}/app.db"
    path = f"{where.temporary}/snapshot.db"
    fileops.remove(path)
    digest = fileops.copy(source, path)
    return path, {
        "rows": None,
        "max_id": None,
        "position": None,
        "sha256": digest,
        "bytes": fileops.size(path),
        "reason": f"raw copy of what could not be read before a restore ({why})",
    }
