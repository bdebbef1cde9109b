"""What is doubtful about the data volume that a loss left, and about those who serve another."""

from pra.base import layout
from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.disk import look
from pra.lineage import data_volume, in_use, marks
from pra.recovery.loss import DOING, LOOK, Loss
from pra.state import attempts, volumes

#: What a file system puts into its root by itself.
_OF_THE_SYSTEM = "lost+found"


def refuse_carried(loss: Loss) -> None:
    """Refuse a data volume with anything on it but what an attempt left that was killed."""
    where = loss.where
    if not look.is_folder(where.data):
        raise Refused(DOING, f"{where.data} is no folder", "mount the data volume (PRA_DATA_DIR)")
    names = sorted(name for name in look.names(where.data) if name != _OF_THE_SYSTEM)
    attempt = attempts.of(where, loss.live)
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


def refuse_late(loss: Loss) -> None:
    """Refuse what may be no new volume but one that is not mounted yet."""
    reason = loss.seen and data_volume.late(loss.where, loss.seen)
    if reason:
        raise Refused(DOING, reason, f"mount it, then restart the servers; if it is lost: {LOOK}")


def refuse_served(loss: Loss) -> None:
    """Refuse to stop others who serve the database of this backup volume."""
    others = in_use.wait_for_others(loss.where, loss.patience)
    if others:
        raise Refused(
            DOING,
            f"{len(others)} processes serve the database of this backup volume from elsewhere"
            f" ({others[0]})",
            "end them, or leave the database to them; to take it over: python -m pra restore"
            " latest --take-over",
        )
