"""What a server does with the volumes before its first request."""

import logging

from pra.base.errors import PraError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.protect import backup, new_base, upgrades
from pra.recovery import automatic
from pra.state import identity, jobs, mode, volumes


def _resume_journal(settings: Settings, where: Layout) -> None:
    """Make a new base at once if the journal does not lead to the database.

    Writes would be refused until the scheduled backup makes one. When that goes on by
    itself, and why no acknowledged row can be lost by it, says ``new_base``. Everything
    else is said and left to a person: reads are served, writes say why they are refused.

    A database of an earlier version is given the table of keys in the same way. Where that
    cannot be done now, only requests with a key are refused, and the next backup does it.
    """
    refused = "writes"
    if volumes.current(where) is None:
        return
    try:
        identity.refuse_unknown(where, "starting")
        with locks.writer(where, "starting"):
            new_base.refuse_not_live(where)
            upgrades.know_count(where)
            if settings.journal == "off":
                new_base.refuse_behind(where)
                upgrades.add_keys(where)
                return
            wanted = new_base.needed(where)
            if not wanted:
                refused = "requests with a key"
                wanted = upgrades.lacks_keys(where)
        if wanted:
            with jobs.recorded(where, "backup") as job:
                if backup.run(settings).status != "verified":
                    job.outcome = jobs.QUARANTINED
    except (PraError, OSError) as error:
        following = f"; next: {error.next_step}" if isinstance(error, PraError) else ""
        logging.getLogger("pra").error("%s are refused: %s%s", refused, error, following)


def prepare(settings: Settings) -> Settings:
    """What a start does before anything is served: initialise empty volumes, let the journal go on.

    Returns:
        What to serve with: where the environment names no mode of the journal, the volumes do.
    """
    volumes.ensure_initialised(settings.layout)
    settings = mode.at_start(settings)
    jobs.prepare(settings.layout)
    _resume_journal(settings, settings.layout)
    automatic.warn(settings)
    return settings


def bring_back(settings: Settings) -> None:
    """Restore a database that is lost by itself, where that is wanted and nothing is against it.

    It takes as long as a restore does, and can be ended at any instant.
    """
    if automatic.run(settings):
        _resume_journal(settings, settings.layout)
