"""What a server does with the volumes before its first request."""

import logging

from pra.base.errors import PraError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.protect import backup, new_base
from pra.state import identity, mode, volumes


def _resume_journal(settings: Settings, where: Layout) -> None:
    """Make a new base at once if the journal does not lead to the database.

    Writes would be refused until the scheduled backup makes one. When that goes on by
    itself, and why no acknowledged row can be lost by it, says ``new_base``. Everything
    else is said and left to a person: reads are served, writes say why they are refused.
    """
    if volumes.current(where) is None:
        return
    try:
        identity.refuse_unknown(where, "starting")
        with locks.writer(where, "starting"):
            new_base.refuse_not_live(where)
            if settings.journal == "off":
                new_base.refuse_behind(where)
                return
            wanted = new_base.needed(where)
        if wanted:
            backup.run(settings)
    except (PraError, OSError) as error:
        following = f"; next: {error.next_step}" if isinstance(error, PraError) else ""
        logging.getLogger("pra").error("writes are refused: %s%s", error, following)


def prepare(settings: Settings) -> Settings:
    """What a start does before anything is served: initialise empty volumes, let the journal go on.

    Returns:
        What to serve with: where the environment names no mode of the journal, the volumes do.
    """
    volumes.ensure_initialised(settings.layout)
    settings = mode.at_start(settings)
    _resume_journal(settings, settings.layout)
    return settings
