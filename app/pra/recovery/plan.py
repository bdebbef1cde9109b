"""What a restore would do: rows gained, lost and changed, and how long it takes."""

from collections.abc import Iterator

import apsw

from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import files, locks, look
from pra.journal import history
from pra.lineage import in_use, timelines
from pra.lineage.timelines import Branch
from pra.points import catalogue, publish
from pra.recovery import build, safety, warnings
from pra.recovery.built import BuiltDatabase, Timer
from pra.recovery.restore import Choice
from pra.recovery.warnings import Found
from pra.sql import connect, schema
from pra.state import requests, volumes

_DOING = "planning a restore"
_ROWS = "SELECT id, ts, message FROM events ORDER BY id"


def run(settings: Settings, choose: Choice, force: bool = False) -> dict:
    """Build what a restore would build, compare it with what is there, and remove it.

    Returns:
        {"status": "planned", "goal", "point", "replayed", "rows", "gained", "lost",
        "changed", "unreadable", "left_behind", "bytes", "incomplete", "tail",
        "skipped", "warnings", "seconds"};
        "gained", "lost" and "changed" are None where the current database cannot be read,
        and "unreadable" says why;
        "left_behind" is {"first_seq", "last_seq", "transactions"} or None: the
        writes on the current timeline that the restored database would lack.

    Raises:
        PraError: the restore would fail the same way, or first end the work of another.
    """
    where = settings.layout
    volumes.prepare_locks(where)
    with locks.maintenance(where, _DOING):
        publish.sweep(where)
        requests.refuse_unfinished(where, _DOING)
        volumes.drop_unfinished(where)
        known = catalogue.scan(where)
        goal = choose(where, known)
        number = volumes.next_number(where)
        timer = Timer()
        try:
            built = build.build(where, known, goal, number, force, timer)
            report = _compare(where, built)
            said = warnings.of(where, settings.journal, goal, built, _found(where, report))
            said += _elsewhere(settings, where)
        finally:
            files.remove_tree(where.building(number))
        return {
            "status": "planned",
            "goal": goal.label,
            "point": built.base,
            "replayed": built.replayed,
            **report,
            "left_behind": _left_behind(where, built),
            "incomplete": built.short,
            "tail": built.tail,
            "skipped": built.skipped,
            "warnings": said,
            "seconds": timer.report()["total"],
        }


def _elsewhere(settings: Settings, where: Layout) -> list[str]:
    """That a restore would be refused for now, where a plan disturbs nobody."""
    reason = None if settings.restore_take_over else in_use.reason(where)
    return [f"{reason}: a restore here is refused without --take-over"] if reason else []


def _compare(where: Layout, built: BuiltDatabase) -> dict:
    with connect.errors("looking at the planned database"):
        planned = connect.open_resting(built.path)
        try:
            rows = schema.totals(planned)[0]
            try:
                found, unreadable = _against_current(where, planned), None
            except Damaged as error:
                found, unreadable = (None, None, None), error.happened
        finally:
            planned.close()
    gained, lost, changed = found
    return {
        "rows": rows,
        "gained": gained,
        "lost": lost,
        "changed": changed,
        "unreadable": unreadable,
        "bytes": look.size(built.path),
    }


def _against_current(where: Layout, planned: apsw.Connection) -> tuple[int, int, int]:
    """As ``_difference``, against the current database, or against none.

    Raises:
        Damaged: that cannot be read.
    """
    number = volumes.current(where)
    path = f"{where.generation(number)}/app.db" if number is not None else None
    if path is None or not (look.size(path) or connect.emptied(path)):
        return _difference(planned.execute(_ROWS), iter(()))
    with connect.errors("comparing with the current database"):
        # What went bad, or was written by others, is what a plan is asked for.
        current = connect.open_unchecked(path)
        try:
            current.execute("BEGIN")
            return _difference(planned.execute(_ROWS), current.execute(_ROWS))
        finally:
            current.close(True)


def _difference(planned: Iterator, current: Iterator) -> tuple[int, int, int]:
    """Rows only in the plan, only in the present, and different, by id; both come in its order."""
    gained = lost = changed = 0
    new, old = next(planned, None), next(current, None)
    while new or old:
        if old is None or (new and new[0] < old[0]):
            gained, new = gained + 1, next(planned, None)
        elif new is None or old[0] < new[0]:
            lost, old = lost + 1, next(current, None)
        else:
            changed += new != old
            new, old = next(planned, None), next(current, None)
    return gained, lost, changed


def _left_behind(where: Layout, built: BuiltDatabase) -> dict | None:
    """The current timeline's transactions that are not part of the planned one's past."""
    live = timelines.live(where)
    if live is None:
        return None
    return warnings.left_out(where, history.path_to(where, live), built, None)


def _found(where: Layout, report: dict) -> Found:
    unreadable = report["unreadable"] is not None
    return Found(_stood(where), raw=unreadable, live=warnings.live_path(where))


def _stood(where: Layout) -> Branch | None:
    """Where the database stands, if that is certain."""
    number = volumes.current(where)
    if number is None or not look.size(f"{where.generation(number)}/app.db"):
        return None
    try:
        here, _ = safety.place(where, number)
    except Damaged:
        return None
    return Branch(here.timeline, here.seq, here.hash) if here else None
