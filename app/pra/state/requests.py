"""A restore is carried out once for each request, however often it is tried.

A job's pod is started again where nobody knows how the last one ended: killed right
after the swap it would undo an undo, or drop what users wrote since. The request's
name and the answer to it are therefore part of the record of the timeline that it
opened: whoever comes again with that name hears the first answer.
"""

from pra.base.errors import Damaged, Refused, UsageError
from pra.base.layout import Layout
from pra.disk import locks
from pra.lineage import timelines
from pra.lineage.timelines import Request
from pra.state import identity, volumes

_DOING = "restoring"


def finish(where: Layout) -> None:
    """End the work of a restore that died right after its swap; needs the maintenance lock.

    The database stands on its timeline already: without the mark an undo would take
    the restore before for the last one. Where the history went on elsewhere meanwhile,
    that is left as it is.
    """
    number = volumes.current(where)
    if number is None or not _waits_for_its_mark(where, number):
        return
    with locks.writer(where, _DOING, seconds=locks.MAINTENANCE_WAIT):
        if identity.completes(where, timelines.read(where, number)):
            timelines.activate(where, number)


def refuse_unfinished(where: Layout, doing: str) -> None:
    """Refuse to say what a restore would do that first ended the work of another.

    Who only looks makes no timeline the live one.

    Raises:
        Refused
    """
    number = volumes.current(where)
    if number is None or not _waits_for_its_mark(where, number):
        return
    if identity.completes(where, timelines.read(where, number)):
        raise Refused(
            doing,
            f"the restore that made generation {number} was killed right after its swap, and"
            " nothing notes yet that what it made is the live history",
            "python -m pra backup notes it, as a start of the servers does; then plan again",
        )


def _waits_for_its_mark(where: Layout, number: int) -> bool:
    try:
        found = timelines.read(where, number)
    except Damaged:
        return False
    # The very first one has no restore before it: its first write makes the mark.
    return found is not None and not found.empty and not found.active


def answered(where: Layout, name: str | None, target: str) -> dict | None:
    """The answer to a request that was carried out before; needs the maintenance lock.

    Args:
        name: the request's; None for one that is never tried again.
        target: what it asks for.

    Returns:
        The first answer with "already": True; None where it is still to be done.

    Raises:
        UsageError: the name was given to another request.
        Refused: what it brought back was lost since.
    """
    done = _carried_out(where, name) if name else None
    if done is None:
        return None
    if done.target != target:
        raise UsageError(
            _DOING,
            f"PRA_REQUEST is {name}, which has asked for {done.target} before, not for {target}",
            "give each request a name of its own, or unset PRA_REQUEST",
        )
    if volumes.current(where) is None:
        raise Refused(
            _DOING,
            f"this request was carried out before ({name}), and the database was lost since",
            "ask anew: python -m pra restore latest",
        )
    return {**done.answer, "already": True}


def _carried_out(where: Layout, name: str) -> Request | None:
    for number in reversed(timelines.numbers(where)):
        try:
            found = timelines.read(where, number)
        except Damaged:
            # What it was about is not known; a point must be restorable all the same.
            continue
        if found and found.active and found.request and found.request.name == name:
            return found.request
    return None
