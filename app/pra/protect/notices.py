"""What a person should know of the protection, and do about it: for /status and the verbs.

What can be seen in the catalogue is looked at anew each time. Only what a backup found in
the database itself is written down, since nobody else reads all of it.
"""

import contextlib
from typing import NamedTuple

from pra.base import clock, sealing
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import files, look, space
from pra.journal import segments
from pra.points import catalogue, elapsed
from pra.points.catalogue import Point, Points
from pra.sql import guards
from pra.state import copied, volumes

#: How far behind the copies elsewhere may be before that is said, in seconds.
COPIES_LATE = 60
#: In seconds.
DAY = 86_400


class Notice(NamedTuple):
    """What is the matter, and the command that comes next."""

    what: str
    next: str

    def as_dict(self) -> dict:
        """The form that answers carry."""
        return self._asdict()


def found(settings: Settings, known: Points) -> list[Notice]:
    """All that there is to say now; empty if all is well.

    Args:
        known: the points that there are, newest first.
    """
    all_of_them = (
        _damage(settings.layout),
        _damaged_points(known),
        _quarantine(settings, known),
        clock_jump(known),
    )
    return [notice for notice in all_of_them if notice]


def after_a_loss(settings: Settings, reason: str | None) -> str:
    """What to do about a suspect point.

    Args:
        reason: why it is suspect.
    """
    # What was changed past the application is in no transaction.
    if reason == guards.UNGUARDED:
        return guards.WAYS_ON
    wanted = "or, if it is wanted: python -m pra backup --accept"
    if settings.journal == "off":
        return f"python -m pra restore latest; {wanted}"
    # The latest moment has the loss in it.
    return f"python -m pra log --largest, then python -m pra restore --to-before SEQ; {wanted}"


def _damaged_points(known: list[Point]) -> Notice | None:
    """That points cannot be used whatever is in them, and what is left."""
    damaged = [point for point in known if point.status == "damaged"]
    if not damaged:
        return None
    newest, last = damaged[0], catalogue.latest(known)
    more = f", and {len(damaged) - 1} more points are damaged" if len(damaged) > 1 else ""
    left = f"the last good point is {last.name}" if last else "there is no good point"
    return Notice(
        f"{newest.name} is damaged ({newest.reason}){more}; {left}",
        "python -m pra backup makes a new point; bring the files of a damaged one back from a"
        " copy of the volume if there is one, python -m pra verify says whether it is sound",
    )


def _quarantine(settings: Settings, known: list[Point]) -> Notice | None:
    """That nobody has said yet whether a loss was wanted, and what room that takes."""
    ours = [point for point in known if point.status in ("verified", "quarantined")]
    last = catalogue.latest(ours)
    suspect = ours[: ours.index(last)] if last else ours
    if not suspect:
        return None
    where, newest = settings.layout, suspect[0]
    free = space.of(where, where.backup).free
    needed = newest.bytes + segments.SIZE
    tight = "" if free > 2 * needed else ": hardly more than the next backup takes"
    good = f"the last good point is {last.name}" if last else "there is no good point"
    return Notice(
        f"{newest.name} is quarantined ({newest.reason}), and so is all after it until somebody"
        f" decides; {good}. {_writes(settings, newest.reason)}; what led to the loss is kept"
        f" meanwhile, and {free >> 20} MiB are left on the backup volume{tight}",
        after_a_loss(settings, newest.reason),
    )


def _writes(settings: Settings, reason: str | None) -> str:
    """What becomes of writes until somebody decides."""
    if reason != guards.UNGUARDED:
        return "Writes go on"
    if settings.journal == "best-effort":
        return "Writes go on, without the journal"
    return "Writes are refused until then"


def clock_jump(known: Points) -> Notice | None:
    """What is odd about the clock, against the newest of these points."""
    what = elapsed.jump(known) or elapsed.recorded(known)
    if what is None:
        return None
    return Notice(
        f"{what}. What is kept for a time counts that as an hour at most",
        "date -u, on the node; then python -m pra backup, and restore by transaction number"
        " (python -m pra log) where times are in doubt",
    )


def of_journal(trouble: str, needs_restore: bool) -> Notice:
    """What is wrong with the journal that a restore of the latest moment needs."""
    if needs_restore:
        next_step = "python -m pra restore latest --plan says what would come back"
    else:
        next_step = "python -m pra backup makes a point without it, or says which ways lead on"
    return Notice(f"the journal is damaged or lacks its end: {trouble}", next_step)


def of_copies(settings: Settings) -> Notice | None:
    """That the copies elsewhere do not follow, where there are to be any.

    Raises:
        OSError: how far they go cannot be read.
    """
    if settings.offsite is None:
        return None
    found = copied.read(settings.layout)
    lag = found.lag() if found else None
    late = max(COPIES_LATE, 10 * settings.offsite_seconds)
    # Neither place nor reason: a store's name and a folder of the server are nobody's business.
    if lag is None and found and found.covered is not None:
        what = "how far the copies elsewhere are behind is unknown: a clock is wrong, or was"
    elif lag is None and found and not found.what and abs(clock.now() - found.ended) <= late:
        # Nothing was written yet, when that was looked at last.
        return None
    elif lag is None:
        what = "there are no copies elsewhere that lead to the present"
    elif lag > late:
        what = f"the copies elsewhere are {lag:.0f} s behind"
    elif found.what:
        what = f"the last attempt to copy elsewhere left something out, {lag:.0f} s are not there"
    else:
        return None
    return Notice(what, "python -m pra offsite push copies what is missing, or says why it cannot")


def of_proof(settings: Settings) -> Notice | None:
    """That nobody has restored the copies elsewhere for long: their key may be lost.

    Raises:
        OSError: how far they go cannot be read.
    """
    found = copied.read(settings.layout) if settings.offsite else None
    age = found.unproven() if found else None
    if not settings.offsite_proof_days or age is None or age <= settings.offsite_proof_days * DAY:
        return None
    return Notice(
        f"nobody has proven for {age / DAY:.0f} days that the copies elsewhere can be restored",
        "python -m pra offsite verify --identity FILE, by who has the private key",
    )


def of_guards(unprotected: str | None, told: list[Notice]) -> Notice | None:
    """That the write guards are gone, where no backup has said so in more words.

    Args:
        unprotected: why the next write would be lost.
        told: what is said already.
    """
    if unprotected != guards.UNGUARDED or any(unprotected in notice.what for notice in told):
        return None
    return Notice(unprotected, guards.WAYS_ON)


def note_damage(where: Layout, what: str, next_step: str) -> None:
    """Remember that a backup could not read the current database.

    Best done, but not worth another failure: the backup itself has failed and said so.
    """
    content = {"generation": volumes.current(where), "what": what, "next": next_step}
    with contextlib.suppress(OSError):
        files.write_replacing(where.damage, sealing.seal(content))


def forget_damage(where: Layout) -> None:
    """A backup read all of the database, and it is sound."""
    if look.size(where.damage) is not None:
        files.remove(where.damage)


def _damage(where: Layout) -> Notice | None:
    """What the last backup found in the database that is still the current one."""
    try:
        raw = look.read_small(where.damage)
    except look.NotRegular:
        return Notice(
            f"what a backup found wrong with the database cannot be read: {where.damage} is no"
            " regular file",
            "remove it, then python -m pra backup, which reads all of the database",
        )
    try:
        content = sealing.unseal(raw) if raw else {}
    except ValueError:
        return None
    if not content or content["generation"] != volumes.current(where):
        return None
    return Notice(f"the data volume is damaged: {content['what']}", content["next"])
