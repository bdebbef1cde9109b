"""Giving the database a new, empty backup volume after the old one was lost.

Never done by itself: a mount that came late looks just like an empty volume.
"""

from pra.base.errors import Refused, UsageError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import locks
from pra.lineage import marks, timelines
from pra.points.catalogue import Point
from pra.protect import backup, new_base
from pra.state import mode, volumes

_DOING = "taking a new backup volume"


def run(settings: Settings) -> Point:
    """Mark an empty backup volume as the database's own and make the first point on it.

    Killed half-way, it can be run again; once the volume is marked, the next
    scheduled backup ends the work as well. What the database lacks, and what others may
    have written to it, is not accepted by this: it says so once the volume is taken, and
    python -m pra backup --accept is the way through.

    Raises:
        NeedsRestore: there is no database.
        Refused: the volume is in use already, or holds something to restore from.
        UsageError: PRA_JOURNAL is not set.
        Damaged: the database lacks what was acknowledged; no point was made.
        PraError: no point was made.
    """
    where = settings.layout
    if not settings.journal_given:
        raise UsageError(
            _DOING,
            "PRA_JOURNAL is not set, and an empty volume does not say what the servers run with",
            "set PRA_JOURNAL to what they have (k8s/05-config.yaml)",
        )
    if volumes.current(where) is None:
        raise volumes.missing(where, _DOING)
    _refuse_used(where)
    volumes.prepare_backup_volume(where)
    volumes.probe(where.backup)
    with locks.maintenance(where, _DOING), locks.writer(where, _DOING):
        _refuse_used(where)
        here = new_base.place(where)
        new_base.join(where)
        timelines.register(where, timelines.beginning(here))
        timelines.activate(where, here.timeline)
        mode.record(where, settings.journal)
        # Last: a volume without a mark is one that was never taken.
        marks.write_mark(where.backup, here.lineage)
    return backup.run(settings, first=True)


def _refuse_used(where: Layout) -> None:
    if marks.mark_of(where.backup) is not None or volumes.restorable(where):
        raise Refused(
            _DOING,
            "it is not empty: it belongs to a database, or holds points to restore from",
            "python -m pra points lists them; mount an empty volume if they are not wanted",
        )
