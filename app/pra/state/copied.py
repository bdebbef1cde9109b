"""How far the copies elsewhere go: written by what copies, read by /status and /metrics."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from pra.base import clock, sealing
from pra.base.layout import Layout
from pra.disk import files, look
from pra.lineage import marks

#: By how much clocks of two machines may differ, in seconds.
_AHEAD = 60
_KIND, _FORMAT = "pra-offsite-state", 1


class Copied(NamedTuple):
    """What the last attempt left.

    Attributes:
        lineage: the history that was copied.
        place: where to, in words.
        covered: all that was acknowledged before that moment is there, in seconds since 1970;
            None: nothing that leads to the present is, or nothing was written yet.
        ended: when the last attempt ended.
        what: why that did not copy all; None if it did.
        history: the folder of the copies; None where nothing is known of any.
        reached: timeline and number of the last transaction that is there with all before it
            that the volume had.
        missing: how many transactions left the volume before they were copied, of this history.
        since: when it was begun to copy there, in seconds since 1970; None: not yet.
        proven: when somebody with the private key restored the copies last; None: nobody did.
    """

    lineage: str
    place: str
    covered: float | None
    ended: float
    what: str | None = None
    history: str | None = None
    reached: Sequence[int] | None = None
    missing: int = 0
    since: float | None = None
    proven: float | None = None

    def lag(self) -> float | None:
        """The age of the oldest write that may not be there, in seconds.

        None where nothing there leads to the present, or that cannot be told: what was noted is
        of a time to come, so a clock is wrong, and no age is known.
        """
        if self.covered is None:
            return None
        lag = round(clock.now() - self.covered, 3)
        return None if lag < -_AHEAD else max(0.0, lag)

    def unproven(self) -> float | None:
        """For how long nobody has proven that the copies can be used, in seconds; None: unknown."""
        since = self.since if self.proven is None else self.proven
        return None if since is None else max(0.0, round(clock.now() - since, 3))


def read(where: Layout) -> Copied | None:
    """What the last attempt for this history left; None where there was none, or it is unknown.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = sealing.unseal(look.read_small(where.offsite) or b"")
        if (content.pop("kind", None), content.pop("format", None)) != (_KIND, _FORMAT):
            return None
        content.pop("seal", None)
        found = Copied(**content)
    except (ValueError, TypeError):
        return None
    return found if found.lineage == marks.lineage_of(where.backup) else None


def write(where: Layout, copied: Copied) -> None:
    """Write down what an attempt left; best done, since the copies are what they are."""
    content = {"kind": _KIND, "format": _FORMAT, **copied._asdict()}
    with contextlib.suppress(OSError):
        files.write_replacing(where.offsite, sealing.seal(content))
