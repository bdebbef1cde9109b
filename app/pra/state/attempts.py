"""What became of restoring by itself, on the backup volume: for each loss it is tried once.

An attempt that failed fails again, so it is never repeated. One that was killed said
nothing, and is begun again, but not for ever: what kills it may be its own doing. So is
one that met a lock or a full volume. What a person has begun to restore stays theirs.
"""

import contextlib
from typing import NamedTuple

from pra.base import clock, sealing
from pra.base.errors import Damaged, PraError
from pra.base.layout import Layout
from pra.disk import files, look
from pra.lineage import timelines
from pra.lineage.timelines import Timeline

#: How often an attempt that was killed is begun, the first time included: as often as the
#: job of a restore that somebody asks for.
TIMES = 3
BEGUN, FAILED, LEFT = "begun", "failed", "left"
_KIND, _FORMAT = "pra-auto-restore", 1
_DOING = "looking at what became of restoring by itself"


class Attempt(NamedTuple):
    """One attempt.

    Attributes:
        lineage, timeline: the history that was the live one, which names the loss.
        state: BEGUN or FAILED; LEFT where a person began to restore instead.
        times: how often it was begun.
        at: when that was noted.
        what, next: why it failed, and the command that comes next; None until then.
    """

    lineage: str
    timeline: int
    state: str
    times: int
    at: str
    what: str | None = None
    next: str | None = None


def of(where: Layout, live: Timeline) -> Attempt | None:
    """The attempt that was made since that history is the live one; None without any.

    Raises:
        Damaged: what was noted cannot be read.
    """
    found = _read(where)
    mine = found and (found.lineage, found.timeline) == (live.lineage, live.number)
    return found if mine else None


def begin(where: Layout, live: Timeline) -> None:
    """Note that it begins, before anything else is done; needs the maintenance lock."""
    before = of(where, live)
    times = before.times + 1 if before else 1
    _write(where, Attempt(live.lineage, live.number, BEGUN, times, _now()))


def fail(where: Layout, live: Timeline, error: PraError) -> None:
    """Note that it failed, and why."""
    before = of(where, live)
    times = before.times if before else 1
    attempt = Attempt(live.lineage, live.number, FAILED, times, _now(), str(error), error.next_step)
    _write(where, attempt)


def leave(where: Layout, lost: bool) -> None:
    """Leave it to a person, who begins to restore what there is; needs the maintenance lock.

    What is unfinished on the data volume from here on is theirs, and no attempt's; and where
    that fails, nothing else than what they wanted comes back unasked. Best done: it is worth no
    restore where there is no room for it.

    Args:
        lost: there is no database.
    """
    # What is damaged stops each further attempt as well.
    with contextlib.suppress(Damaged, OSError):
        live = timelines.live(where)
        found = live and of(where, live)
        if live and lost and (found is None or found.state == BEGUN):
            times = found.times if found else 0
            _write(where, Attempt(live.lineage, live.number, LEFT, times, _now()))


def forget(where: Layout) -> None:
    """The database is back, or a backup was made of it; needs the maintenance lock.

    Best done: after a restore another history is the live one, so what is left says nothing,
    and the next backup does it again.
    """
    with contextlib.suppress(OSError):
        files.remove(where.auto_restore)


def _now() -> str:
    return clock.rfc3339(clock.now(), 3)


def _write(where: Layout, attempt: Attempt) -> None:
    content = {"kind": _KIND, "format": _FORMAT, **attempt._asdict()}
    files.write_replacing(where.auto_restore, sealing.seal(content))


def _read(where: Layout) -> Attempt | None:
    try:
        raw = look.read_small(where.auto_restore)
        content = None if raw is None else sealing.unseal(raw)
    except (look.NotRegular, ValueError):
        content = {}
    if content is None:
        return None
    if (content.get("kind"), content.get("format")) != (_KIND, _FORMAT):
        raise Damaged(
            _DOING,
            f"{where.auto_restore} is damaged, or of another version",
            "python -m pra restore latest, which needs it for nothing",
        )
    return Attempt(*(content.get(field) for field in Attempt._fields))
