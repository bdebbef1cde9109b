"""Removing what is not kept, once the points that it relies on read back as sound."""

import sys

from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import copying, files, locks, look
from pra.journal import segments
from pra.journal.segments import Segment
from pra.pitr import targets
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.protect import keep
from pra.state import identity

_CHANGED = "the file does not read back as what was written"


def run(settings: Settings, dry_run: bool) -> dict:
    """Remove what is not kept.

    Returns:
        {"removed": [point names], "segments": count, "bytes": freed, "dry_run": bool}
    """
    where = settings.layout
    with locks.maintenance(where, "removing old points"):
        return apply(settings, where, dry_run)


def apply(
    settings: Settings,
    where: Layout,
    dry_run: bool = False,
    needed: keep.Keep | None = None,
    made: Point | None = None,
) -> dict:
    """As ``run``, for one who holds the maintenance lock.

    Args:
        needed: what else has to stay.
        made: a point that was read just now, when it was made.
    """
    known = _read_again(where, catalogue.scan(where), made)
    # What is thought to be of no use depends on which history is the live one.
    identity.refuse_unknown(where, "removing old points", known)
    foreign, unrecorded = set(segments.foreign(where)), identity.unrecorded(where, known)
    every = [
        segment
        for segment in segments.listing(where)
        if segment not in foreign and segment.timeline not in unrecorded
    ]
    decision = keep.decide(settings, where, known, every, needed)
    removed = [
        point
        for point in known
        if point.name not in decision.points and _timeline_of(point) not in unrecorded
    ]
    dropped = [segment for segment in every if segment.path not in decision.segments]
    freed = sum(keep.bytes_of(where, point) for point in removed)
    freed += sum(look.size(segment.path) or 0 for segment in dropped)
    if not dry_run:
        _remove(where, removed, dropped)
        _drop_raw(where, [point for point in known if point.name in decision.points])
    return {
        "removed": [point.name for point in removed],
        "segments": len(dropped),
        "bytes": freed,
        "dry_run": dry_run,
    }


def _read_again(where: Layout, known: list[Point], made: Point | None) -> list[Point]:
    """The points, those that turn out bad as damaged ones, until two verified ones are sound.

    Older points and journal go because these are there, and a manifest alone does not tell
    that: one more hash in each backup, which reads the point that was made before.
    """
    found, sound = [], 0
    for point in known:
        if point.status != "verified" or sound == 2:
            found.append(point)
        elif (made and point.name == made.name) or _reads_back(where, point):
            found.append(point)
            sound += 1
        else:
            found.append(point._replace(status="damaged", reason=_CHANGED))
            _say_changed(point)
    return found


def _say_changed(point: Point) -> None:
    print(
        f"pra: {point.name}: {_CHANGED}; nothing goes on its word\nnext: python -m pra verify",
        file=sys.stderr,
    )


def _reads_back(where: Layout, point: Point) -> bool:
    try:
        return copying.sha256(where.point(point.name)) == point.manifest["sha256"]
    except OSError:
        return False


def _timeline_of(point: Point) -> int | None:
    start = targets.start_of(point)
    return start.timeline if start else None


def _drop_raw(where: Layout, kept: list[Point]) -> None:
    """Remove each -wal that no kept point needs, also after a restore that was interrupted."""
    needed = {where.raw_wal(point.wal) for point in kept if point.wal}
    stale = {f"{where.raw}/{name}" for name in look.names(where.raw)} - needed
    for path in sorted(stale):
        files.remove(path)
    if stale:
        files.fsync_directory(where.raw)


def _remove(where: Layout, removed: list[Point], dropped: list[Segment]) -> None:
    if removed:
        catalogue.remove(where, [point.name for point in removed])
    for segment in dropped:
        files.remove(segment.path)
    if dropped:
        files.fsync_directory(where.journal)
