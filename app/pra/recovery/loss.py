"""A database that is lost, or may be, as those look at it who would restore it by themselves."""

from functools import cached_property

from pra.base.errors import Damaged, PraError, Refused, from_os_error
from pra.base.settings import Settings
from pra.disk import space
from pra.lineage import data_volume, timelines
from pra.lineage.timelines import Timeline
from pra.points.catalogue import Points

DOING = "restoring the lost database by itself"
#: What a person does about most of it.
LOOK = (
    "python -m pra restore latest --plan says what would come back, python -m pra restore latest"
    " brings it back"
)


class Loss:
    """What the doubts are about: a database that is lost, or may be.

    Args:
        known: the points that there are, newest first.
        patience: how long to wait for those who serve the database elsewhere, in seconds.
        free: what can be added to the backup volume, in bytes; None where it is still to be seen.
    """

    def __init__(
        self,
        settings: Settings,
        known: Points,
        patience: float = 0.0,
        free: int | None = None,
    ):
        self.settings, self.known, self.patience = settings, known, patience
        self.where, self._free = settings.layout, free

    @property
    def free(self) -> int:
        """What can be added to the backup volume, in bytes."""
        if self._free is None:
            self._free = space.of(self.where, self.where.backup).free
        return self._free

    @cached_property
    def live(self) -> Timeline:
        """The history that is the live one.

        Raises:
            PraError: that is uncertain.
        """
        found = timelines.live(self.where)
        if found is None:
            raise Refused(DOING, "no record says which history is the live one", LOOK)
        return found

    @cached_property
    def seen(self) -> data_volume.Seen | None:
        """What a backup of the live history noted of the data volume."""
        before = data_volume.seen(self.where)
        mine = before and (before.lineage, before.timeline) == (self.live.lineage, self.live.number)
        return before if mine else None


def told(error: Exception) -> PraError:
    """An error of a restore by itself as one that says what comes next."""
    if isinstance(error, PraError):
        return error
    if isinstance(error, OSError):
        return from_os_error(DOING, error)
    return Damaged(DOING, f"{type(error).__name__}: {error}", LOOK)
