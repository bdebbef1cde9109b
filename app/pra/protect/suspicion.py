"""Whether a snapshot looks like an accident: how much of earlier points it lost or overwrote.

It is compared row by row with the newest verified point of the database's own past, and with
the oldest of the last few, so that a loss in many small steps is seen too. Points say that in
every mode of the journal, and each row counts once however often it was changed.
"""

import apsw

from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.journal import history
from pra.journal.history import Path
from pra.lineage import timelines
from pra.pitr import targets
from pra.points.catalogue import Point
from pra.sql import connect, guards


def reason(
    settings: Settings, where: Layout, known: list[Point], path: str, content: dict
) -> str | None:
    """Why a snapshot is not to be trusted; None if nothing speaks against it.

    Args:
        known: the points that there are, newest first.
        path: the snapshot.
        content: what its manifest will say.
    """
    here = content["position"]
    if here is None:
        return guards.UNGUARDED
    earlier = _window(settings, where, known, here)
    if not earlier:
        return _judged(settings, "the beginning", here["start_rows"], content, None)
    # The newest and the oldest: two comparisons find what happened at once and step by step.
    for point in {one.name: one for one in (earlier[0], earlier[-1])}.values():
        before = point.manifest
        found = _compared(where.point(point.name), path)
        said = _judged(settings, point.name, before["rows"], content, found)
        if said:
            return said
    return None


def since(where: Layout, known: list[Point], content: dict) -> int:
    """The transaction at which the suspicion began that a snapshot shares with those before it."""
    path = _path(where, content["position"])
    for point in targets.bases(path, known, None) if path else ():
        if not isinstance(point, Point) or point.status == "verified":
            break
        if point.status == "quarantined":
            return point.manifest.get("suspect_since", point.manifest["position"]["seq"])
    return content["position"]["seq"]


def _window(settings: Settings, where: Layout, known: list[Point], here: dict) -> list[Point]:
    """The last verified points of the database's own past, the newest first.

    Its past, and not all there is: a restore to an older, smaller state is wanted and must not
    look like a loss, but one that replays a loss does not make it good. Somebody took the
    point that was accepted as it was, so nothing before it counts any more.
    """
    path, found = _path(where, here), []
    for base in targets.bases(path, known, None) if path else ():
        if isinstance(base, Point) and base.status == "verified":
            found.append(base)
            if base.manifest.get("accepted") or len(found) == settings.suspect_backups:
                break
    return found


def _path(where: Layout, here: dict) -> Path | None:
    timeline = timelines.read(where, here["timeline"])
    return history.path_to(where, timeline) if timeline else None


def _compared(before: str, now: str) -> tuple[int, int] | None:
    """How many of an earlier point's rows are gone, and how many overwritten; None: unreadable."""
    conn = connect.open_resting(now)
    try:
        conn.execute("ATTACH ? AS before", (connect.resting(before),))
        rows, kept, same = conn.execute(
            "SELECT count(*), count(n.id), total(n.ts IS b.ts AND n.message IS b.message)"
            " FROM before.events b LEFT JOIN main.events n ON n.id = b.id"
        ).fetchone()
        return rows - kept, kept - int(same)
    except apsw.Error:
        return None
    finally:
        conn.close()


def _judged(
    settings: Settings, name: str, rows: int, content: dict, found: tuple[int, int] | None
) -> str | None:
    """What is too much; where the rows cannot be compared, the counts alone speak."""
    if rows and content["rows"] == 0:
        return f"the database became empty; it had {rows} rows"
    lost, changed = found or (max(0, rows - content["rows"]), 0)
    gone = lost + changed
    too_many = gone >= settings.suspect_rows and gone * 100 >= rows * settings.suspect_percent
    if not settings.suspect_percent or not too_many:
        return None
    overwritten = f" and {changed} were overwritten" if changed else ""
    return f"of the {rows} rows of {name}, {lost} are gone{overwritten}"
