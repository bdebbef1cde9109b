"""What is seen on a pair of volumes: for /status, which says it, and /metrics, which counts it."""

import contextlib

from pra.base.errors import PraError, from_os_error
from pra.base.lack import Lack
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.data import protection as protected
from pra.data.database import Database
from pra.disk import look, space
from pra.events.journal_health import JournalHealth
from pra.journal import segments
from pra.points.catalogue import Points
from pra.protect.freshness import Freshness
from pra.protect.notices import Notice
from pra.state import mode

_GONE, _MODE, _UNREADABLE = "backup_volume_gone", "journal_mode", "unreadable"
#: Every word for why a write would be lost.
REASONS = (_GONE, *protected.REASONS, _MODE, _UNREADABLE)


def protection(settings: Settings) -> str:
    """The name of the kind of protection."""
    return "snapshot" if settings.journal == "off" else "journal"


class VolumesSeen:
    """One process's view; each look may fail by itself."""

    def __init__(self, settings: Settings, database: Database):
        self._settings, self._database = settings, database
        self._layout = settings.layout
        self._freshness = Freshness(settings.overdue_seconds)
        self._health = JournalHealth(settings.layout, settings.journal)

    def lack(self, known: Points | None) -> Lack | None:
        """Why a write would be lost; None if none would.

        Args:
            known: the points that there are; None where they could not be listed.
        """
        # That the volume is not there says more than what fails by it.
        gone = absent(self._layout).get(self._layout.backup)
        if gone:
            return Lack(_GONE, gone.what)
        try:
            found = self._database.unprotected(known)
            said = None if found else mode.disagreement(self._settings)
        except OSError as error:
            return Lack(_UNREADABLE, str(from_os_error("looking at the protection", error)))
        except PraError as error:
            return Lack(_UNREADABLE, str(error))
        return Lack(_MODE, said) if said else found

    def trouble(self, known: Points) -> str | None:
        """Why a restore of the latest moment would stop or may lack something; None if not.

        Args:
            known: the points that there are, newest first.
        """
        return self._health.trouble(known)

    def overdue(self, known: Points) -> Notice | None:
        """What to say of backups that do not come as they should; None if they do."""
        return self._freshness.overdue(known)

    def next_bytes(self, path: str) -> int:
        """What comes next on a volume: a write on one, a snapshot or a segment on the other."""
        if path == self._layout.data:
            return space.WRITE_BYTES
        snapshot = 0
        with contextlib.suppress(OSError):
            snapshot = look.size(self._layout.link) or 0
        return max(segments.SIZE, snapshot)


def absent(where: Layout) -> dict[str, Notice]:
    """The folders of volumes that are not there, and what to do about it."""
    data, backup = where.data, where.backup
    told = {
        data: Notice(
            f"the data volume is not there ({data} is no folder)",
            "mount it (PRA_DATA_DIR); an empty one is filled by python -m pra restore latest",
        ),
        backup: Notice(
            f"the backup volume is not there ({backup} is no folder)",
            "mount it (PRA_BACKUP_DIR); if it is lost: python -m pra backup --new-volume",
        ),
    }
    return {path: notice for path, notice in told.items() if not look.is_folder(path)}
