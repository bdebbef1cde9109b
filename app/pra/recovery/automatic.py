"""Bringing back the latest moment by itself, where a start finds that the data volume is lost.

Only where somebody wants that (PRA_AUTO_RESTORE=latest), once for each loss, under the same
lock and with the same checks as a restore that is asked for, and with those of ``doubts``.
What is refused or fails is a person's from then on, and is said until somebody sees to it.
"""

import logging
from typing import NamedTuple

from pra.base import clock
from pra.base.errors import DiskFull, Locked, PraError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.lineage import timelines
from pra.lineage.timelines import Timeline
from pra.pitr import targets
from pra.points import catalogue
from pra.points.catalogue import Points
from pra.protect import notices
from pra.protect.notices import Notice
from pra.recovery import doubts, loss, restore
from pra.recovery.restore import Supervision
from pra.state import attempts, jobs, volumes

#: What the request of such a restore is called in the record of the timeline that it opens.
_REQUEST = "automatic-"
_log = logging.getLogger("pra")
#: How it can stand, as ``Told`` says.
STATES = ("armed", "disarmed", "restoring", "next start", "refused", "failed")


class Told(NamedTuple):
    """How it stands.

    Attributes:
        state: "armed" while nothing is to be done; "disarmed" where nothing would be done if
            the database, which is there, were lost; "restoring"; "next start" where there is
            no database and nothing against it; "refused"; "failed".
        what, next: what is the matter, and the command that comes next; None while armed.
        done: the answer of the restore that made the live history, if that was one.
    """

    state: str
    what: str | None
    next: str | None
    done: dict | None

    def as_dict(self) -> dict:
        """The form that answers carry."""
        return self._asdict()


class _There(Exception):
    """The database is there."""


def due(settings: Settings) -> bool:
    """Whether it is wanted, and there is no database, and something to restore."""
    if not settings.auto_restore:
        return False
    where = settings.layout
    try:
        return volumes.current(where) is None and volumes.restorable(where)
    except (PraError, OSError):
        return False


def run(settings: Settings) -> dict | None:
    """Restore the latest moment where that is due and nothing is doubtful; says what came of it.

    Of several servers that start at once one does it, and the others wait for that.

    Returns:
        The answer of the restore; None where another one did it, or it was refused or failed.
    """
    where = settings.layout
    while due(settings):
        work = _Work(settings)
        # What another server has begun is judged by that one.
        looking = not _begun(where)
        try:
            if looking:
                doubts.refuse(settings, catalogue.scan(where), doubts.GRACE)
            looking = False
            answer = work.restore()
        except _There:
            return None
        except Exception as error:
            if not work.began and _there(where):
                return None
            # What was looked at without the lock may be what another one is just doing.
            if (looking or isinstance(error, Locked)) and not work.began and _begun(where):
                continue
            # Whatever it is: a server that says so is worth more than one that ends.
            work.give_up(loss.told(error))
        else:
            _log.warning(
                "the data volume was lost: %d rows were restored by itself, from %s and %d"
                " transactions of the journal",
                answer["rows"],
                answer["point"] or "the beginning of the journal",
                answer["replayed"],
            )
            return answer
        return None
    return None


class _Work:
    """One attempt."""

    def __init__(self, settings: Settings):
        self._settings, self._where = settings, settings.layout
        self._live: Timeline | None = None
        self._job = jobs.Run(self._where, "restore")

    @property
    def began(self) -> bool:
        """It passed all that there was to doubt, and was begun."""
        return self._live is not None

    def restore(self) -> dict:
        """Restore, once the maintenance lock is there."""
        named = timelines.live(self._where)
        settings = self._settings._replace(
            request=f"{_REQUEST}{named.number if named else 0}", restore_take_over=False
        )
        supervision = Supervision(self._begin, doubts.refuse_answer)
        answer = restore.run(settings, targets.latest, False, "latest", supervision)
        self._job.end(jobs.OK)
        return answer

    def _begin(self) -> None:
        if volumes.current(self._where) is not None:
            raise _There
        live = doubts.refuse(self._settings, catalogue.scan(self._where), doubts.GRACE)
        self._live = live
        doubts.refuse_killed(self._where, live)
        attempts.begin(self._where, live)
        self._job.begin()

    def give_up(self, error: PraError) -> None:
        """Say why, and keep it where it would be tried again otherwise."""
        if self._live:
            self._job.end(jobs.outcome_of(error))
            self._keep(error)
        _log.error(
            "the database is lost, and is not restored: %s; next: %s", error, error.next_step
        )

    def _keep(self, error: PraError) -> None:
        if isinstance(error, (Locked, DiskFull)):
            # They pass. Begun it stays, and how often that may be is counted.
            return
        try:
            attempts.fail(self._where, self._live, error)
        except (PraError, OSError) as unkept:
            _log.error("what follows cannot be noted on the backup volume: %s", unkept)


def warn(settings: Settings) -> None:
    """Say at a start that a loss would be left to a person, who wants it otherwise."""
    if not settings.auto_restore or due(settings):
        return
    said = _waiting(settings, Looked())
    if said.what:
        _log.warning("%s; next: %s", said.what, said.next)


def _there(where: Layout) -> bool:
    """Whether the database is there."""
    try:
        return volumes.current(where) is not None
    except (PraError, OSError):
        return False


def _begun(where: Layout) -> bool:
    """Whether an attempt is under way, or was killed."""
    try:
        live = timelines.live(where)
        attempt = live and attempts.of(where, live)
    except (PraError, OSError):
        return False
    return bool(attempt) and attempt.state == attempts.BEGUN


class Looked(NamedTuple):
    """What somebody has seen of the backup volume already; None: nobody has.

    Attributes:
        known: the points that there are, newest first.
        trouble: why a restore of the latest moment would stop or may lack something.
        free: what can be added to it, in bytes.
    """

    known: Points | None = None
    trouble: str | None = None
    free: int | None = None


def told(settings: Settings, looked: Looked) -> Told | None:
    """How it stands; None where it is not wanted."""
    if not settings.auto_restore:
        return None
    where = settings.layout
    if not due(settings):
        return _waiting(settings, looked)
    try:
        if _begun(where) and locks.maintained(where):
            what = "the lost database is being restored by itself"
            return Told("restoring", what, loss.LOOK, None)
        live = doubts.refuse(settings, _listed(where, looked), free=looked.free)
        doubts.refuse_killed(where, live)
    except (PraError, OSError) as error:
        if _there(where):
            # Another server was through with it meanwhile.
            return _waiting(settings, looked)
        said = loss.told(error)
        return Told(_refused(where), str(said), said.next_step, None)
    return Told(
        "next start",
        f"the database of timeline {live.number} is lost, and a server that starts restores it by"
        " itself",
        f"restart the servers; or {loss.LOOK}",
        None,
    )


def _waiting(settings: Settings, looked: Looked) -> Told:
    """How it stands while nothing is to be done: armed, if a loss would be restored."""
    done, against = _done(settings.layout), _against(settings, looked)
    if against is None and looked.trouble:
        against = notices.of_journal(looked.trouble, needs_restore=False)
    if against is None:
        return Told("armed", None, None, done)
    what = f"if the database were lost now, it would not be restored by itself: {against.what}"
    return Told("disarmed", what, against.next, done)


def _against(settings: Settings, looked: Looked) -> Notice | None:
    try:
        known = _listed(settings.layout, looked)
    except OSError as error:
        said = loss.told(error)
        return Notice(said.happened, said.next_step)
    return doubts.standing(settings, known, looked.free)


def _listed(where: Layout, looked: Looked) -> Points:
    return catalogue.scan(where) if looked.known is None else looked.known


def _refused(where: Layout) -> str:
    try:
        live = timelines.live(where)
        attempt = live and attempts.of(where, live)
        return "failed" if attempt and attempt.state == attempts.FAILED else "refused"
    except (PraError, OSError):
        return "refused"


def _done(where: Layout) -> dict | None:
    """The answer of the restore by itself that made the live history, with when that was."""
    try:
        live = timelines.live(where)
    except (PraError, OSError):
        return None
    if live is None or live.request is None or not live.request.name.startswith(_REQUEST):
        return None
    return {**live.request.answer, "at": clock.rfc3339(live.created, 3)}
