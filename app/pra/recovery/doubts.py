"""What keeps a lost data volume from being filled by itself: whatever is doubtful is a person's.

A wrong guess must cost nothing. So every acknowledged write has to be in the journal: then
also where the volume was not lost at all, and comes back, none is missing in what was
restored, and what is on the old one is refused as a history that was left. Beside that
all that a person would look at first has to be as it should.

What stands against it before the database is lost is said by then: most doubts are about what
the backup volume holds, and not about the empty volume.
"""

from collections.abc import Callable
from typing import NamedTuple

from pra.base.errors import DiskFull, PraError, Refused
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.journal import segments
from pra.lineage import marks
from pra.lineage.timelines import Timeline
from pra.points import catalogue
from pra.points.catalogue import Point, Points
from pra.protect import notices
from pra.protect.notices import Notice
from pra.recovery import lost_volume
from pra.recovery.loss import DOING, LOOK, Loss, told
from pra.state import attempts, identity, mode, volumes

#: How long a pod may take to end, in seconds (k8s/20-deployment.yaml): that one goes on serving the
#: old volume so long is no reason to leave the restart of all to a person.
GRACE = 10.0


class _Doubt(NamedTuple):
    """One of them.

    Attributes:
        refuse: raises a PraError where there is it.
        now: what to do about it while the database is there; None: the same as after the loss.
        of_the_loss: it is about what the loss left, so that before there is nothing to say.
    """

    refuse: Callable[[Loss], None]
    now: str | None = None
    of_the_loss: bool = False


def refuse(
    settings: Settings, known: Points, patience: float = 0.0, free: int | None = None
) -> Timeline:
    """Refuse where anything is doubtful; returns the history that is the live one.

    Changes nothing, and is asked again under the maintenance lock before anything is.

    Args:
        known: the points that there are, newest first.
        patience: how long to wait for those who serve the database elsewhere, in seconds.
        free: what can be added to the backup volume, in bytes, where somebody has looked.

    Raises:
        PraError: it is.
    """
    loss = Loss(settings, known, patience, free)
    for doubt in _DOUBTS:
        doubt.refuse(loss)
    return loss.live


def standing(settings: Settings, known: Points, free: int | None) -> Notice | None:
    """Why a loss would be refused whatever it leaves, and what to do about that before it comes.

    Args:
        known: the points that there are, newest first.
        free: what can be added to the backup volume, in bytes, where somebody has looked.
    """
    loss = Loss(settings, known, free=free)
    for doubt in (*(one for one in _DOUBTS if not one.of_the_loss), _KILLED):
        try:
            doubt.refuse(loss)
        except (PraError, OSError) as error:
            said = told(error)
            return Notice(said.happened, doubt.now or said.next_step)
    return None


def refuse_answer(answer: dict) -> None:
    """Refuse what would come back where there is anything to say about it.

    Args:
        answer: of the restore, which has not touched the registry yet.

    Raises:
        Refused
    """
    skipped = [f"{one['name']} was passed over: {one['reason']}" for one in answer["skipped"]]
    said = [answer["incomplete"], answer["tail"], *answer["warnings"], *skipped]
    doubt = next(filter(None, said), None)
    if doubt:
        raise Refused(DOING, doubt, LOOK)


def _refuse_unwritable(loss: Loss) -> None:
    volumes.refuse_unwritable(loss.where, DOING)


def _refuse_unknown(loss: Loss) -> None:
    if marks.mark_of(loss.where.backup) is None:
        raise Refused(DOING, "the backup volume has no mark, so its history has no name", LOOK)
    identity.refuse_unknown(loss.where, DOING, loss.known)
    _ = loss.live


def _refuse_promised_less(loss: Loss) -> None:
    """Refuse where what was acknowledged may be on the lost volume alone."""
    promises = [loss.settings.journal, mode.of(loss.where)]
    # What is set now says nothing of what the servers of the lost database promised.
    promises += [loss.seen.journal] if loss.seen else []
    less = [one for one in promises if one != "required"]
    if not less:
        return
    mostly = next(filter(None, less), None)
    raise Refused(
        DOING,
        f"with PRA_JOURNAL={mostly} writes were acknowledged that no journal has, and to give"
        " them up is for a person to decide"
        if mostly
        else "with which PRA_JOURNAL all servers ran at the last backup is not known, so writes may"
        " have been acknowledged that no journal has",
        LOOK,
    )


def _refuse_failed(loss: Loss) -> None:
    """Refuse to fail once more in the same way, and what a person has taken over."""
    before = attempts.of(loss.where, loss.live)
    if before and before.state == attempts.LEFT:
        raise Refused(
            DOING,
            f"somebody began to restore at {before.at}, so what comes back is for them to say",
            LOOK,
        )
    if before and before.state == attempts.FAILED:
        raise Refused(
            DOING,
            f"it is not tried again, since it failed at {before.at} ({before.what})",
            before.next or LOOK,
        )


def refuse_killed(where: Layout, live: Timeline) -> None:
    """Refuse to begin once more what was killed as often as it is begun at all.

    Only where nobody has the maintenance lock but the caller: else it may be under way.

    Raises:
        Refused
    """
    before = attempts.of(where, live)
    if before and before.times >= attempts.TIMES:
        raise Refused(
            DOING,
            f"it was begun {before.times} times and never came to its end, the last time at"
            f" {before.at}: something ends the servers meanwhile, or what it needs is locked or"
            " full each time, as their logs say",
            LOOK,
        )


def _refuse_unseen(loss: Loss) -> None:
    """Refuse where no backup has seen the data volume that a new one would be compared with."""
    if loss.seen is None:
        raise Refused(
            DOING,
            f"no backup was made since timeline {loss.live.number} began, or since a server began"
            " to serve it with less than PRA_JOURNAL=required: nothing says where the data volume"
            " was, and what is on it alone",
            LOOK,
        )


def _refuse_foreign(loss: Loss) -> None:
    # Thousands are looked through only where there is one.
    foreign = loss.known if loss.known.states["foreign"] else ()
    points = [point.name for point in foreign if point.status == "foreign"]
    every = segments.foreign(loss.where)
    journal = [f"{one.timeline}-{one.first} of the journal" for one in every]
    for name in points + journal:
        raise Refused(
            DOING,
            f"{name} on the backup volume is of another history, or was put there by somebody",
            f"python -m pra points lists what there is; {LOOK}",
        )


def _refuse_without_point(loss: Loss) -> None:
    if catalogue.latest(loss.known) is None:
        raise Refused(DOING, "there is no verified point", "python -m pra points")


def _refuse_quarantined(loss: Loss) -> None:
    """Refuse where the points do not say by themselves what is the moment to go back to."""
    _refuse_newer(
        loss, "quarantined", lambda point: notices.after_a_loss(loss.settings, point.reason)
    )


def _refuse_damaged(loss: Loss) -> None:
    """Refuse where what damages points may have hit more than that."""
    _refuse_newer(loss, "damaged", lambda _: LOOK)


def _refuse_newer(loss: Loss, status: str, following: Callable[[Point], str]) -> None:
    newest = catalogue.latest(loss.known)
    newer = loss.known[: loss.known.index(newest)] if newest else loss.known
    point = next((one for one in newer if one.status == status), None)
    if point:
        raise Refused(
            DOING,
            f"{point.name}, newer than the last good point, is {status} ({point.reason})",
            following(point),
        )


def _refuse_odd_clock(loss: Loss) -> None:
    clock = notices.clock_jump(loss.known)
    if clock:
        raise Refused(DOING, clock.what, clock.next)


def _refuse_full(loss: Loss) -> None:
    """Refuse where the restored database could not be written to for want of a journal."""
    if loss.free < segments.SIZE:
        raise DiskFull(
            DOING,
            f"the backup volume is full: {loss.free} bytes are free, the journal needs"
            f" {segments.SIZE}",
            f"free space on it (python -m pra prune), then restart the servers; or {LOOK}",
        )


_BACKUP = "python -m pra backup"
#: Each is asked before a loss as well, unless it says that there is nothing to ask by then.
_DOUBTS = (
    _Doubt(_refuse_unwritable),
    _Doubt(_refuse_unknown, f"{_BACKUP}, which mends it or says which ways lead on"),
    _Doubt(
        _refuse_promised_less,
        "set PRA_JOURNAL=required for all servers, and have them backed up: python -m pra"
        " backup; or set PRA_AUTO_RESTORE=off",
    ),
    _Doubt(_refuse_failed, f"{_BACKUP}: a point of what is there now ends that attempt"),
    _Doubt(_refuse_unseen, f"{_BACKUP}, or wait for the next one of the schedule"),
    _Doubt(lost_volume.refuse_carried, of_the_loss=True),
    _Doubt(lost_volume.refuse_late, of_the_loss=True),
    _Doubt(
        _refuse_foreign,
        "python -m pra points lists what there is; move what is of another history off the volume",
    ),
    _Doubt(_refuse_without_point, f"{_BACKUP}, or wait for the next one of the schedule"),
    _Doubt(_refuse_quarantined),
    _Doubt(_refuse_damaged, f"{_BACKUP}, which makes a newer one"),
    _Doubt(_refuse_odd_clock),
    _Doubt(
        _refuse_full, "free space on it (python -m pra prune), or give it more (PRA_BACKUP_MIB)"
    ),
    # Last, since it may wait.
    _Doubt(lost_volume.refuse_served, "end them, or leave the database to them"),
)
#: While the database is there nobody restores it by itself, so that such an attempt is over.
_KILLED = _Doubt(
    lambda loss: refuse_killed(loss.where, loss.live),
    f"{_BACKUP}: a point of what is there now ends that attempt",
)
