"""What to keep: grandfather-father-son rotation within a size, and what is never removed.

Never removed: foreign files, which are not counted either, the two newest verified points,
the journal that leads from the older of them to now, or else to the first suspect point
after it and from the second-newest suspect point to now, those two points, the safety
point that undo needs, safety points younger than their keep time. Age is steady time: a
clock that jumps removes nothing. What of the journal was not copied elsewhere yet, where it
is to be, goes only for want of room.
"""

from collections.abc import Callable

from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import look
from pra.journal import history, segments
from pra.journal.history import Path, Start
from pra.journal.segments import Segment
from pra.lineage import timelines
from pra.pitr import paths, targets
from pra.points import elapsed
from pra.points.catalogue import Point
from pra.state import copied

HOUR, DAY, WEEK = 3600, 86_400, 604_800


class Keep:
    """A decision about everything on the backup volume.

    Attributes:
        points: kept points by name, each with its rank (higher: removed later; None: never).
        segments: kept segments by path, likewise.
    """

    def __init__(self):
        self.points: dict[str, int | None] = {}
        self.segments: dict[str, int | None] = {}


def way(
    where: Layout,
    names: list[str | None],
    path: Path | None,
    start: Start | None,
    end: Start | None,
) -> Keep:
    """The points of these names, and what of the journal leads from ``start`` to ``end``."""
    keep = Keep()
    keep.points = dict.fromkeys(filter(None, names))
    if path and start and end:
        for segment in paths.leading_on(path, start, segments.listing(where), end.place.seq):
            keep.segments[segment.path] = None
    return keep


def decide(
    settings: Settings,
    where: Layout,
    known: list[Point],
    every: list[Segment],
    needed: Keep | None = None,
) -> Keep:
    """Choose what to keep.

    Args:
        known: all points, newest first.
        every: all segments.
        needed: what has to stay, whatever the rules say.
    """
    keep = Keep()
    _keep_verified(settings, keep, [p for p in known if p.status == "verified"])
    _keep_others(settings, where, keep, known)
    _keep_journal(settings, where, keep, known, every)
    if settings.offsite:
        _keep_uncopied(where, keep, every)
    if needed:
        keep.points.update(needed.points)
        keep.segments.update(needed.segments)
    sizes = {point.name: bytes_of(where, point) for point in known if point.status != "foreign"}
    _fit(settings.keep_mib << 20, keep, sizes, every)
    return keep


def _keep_verified(settings: Settings, keep: Keep, verified: list[Point]) -> None:
    """Rank 1 the last ones, 2 hourly, 3 daily, 4 weekly; the two newest never go."""
    for rank, period, count in (
        (4, WEEK, settings.keep_weeks),
        (3, DAY, settings.keep_days),
        (2, HOUR, settings.keep_hours),
    ):
        for point in _newest_per(verified, period, count):
            keep.points.setdefault(point.name, rank)
    for point in verified[: settings.keep_last]:
        keep.points.setdefault(point.name, 1)
    for point in verified[:2]:
        keep.points[point.name] = None


def _newest_per(verified: list[Point], period: int, count: int) -> list[Point]:
    """The newest point of each of the last ``count`` periods that have any."""
    chosen: dict[int, Point] = {}
    for point in verified:
        chosen.setdefault(elapsed.of(point) // period, point)
    return [chosen[key] for key in sorted(chosen, reverse=True)[:count]]


def _keep_others(settings: Settings, where: Layout, keep: Keep, known: list[Point]) -> None:
    undoing = _points_of_restores(settings, where, known)
    since = elapsed.now(known) - settings.keep_safety_hours * HOUR
    suspects = 0
    for point in known:
        if point.status == "foreign" or point.name in undoing:
            keep.points[point.name] = None
        elif point.status == "safety":
            if elapsed.of(point) > since:
                keep.points[point.name] = None
        elif point.status in ("quarantined", "damaged"):
            suspects += 1
            if suspects <= settings.keep_quarantined:
                keep.points[point.name] = 0


def _points_of_restores(settings: Settings, where: Layout, known: list[Point]) -> set[str | None]:
    """What the last restore and those within the keep time replaced, and what they were made of.

    A point that held the same moment already stands for a safety point of its own.
    """
    found: set[str | None] = set()
    since = elapsed.now(known) - settings.keep_safety_hours * HOUR
    for timeline in timelines.readable(where):
        if found and timeline.steady <= since:
            break
        if timeline.active:
            found |= {timeline.safety, timeline.point, *timeline.also_kept}
    return found


def _keep_journal(
    settings: Settings, where: Layout, keep: Keep, known: list[Point], every: list[Segment]
) -> None:
    """Never drop what leads from the second-newest point on; the rest may go."""
    path = history.live_path(where)
    if path is None:
        return
    bases = _bases(path, known)
    # Any moment since the oldest of the last points: not all of the hours and weeks.
    for name, start in bases[: settings.keep_last]:
        if name in keep.points:
            for segment in paths.leading_on(path, start, every, None):
                keep.segments.setdefault(segment.path, 0)
    live = path.line[-1]
    young = elapsed.now(known) - live.steady < settings.keep_safety_hours * HOUR
    if not live.empty and young:
        # Soon after a restore another moment of the abandoned future may be wanted.
        for segment in every:
            keep.segments.setdefault(segment.path, 0)
    names, needed = paths.to_now(where, path, known, every)
    keep.points.update(dict.fromkeys(names))
    for segment in needed:
        keep.segments[segment.path] = None
    for segment in _undo_segments(where, path.line[-1], known, every):
        keep.segments[segment.path] = None


def _keep_uncopied(where: Layout, keep: Keep, every: list[Segment]) -> None:
    """Keep what is not copied elsewhere yet, as long as there is room.

    Where nothing was ever copied, nothing elsewhere is to be continued.
    """
    found = copied.read(where)
    if found is None or found.reached is None:
        return
    timeline, last = found.reached
    for position, segment in enumerate(every):
        following = every[position + 1 : position + 2]
        ends = following[0].first - 1 if following and following[0].timeline == timeline else None
        covered = segment.timeline == timeline and ends is not None and ends <= last
        if segment.timeline >= timeline and not covered:
            keep.segments.setdefault(segment.path, 0)


def _bases(path: Path, known: list[Point]) -> list[tuple[str | None, Start]]:
    """Verified points on the path, the newest first; then its empty beginning."""
    found = []
    for base in targets.bases(path, known, None):
        if isinstance(base, Start):
            found.append((None, base))
        elif base.status == "verified":
            found.append((base.name, targets.start_of(base)))
    return found


def _undo_segments(where: Layout, live, known: list[Point], every: list[Segment]):
    """What leads from the safety point of the last restore to what it replaced."""
    safety = next((point for point in known if point.name == live.safety), None)
    start = targets.start_of(safety) if safety else None
    if start is None or live.left is None or start.place.seq == live.left.seq:
        return []
    abandoned = timelines.read_if_sound(where, live.left.timeline)
    if abandoned is None:
        # Its record is lost: what belongs to it is unknown, so ``apply`` keeps all of it.
        return []
    path = history.path_to(where, abandoned)
    return paths.leading_on(path, start, every, live.left.seq)


def _fit(limit: int, keep: Keep, sizes: dict[str, int], every: list[Segment]) -> None:
    """Drop the lowest rank first, and of one rank the oldest, until the rest fits.

    Args:
        sizes: bytes of each point by name, the newest first.
    """
    journal = {segment.path: look.size(segment.path) or 0 for segment in every}
    total = sum(size for name, size in sizes.items() if name in keep.points)
    total += sum(journal[path] for path in keep.segments)
    queue: list[tuple[int, Callable[[], int]]] = []
    for name in reversed(sizes):
        rank = keep.points.get(name)
        if rank is not None:
            queue.append((rank, lambda name=name: _drop(keep.points, name, sizes)))
    for segment in every:
        rank = keep.segments.get(segment.path)
        if rank is not None:
            queue.append((rank, lambda path=segment.path: _drop(keep.segments, path, journal)))
    for _, release in sorted(queue, key=lambda entry: entry[0]):
        if total <= limit:
            return
        total -= release()


def _drop(kept: dict, name: str, sizes: dict[str, int]) -> int:
    del kept[name]
    return sizes[name]


def bytes_of(where: Layout, point: Point) -> int:
    """What a point fills, with the -wal that a raw copy has."""
    wal = look.size(where.raw_wal(point.wal)) if point.wal else None
    return point.bytes + (wal or 0)
