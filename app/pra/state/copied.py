"""How far the copies elsewhere go: written by what copies, read by /status and /metrics."""

import contextlib
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
            None: nothing that leads to the present is.
        ended: when the last attempt ended.
        what: why that did not copy all; None if it did.
    """

    lineage: str
    place: str
    covered: float | None
    ended: float
    what: str | None = None

    def lag(self) -> float | None:
        """The age of the oldest write that may not be there, in seconds.

        None where nothing there leads to the present, or that cannot be told: what was noted is
        of a time to come, so a clock is wrong, and no age is known.
        """
        if self.covered is None:
            return None
        lag = round(clock.now() - self.covered, 3)
        return None if lag < -_AHEAD else max(0.0, lag)


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
