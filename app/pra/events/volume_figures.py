"""The figures that /metrics tells of a pair of volumes: read anew for each answer.

Each collector reads one part, so that one that is lost hides no other. None takes a lock
that others wait for, and of thousands of points only those that changed are read again.
"""

from collections.abc import Callable, Iterator

import apsw

from pra.base import clock
from pra.base.errors import PraError
from pra.base.metrics import Collected, Metric, Told
from pra.base.settings import Settings
from pra.data.database import Database
from pra.disk import look, space
from pra.disk.listing import Sizes
from pra.events import figures, job_figures, volumes_seen
from pra.events.volumes_seen import VolumesSeen
from pra.journal import segments
from pra.journal.writer import Journal
from pra.lineage import timelines
from pra.pitr import bounds
from pra.points import catalogue, elapsed
from pra.points.catalogue import Points
from pra.points.watched import Watched
from pra.protect import notices
from pra.recovery import automatic
from pra.sql import counting, schema
from pra.sql.schema import Position
from pra.state import copied, identity, jobs, volumes

POINTS = Metric("pra_points", "Restore points.", ("state",))
POINTS_BYTES = Metric("pra_points_bytes", "Size of all restore points.")
NEWEST_TIME = Metric(
    "pra_newest_point_timestamp_seconds", "When the newest verified point was made."
)
NEWEST_ROWS = Metric("pra_newest_point_rows", "Rows of the newest verified point.")
NEWEST_BEHIND = Metric(
    "pra_newest_point_transactions_behind", "Transactions after the newest verified point."
)
OVERDUE_AFTER = Metric(
    "pra_backup_overdue_after_seconds", "The age that no newest point reaches on schedule."
)
OVERDUE = Metric("pra_backup_overdue", "1: restore points do not come as they should.")
DATABASE_POSITION = Metric("pra_database_position", "Number of the database's last transaction.")
JOURNAL_POSITION = Metric("pra_journal_position", "Number of the journal's last transaction.")
LAG = Metric("pra_journal_lag_transactions", "Transactions of the database in no journal.")
LAG_SECONDS = Metric(
    "pra_journal_lag_seconds", "Time since the journal's last one while there are such."
)
JOURNAL_DAMAGED = Metric(
    "pra_journal_damaged", "1: a restore of the latest moment would stop or may lack something."
)
JOURNAL_BYTES = Metric("pra_journal_bytes", "Size of all segments of the journal.")
CLOCK_ODD = Metric("pra_clock_odd", "1: the clock stepped, or no backup ran for long.")
CLOCK_STEP = Metric(
    "pra_clock_step_seconds", "By how much the clock stepped against the newest point."
)
AUTO_RESTORE = Metric(
    "pra_auto_restore", "How restoring a lost database by itself stands.", ("state",)
)
OFFSITE_LAG = Metric(
    "pra_offsite_lag_seconds", "Age of the oldest write that may not be copied elsewhere."
)
OFFSITE_FAILING = Metric("pra_offsite_failing", "1: the copies elsewhere do not follow.")
OFFSITE_LATE = Metric(
    "pra_offsite_late_after_seconds", "The lag at which the copies elsewhere are late."
)
OFFSITE_PROVEN = Metric(
    "pra_offsite_proven_timestamp_seconds",
    "When somebody with the private key last restored the copies elsewhere.",
)
OFFSITE_UNPROVEN = Metric(
    "pra_offsite_proof_overdue", "1: nobody has done that for PRA_OFFSITE_PROOF_DAYS."
)
OFFSITE_MISSING = Metric(
    "pra_offsite_missing_transactions", "Transactions that left the volume uncopied."
)
VOLUME_BYTES = Metric("pra_volume_bytes", "What a volume holds.", ("volume",))
VOLUME_USED = Metric("pra_volume_used_bytes", "Size of the files on a volume.", ("volume",))
VOLUME_FREE = Metric("pra_volume_free_bytes", "What can still be added to a volume.", ("volume",))
VOLUME_FULL = Metric("pra_volume_full", "1: a volume cannot take what comes next.", ("volume",))

#: The least lag of the copies elsewhere that is late, in seconds.
_LATE = 20
_ROOM = (VOLUME_BYTES, VOLUME_USED, VOLUME_FREE, VOLUME_FULL)


class VolumeFigures:
    """One process's figures, for one thread at a time."""

    def __init__(self, settings: Settings, database: Database, seen: VolumesSeen):
        self._settings, self._database, self._seen = settings, database, seen
        self._layout = settings.layout
        self._points = Watched(settings.layout)
        self._sizes = {path: Sizes(path) for path in (self._layout.data, self._layout.backup)}
        # Its own view of the journal's end.
        self._journal = Journal(settings.layout)

        # What one part found is used by those after it.
        self._known: Points | None = None
        self._here: Position | None = None
        self._free_for_backups: int | None = None

    @property
    def collectors(self) -> tuple[str, ...]:
        """The names of the parts."""
        return tuple(self._parts())

    def collected(self) -> Iterator[Collected]:
        """All of it, one part after the other."""
        self._known = self._here = self._free_for_backups = None
        for name, collect in self._parts().items():
            yield Collected(name, _or_none(collect))

    def _parts(self) -> dict[str, Callable[[], list[Told] | None]]:
        """What collects each part. Kept, it would keep all this, and open databases, alive."""
        return {
            "build": self._build,
            "data_volume": lambda: self._room("pra-data", self._layout.data),
            "backup_volume": lambda: self._room("pra-backup", self._layout.backup),
            "points": self._of_points,
            "database": self._of_database,
            "protection": self._of_protection,
            "journal": self._of_journal,
            "jobs": lambda: job_figures.of_jobs(jobs.seen(self._layout)),
            "restores": self._of_restores,
            "auto_restore": self._of_auto_restore,
            "offsite": self._of_copies,
            "clock": self._of_clock,
        }

    def _build(self) -> list[Told]:
        kind = (volumes_seen.protection(self._settings), self._settings.journal)
        told = [Told(figures.PROTECTION_INFO, {kind: 1.0})]
        return told + figures.build(apsw.sqlite_lib_version())

    def _room(self, name: str, path: str) -> list[Told]:
        room = space.with_used(self._layout, path, self._sizes[path].sum())
        size = room.used + room.free if room.size is None else room.size
        full = room.free < self._seen.next_bytes(path)
        if path == self._layout.backup:
            self._free_for_backups = room.free
        values = (size, room.used, room.free, full)
        return [
            Told(metric, {(name,): float(value)})
            for metric, value in zip(_ROOM, values, strict=True)
        ]

    def _of_points(self) -> list[Told]:
        known = self._known = self._points.scan()
        newest = catalogue.latest(known)
        states = {state: known.states[state] for state in catalogue.STATES}
        return [
            *POINTS.are_now(states),
            *POINTS_BYTES.is_now(known.size),
            *NEWEST_TIME.is_now(newest and newest.manifest["created_time"]),
            *NEWEST_ROWS.is_now(newest and newest.manifest["rows"]),
        ]

    def _of_database(self) -> list[Told]:
        if volumes.current(self._layout) is None:
            return [*figures.NEEDS_RESTORE.is_now(1), *figures.ROWS.is_now(0)]
        with self._database.read("counting the events") as conn:
            rows, self._here = counting.count(conn), schema.position(conn)
        return [
            *figures.NEEDS_RESTORE.is_now(0),
            *figures.ROWS.is_now(rows),
            *DATABASE_POSITION.is_now(self._here and self._here.seq),
            *NEWEST_BEHIND.is_now(self._behind()),
        ]

    def _behind(self) -> int | None:
        newest, here = catalogue.latest(self._known or []), self._here
        place = newest and newest.manifest["position"]
        if not (here and place) or (place["lineage"], place["timeline"]) != here[:2]:
            return None
        return max(0, here.seq - place["seq"])

    def _of_protection(self) -> list[Told]:
        lack = self._seen.lack(self._known)
        limit = self._settings.overdue_seconds
        told = figures.UNPROTECTED.of_these(volumes_seen.REASONS, lack and lack.reason)
        told += OVERDUE_AFTER.is_now(limit or None)
        if self._known is not None:
            told += OVERDUE.is_now(self._seen.overdue(self._known) is not None)
        return told

    def _of_journal(self) -> list[Told]:
        every = segments.listing(self._layout)
        told = JOURNAL_BYTES.is_now(sum(look.size(one.path) or 0 for one in every))
        if self._known is not None:
            told += JOURNAL_DAMAGED.is_now(self._seen.trouble(self._known) is not None)
        return told if self._settings.journal == "off" else told + self._of_its_end(every)

    def _of_its_end(self, every: list[segments.Segment]) -> list[Told]:
        here = self._here
        if here is None:
            end = identity.end_of_journal(self._layout, timelines.live(self._layout))
            return JOURNAL_POSITION.is_now(end and end.seq)
        try:
            end = self._journal.end(here)
        except PraError:
            # That it is damaged is told by another figure.
            return []
        if end is None:
            segments.refuse_gone(self._layout)
            begins = timelines.read(self._layout, here.timeline)
            end = begins.seq if begins else None
        if end is None:
            return []
        lag = max(0, here.seq - end)
        told = JOURNAL_POSITION.is_now(end) + LAG.is_now(lag)
        return told + LAG_SECONDS.is_now(self._since(every, here) if lag else 0)

    def _since(self, every: list[segments.Segment], here: Position) -> float | None:
        own = [one for one in every if one.timeline == here.timeline]
        _, moment = bounds.end(own)
        return None if moment is None else max(0.0, clock.now() - moment)

    def _of_restores(self) -> list[Told] | None:
        if self._known is None:
            return None
        return job_figures.of_restores(timelines.live(self._layout), self._known)

    def _of_auto_restore(self) -> list[Told] | None:
        if not self._settings.auto_restore:
            return []
        if self._known is None:
            return None
        trouble = self._seen.trouble(self._known)
        looked = automatic.Looked(self._known, trouble, self._free_for_backups)
        stands = automatic.told(self._settings, looked)
        return AUTO_RESTORE.of_these(automatic.STATES, stands and stands.state)

    def _of_copies(self) -> list[Told]:
        if self._settings.offsite is None:
            return []
        found = copied.read(self._layout)
        failing = notices.of_copies(self._settings) is not None
        unproven = notices.of_proof(self._settings) is not None
        return [
            *OFFSITE_FAILING.is_now(failing),
            *OFFSITE_LAG.is_now(found and found.lag()),
            *OFFSITE_LATE.is_now(max(_LATE, 4 * self._settings.offsite_seconds)),
            *OFFSITE_PROVEN.is_now(found and found.proven),
            *OFFSITE_UNPROVEN.is_now(unproven),
            *OFFSITE_MISSING.is_now(found.missing if found else 0),
        ]

    def _of_clock(self) -> list[Told] | None:
        if self._known is None:
            return None
        odd = notices.clock_jump(self._known) is not None
        return CLOCK_ODD.is_now(odd) + CLOCK_STEP.is_now(elapsed.step(self._known))


def _or_none(collect: Callable[[], list[Told] | None]) -> list[Told] | None:
    """What a collector tells; None where it cannot, for a reason that /status says."""
    try:
        return collect()
    except (PraError, OSError):
        return None
