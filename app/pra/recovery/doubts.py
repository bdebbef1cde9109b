"""What keeps a lost data volume from being filled by itself: whatever is doubtful is a person's.

A wrong guess must cost nothing. So every acknowledged write has to be in the journal: then
also where the volume was not lost at all, and comes back, none is missing in what was
restored, and what is on the old one is refused as a history that was left. Beside that
all that a person would look at first has to be as it should.
"""

from pra.base import layout
from pra.base.errors import Damaged, DiskFull, PraError, Refused, from_os_error
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import look, space
from pra.journal import segments
from pra.lineage import data_volume, in_use, marks, timelines
from pra.lineage.timelines import Timeline
from pra.points import catalogue
from pra.points.catalogue import Points
from pra.protect import notices
from pra.state import attempts, identity, mode, volumes

DOING = "restoring the lost database by itself"
#: What a person does about most of it.
LOOK = (
    "python -m pra restore latest --plan says what would come back, python -m pra restore latest"
    " brings it back"
)
#: How long a pod may take to end, in seconds (k8s/20-deployment.yaml): that one goes on serving the
#: old volume so long is no reason to leave the restart of all to a person.
GRACE = 10.0
#: What a file system puts into its root by itself.
_OF_THE_SYSTEM = "lost+found"


def refuse(settings: Settings, known: Points, patience: float = 0.0) -> Timeline:
    """Refuse where anything is doubtful; returns the history that is the live one.

    Changes nothing, and is asked again under the maintenance lock before anything is.

    Args:
        known: the points that there are, newest first.
        patience: how long to wait for those who serve the database elsewhere, in seconds.

    Raises:
        PraError: it is.
    """
    where = settings.layout
    volumes.refuse_unwritable(where, DOING)
    live = _live(where, known)
    refuse_promised_less(settings, live)
    refuse_failed(where, live)
    _refuse_carried(where, live)
    _refuse_late(where, live)
    _refuse_foreign(where, known)
    _refuse_suspect(settings, known)
    _refuse_full(where)
    # Last, since it may wait.
    _refuse_served(where, patience)
    return live


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


def refuse_promised_less(settings: Settings, live: Timeline) -> None:
    """Refuse where what was acknowledged may be on the lost volume alone.

    Raises:
        PraError
    """
    where = settings.layout
    promises = [settings.journal, mode.of(where)]
    before = _seen(where, live)
    # What is set now says nothing of what the servers of the lost database promised.
    promises += [before.journal] if before else []
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


def _live(where: Layout, known: Points) -> Timeline:
    if marks.mark_of(where.backup) is None:
        raise Refused(DOING, "the backup volume has no mark, so its history has no name", LOOK)
    identity.refuse_unknown(where, DOING, known)
    live = timelines.live(where)
    if live is None:
        raise Refused(DOING, "no record says which history is the live one", LOOK)
    return live


def refuse_failed(where: Layout, live: Timeline) -> None:
    """Refuse to fail once more in the same way, and what a person has taken over.

    Raises:
        PraError
    """
    before = attempts.of(where, live)
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


def _refuse_carried(where: Layout, live: Timeline) -> None:
    """Refuse a data volume with anything on it but what an attempt left that was killed."""
    if not look.is_folder(where.data):
        raise Refused(DOING, f"{where.data} is no folder", "mount the data volume (PRA_DATA_DIR)")
    names = sorted(name for name in look.names(where.data) if name != _OF_THE_SYSTEM)
    attempt = attempts.of(where, live)
    mine = attempt is not None and attempt.state != attempts.LEFT
    carried = [name for name in names if not (mine and _left_by_attempt(where, name))]
    if not carried:
        return
    generations = volumes.others(where)
    raise Refused(
        DOING,
        f"the data volume has no database and is not empty, it has {', '.join(carried[:5])}",
        volumes.missing(where, DOING).next_step if generations else LOOK,
    )


def _left_by_attempt(where: Layout, name: str) -> bool:
    number = layout.generation_number(name)
    if number is not None:
        return volumes.unwritten(where, number)
    if name in (layout.OWN, layout.COPY):
        return marks.lineage_of(where.data) in (None, marks.lineage_of(where.backup))
    return layout.is_building(name) or name == "app.db.new"


def _refuse_late(where: Layout, live: Timeline) -> None:
    """Refuse what may be no new volume but one that is not mounted yet."""
    before = _seen(where, live)
    if before is None:
        raise Refused(
            DOING,
            f"no backup was made since timeline {live.number} began, or since a server began to"
            " serve it with less than PRA_JOURNAL=required: nothing says where the data volume"
            " was, and what is on it alone",
            LOOK,
        )
    reason = data_volume.late(where, before)
    if reason:
        raise Refused(DOING, reason, f"mount it, then restart the servers; if it is lost: {LOOK}")


def _seen(where: Layout, live: Timeline) -> data_volume.Seen | None:
    """What a backup of the live history noted of the data volume."""
    before = data_volume.seen(where)
    mine = before and (before.lineage, before.timeline) == (live.lineage, live.number)
    return before if mine else None


def _refuse_served(where: Layout, patience: float) -> None:
    others = in_use.wait_for_others(where, patience)
    if others:
        raise Refused(
            DOING,
            f"{len(others)} processes serve the database of this backup volume from elsewhere"
            f" ({others[0]})",
            "end them, or leave the database to them; to take it over: python -m pra restore"
            " latest --take-over",
        )


def _refuse_foreign(where: Layout, known: Points) -> None:
    points = [point.name for point in known if point.status == "foreign"]
    journal = [f"{one.timeline}-{one.first} of the journal" for one in segments.foreign(where)]
    for name in points + journal:
        raise Refused(
            DOING,
            f"{name} on the backup volume is of another history, or was put there by somebody",
            f"python -m pra points lists what there is; {LOOK}",
        )


def _refuse_suspect(settings: Settings, known: Points) -> None:
    """Refuse where the points do not say by themselves what is the moment to go back to."""
    newest = catalogue.latest(known)
    if newest is None:
        raise Refused(DOING, "there is no verified point", "python -m pra points")
    odd = (point for point in known if point.status in ("quarantined", "damaged"))
    point = next((one for one in odd if known.index(one) < known.index(newest)), None)
    if point:
        raise Refused(
            DOING,
            f"{point.name}, newer than the last good point, is {point.status} ({point.reason})",
            notices.after_a_loss(settings, point.reason) if point.status == "quarantined" else LOOK,
        )
    clock = notices.clock_jump(known)
    if clock:
        raise Refused(DOING, clock.what, clock.next)


def _refuse_full(where: Layout) -> None:
    """Refuse where the restored database could not be written to for want of a journal."""
    free = space.of(where, where.backup).free
    if free < segments.SIZE:
        raise DiskFull(
            DOING,
            f"the backup volume is full: {free} bytes are free, the journal needs {segments.SIZE}",
            f"free space on it (python -m pra prune), then restart the servers; or {LOOK}",
        )


def told(error: Exception) -> PraError:
    """An error of a restore by itself as one that says what comes next."""
    if isinstance(error, PraError):
        return error
    if isinstance(error, OSError):
        return from_os_error(DOING, error)
    return Damaged(DOING, f"{type(error).__name__}: {error}", LOOK)
