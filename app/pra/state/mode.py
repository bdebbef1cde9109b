"""The journal's mode, which belongs to the volume pair and not to each command.

The servers write it on the backup volume when they start. A command typed by hand takes it
from there: one that took ``off`` for granted beside servers that journal would leave rows
that were acknowledged where no base leads to them.
"""

import sys

from pra.base import sealing
from pra.base.errors import Damaged, PraError, Refused, UsageError, from_os_error
from pra.base.layout import Layout
from pra.base.settings import JOURNAL_MODES, Settings
from pra.disk import files, locks, look
from pra.lineage import in_use, marks
from pra.state import volumes

_DOING = "looking at the journal's mode"
_KIND, _FORMAT = "pra-mode", 1


def of(where: Layout) -> str | None:
    """The mode that the servers of these volumes started with last; None before the first.

    Raises:
        Damaged: that cannot be read.
    """
    try:
        raw = look.read_small(where.mode)
    except look.NotRegular as error:
        raise Damaged(
            _DOING,
            f"{where.mode} is no regular file",
            "remove it, then start the servers with PRA_JOURNAL set, which writes it again",
        ) from error
    if raw is None:
        return None
    try:
        content = sealing.unseal(raw)
    except ValueError:
        content = {}
    known = (content.get("kind"), content.get("format")) == (_KIND, _FORMAT)
    if not known or content.get("journal") not in JOURNAL_MODES:
        raise Damaged(
            _DOING,
            f"{where.mode} is damaged, or of another version",
            "start the servers with PRA_JOURNAL set, which writes it again",
        )
    return content["journal"]


def record(where: Layout, mode: str) -> None:
    """Make a mode that of the volumes; needs the writer lock.

    Raises:
        OSError: it was not written.
    """
    content = {"kind": _KIND, "format": _FORMAT, "journal": mode}
    files.write_replacing(where.mode, sealing.seal(content))


def promised(where: Layout) -> str | None:
    """The least that is promised now: by who started last, and by all who serve still.

    Returns:
        None where one of them does not say.

    Raises:
        Damaged: the mode of the volumes cannot be read.
    """
    found = {of(where), *in_use.modes(where)}
    return max(found, key=JOURNAL_MODES.index) if found <= set(JOURNAL_MODES) else None


def at_start(settings: Settings) -> Settings:
    """What a server runs with; the volumes have its mode from then on, and a change is said.

    Raises:
        Damaged: PRA_JOURNAL is not set, and what the volumes have cannot be read.
    """
    # Slow to load, and no verb but this one needs it.
    import logging

    log, where = logging.getLogger("pra"), settings.layout
    try:
        before = of(where)
    except Damaged as error:
        if not settings.journal_given:
            raise
        log.error("%s", error)
        before = None
    if not settings.journal_given:
        settings = settings._replace(journal=_taken(where, before))
    # A volume without a mark is not written to: it may be a mount that came late. A mark
    # that is lost is said by every write that it refuses, and reads are served.
    if before == settings.journal or marks.readable(where.backup) is None:
        return settings
    if before:
        log.warning("the journal's mode was %s; from now on it is %s", before, settings.journal)
    try:
        with locks.writer(where, "starting"):
            record(where, settings.journal)
    except (PraError, OSError) as error:
        log.error("the journal's mode cannot be kept on the backup volume: %s", error)
    return settings


def for_verb(settings: Settings, doing: str, exactly: bool = False) -> Settings:
    """What a command runs with, while servers may run too.

    Args:
        exactly: any other mode than the servers' makes its answer worthless.

    Raises:
        Refused: PRA_JOURNAL asks for less than the servers promise.
        UsageError: it is not set, and the volumes do not say.
        Damaged: it is not set, and what the volumes say cannot be read.
    """
    where, wanted = settings.layout, settings.journal
    if not settings.journal_given:
        return settings._replace(journal=_taken(where, of(where)))
    try:
        theirs = of(where)
    except Damaged as error:
        print(f"pra: {error}", file=sys.stderr)
        return settings
    if theirs in (None, wanted):
        return settings
    happened = f"PRA_JOURNAL is {wanted} here, and the servers of these volumes run with {theirs}"
    if exactly or JOURNAL_MODES.index(wanted) > JOURNAL_MODES.index(theirs):
        raise Refused(
            doing,
            happened,
            f"leave PRA_JOURNAL out, which takes {theirs}; to change it for all, change it in"
            " k8s/05-config.yaml and restart the servers",
        )
    print(f"pra: {happened}", file=sys.stderr)
    return settings


def shown(settings: Settings) -> str:
    """The mode for a listing: that of the volumes where it can be read, else our own."""
    try:
        return of(settings.layout) or settings.journal
    except Damaged:
        return settings.journal


def disagreement(settings: Settings) -> str | None:
    """Why a server that has run for a while promises something else than the volumes say."""
    try:
        theirs = of(settings.layout)
    except OSError as error:
        return str(from_os_error(_DOING, error))
    except PraError as error:
        return str(error)
    if theirs in (None, settings.journal):
        return None
    return (
        f"this server runs with PRA_JOURNAL={settings.journal}, others were started with"
        f" {theirs} since: restart it"
    )


def _taken(where: Layout, theirs: str | None) -> str:
    """The mode of a command that is given none.

    Raises:
        UsageError: the volumes are in use, and do not say.
    """
    if theirs:
        return theirs
    if not volumes.restorable(where):
        # Snapshots alone, as in the original workshop: nothing was promised on these yet.
        return "off"
    raise UsageError(
        _DOING,
        "PRA_JOURNAL is not set, and the backup volume does not say what its servers run with",
        "set PRA_JOURNAL to what they have (k8s/05-config.yaml), or start them once with it",
    )
