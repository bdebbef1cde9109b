"""Which points and which part of the journal lead to the latest moment."""

from collections.abc import Iterable

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import look
from pra.journal import places, segments
from pra.journal.history import Path, Start
from pra.journal.segments import Segment
from pra.pitr import targets
from pra.points.catalogue import Point


def to_now(
    where: Layout, path: Path, known: list[Point], every: list[Segment]
) -> tuple[list[str], list[Segment]]:
    """What the latest moment needs: names of points, and the journal that leads on from them.

    Two bases are needed, since one may turn out bad; without two, everything from the beginning.
    Where points are suspect, that would be all of the journal since the last good ones, until
    somebody says that the loss was wanted, and writes would be refused once the volume is full:
    two suspect points take the place of that part once it is larger than both.
    """
    usable, good = _newest(where, path, known)
    if not good:
        return [], every
    whole = leading_on(path, _start(good[-1]), every, None)
    suspect = [base for base in usable if base not in good]
    names = [base.name for base in good if isinstance(base, Point)]
    if not suspect:
        return names, whole
    to_loss = _up_to_suspicion(path, _start(good[-1]), known, every)
    since = sum(look.size(one.path) or 0 for one in whole if one not in to_loss)
    if since <= 2 * suspect[0].bytes and not _broken(path, _start(good[-1]), to_loss, whole):
        # The newest suspect one stays: it records since when there is a suspicion.
        return [*names, suspect[0].name], whole
    short = [*to_loss, *leading_on(path, _start(usable[-1]), every, None)]
    return [*names, *(base.name for base in suspect)], short


def _newest(
    where: Layout, path: Path, known: list[Point]
) -> tuple[list[Point | Start], list[Point | Start]]:
    """The two newest bases that the latest moment can be built from, and the two newest good ones.

    Points, or the beginning. What the journal contradicts is none, nor what is suspect without
    its word. It is read for each, so none is looked at that is not needed.
    """
    usable, good = [], []
    for base in targets.bases(path, known, None):
        suspect = isinstance(base, Point) and base.status == "quarantined"
        if (suspect and len(usable) >= 2) or not _fit(where, base):
            continue
        usable.append(base)
        if not suspect:
            good.append(base)
        if len(good) == 2:
            break
    return usable[:2], good


def _fit(where: Layout, base: Point | Start) -> bool:
    if isinstance(base, Start):
        return True
    if base.status == "quarantined":
        # A journal that holds it does not contradict it.
        return targets.in_journal(where, base)
    return base.status == "verified" and not places.contradiction(where, _start(base))


def _start(base: Point | Start) -> Start:
    return base if isinstance(base, Start) else targets.start_of(base)


def _broken(path: Path, second: Start, to_loss: list[Segment], whole: list[Segment]) -> bool:
    """Whether what follows the way to the loss is gone already, or was never journaled.

    The oldest of it goes first.
    """
    following = whole[len(to_loss) : len(to_loss) + 1]
    if not following:
        return False
    if not to_loss:
        return (
            following[0].timeline == second.timeline and following[0].first > second.place.seq + 1
        )
    try:
        _, scan = segments.read(to_loss[-1])
    except Damaged:
        return True
    scan.read()
    if following[0].timeline == to_loss[-1].timeline:
        return scan.state.seq + 1 < following[0].first
    limits = {one.number: path.limit(at) for at, one in enumerate(path.line)}
    return scan.state.seq < limits[to_loss[-1].timeline].seq


def _up_to_suspicion(
    path: Path, second: Start, known: list[Point], every: list[Segment]
) -> list[Segment]:
    """What leads from the second-newest good point to the first suspect one after it.

    In between is what somebody may want to take back, to the very transaction.
    """
    suspect = [
        point.manifest.get("suspect_since", start.place.seq)
        for point in known
        if point.status == "quarantined" and (start := targets.start_of(point))
        if start.place.seq > second.place.seq and path.index_of(start) is not None
    ]
    return leading_on(path, second, every, min(suspect, default=None))


def leading_on(
    path: Path, start: Start, every: Iterable[Segment], until: int | None
) -> list[Segment]:
    """The segments of a path that hold anything after ``start`` (up to ``until``)."""
    index = path.index_of(start)
    if index is None:
        return []
    found = []
    for at in range(index, len(path.line)):
        limit = path.limit(at)
        last = until if limit is None else limit.seq
        own = [segment for segment in every if segment.timeline == path.line[at].number]
        for position, segment in enumerate(own):
            following = own[position + 1] if position + 1 < len(own) else None
            ends_before = at == index and following and following.first <= start.place.seq
            begins_after = last is not None and segment.first > last
            if not ends_before and not begins_after:
                found.append(segment)
    return found
