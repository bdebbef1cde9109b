"""What /status says: each part looked at by itself, so that one that is lost hides no other."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pra.base import clock
from pra.base.errors import Damaged, PraError, from_os_error
from pra.base.settings import Settings
from pra.data.database import Database
from pra.disk import space
from pra.events import volumes_seen
from pra.events.volumes_seen import VolumesSeen
from pra.points import catalogue
from pra.points.catalogue import Points
from pra.protect import notices
from pra.protect.notices import Notice
from pra.recovery import automatic
from pra.sql import connect
from pra.state import copied, identity

T = TypeVar("T")


class _Looks:
    """One look after the other; why some failed is kept, each reason once."""

    def __init__(self):
        self.failed: list[Notice] = []
        self.damaged = False

    def at(self, what: str, see: Callable[[], T], otherwise: T) -> T:
        """What there is to see, or something else where that fails."""
        try:
            return see()
        except OSError as error:
            said = from_os_error(what, error)
        except PraError as error:
            said = error
        self.damaged = self.damaged or isinstance(said, Damaged)
        if said.happened not in [notice.what.partition(": ")[2] for notice in self.failed]:
            self.failed.append(Notice(str(said), said.next_step))
        return otherwise


class Rows(NamedTuple):
    """The database: how many rows it has, whether its pages carry checksums; None: unknown."""

    count: int | None
    checksums: bool | None


class Report:
    """The state of a pair of volumes, for one process."""

    def __init__(self, settings: Settings, database: Database, seen: VolumesSeen):
        self._settings, self._database, self._seen = settings, database, seen
        self._layout = settings.layout

    def answer(self, needs_restore: Callable[[], bool], count: Callable[[], int]) -> dict:
        """All of it, whatever is missing or broken."""
        looks = _Looks()
        absent = volumes_seen.absent(self._layout)
        known = looks.at("listing the restore points", lambda: catalogue.scan(self._layout), None)
        missing = looks.at("looking for the database", needs_restore, False)
        told = looks.at(
            "looking for what was noted",
            lambda: notices.found(self._settings, known or catalogue.Points()),
            [],
        )
        counting = _Looks()
        rows = Rows(0, None) if missing else self._rows(counting, count)
        # What the last backup found in it says the same in more words.
        if not (counting.damaged and told):
            looks.failed += counting.failed
        trouble = self._trouble(looks, known)
        told = told + self._of_protection(trouble, missing, known)
        lack = self._seen.lack(known)
        unprotected = lack.said if lack else None
        copies = looks.at(
            "looking how far the copies elsewhere go", lambda: self._copies(told), None
        )
        volumes = self._volumes(looks)
        free = volumes["backup"]["free"] if "backup" in volumes else None
        by_itself = looks.at(
            "looking for what is restored by itself",
            lambda: automatic.told(self._settings, automatic.Looked(known, trouble, free)),
            None,
        )
        if by_itself and by_itself.what:
            told = [*told, Notice(by_itself.what, by_itself.next)]
        of_guards = notices.of_guards(unprotected, told)
        answer = {
            "count": rows.count,
            **_of_points(known),
            "protection": volumes_seen.protection(self._settings),
            "journal": self._settings.journal,
            "page_checksums": rows.checksums,
            "unprotected": unprotected,
            "journal_damage": trouble,
            "needs_restore": missing,
            "auto_restore": by_itself.as_dict() if by_itself else None,
            "offsite": copies,
            "registry": looks.at(
                "looking at the records", lambda: identity.faults(self._layout), []
            ),
            "volumes": volumes,
        }
        # A volume that is not there explains all that could not be looked at on it.
        failed = [one for one in looks.failed if not any(path in one.what for path in absent)]
        said = [*absent.values(), *failed, *told, *([of_guards] if of_guards else [])]
        return {**answer, "notices": [notice.as_dict() for notice in said]}

    def _copies(self, told: list[Notice]) -> dict | None:
        """How far the copies elsewhere go; None where there are to be none."""
        if self._settings.offsite is None:
            return None
        notice, unproven = notices.of_copies(self._settings), notices.of_proof(self._settings)
        told += [one for one in (notice, unproven) if one]
        found = copied.read(self._layout)
        return {
            "lag_seconds": found.lag() if found else None,
            "failing": bool(notice),
            "proven_epoch": found.proven if found else None,
            "proof_overdue": bool(unproven),
            "missing_transactions": found.missing if found else 0,
        }

    def _rows(self, looks: _Looks, count: Callable[[], int]) -> Rows:
        number = looks.at("counting the events", count, None)
        if number is None:
            return Rows(None, None)
        return Rows(number, looks.at("looking at the pages", self._checksums, None))

    def _checksums(self) -> bool:
        with self._database.read("looking at the pages") as conn:
            return connect.has_checksums(conn)

    def _trouble(self, looks: _Looks, known: Points | None) -> str | None:
        if known is None:
            return None
        return looks.at("looking at the journal", lambda: self._seen.trouble(known), None)

    def _of_protection(
        self, trouble: str | None, needs_restore: bool, known: Points | None
    ) -> list[Notice]:
        of_journal = notices.of_journal(trouble, needs_restore) if trouble else None
        # Where they cannot be listed, nothing says that there are none.
        overdue = self._seen.overdue(known) if known is not None else None
        return [notice for notice in (of_journal, overdue) if notice]

    def _volumes(self, looks: _Looks) -> dict:
        """The room on the volumes that are there; full is one that cannot take what comes next.

        That is a write on one, a snapshot or a segment of the journal on the other.
        """
        found = {}
        for name, path in (("data", self._layout.data), ("backup", self._layout.backup)):
            room = looks.at(
                "looking for room", lambda path=path: space.of(self._layout, path), None
            )
            if room is not None:
                found[name] = {**room._asdict(), "full": room.free < self._seen.next_bytes(path)}
        return found


def _of_points(known: Points | None) -> dict:
    """What is said of the restore points; None for all of it where they cannot be listed."""
    last = catalogue.latest(known or [])
    return {
        "last_backup_file": last.name if last else None,
        "backup_age_seconds": round(max(0.0, clock.now() - last.epoch), 3) if last else None,
        "backup_rows": last.manifest["rows"] if last else None,
        "points": None if known is None else len(known),
        "quarantined": None if known is None else known.states["quarantined"],
    }
