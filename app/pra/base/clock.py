"""The wall clock, in one place, and how its readings are written."""

import functools
import time
from datetime import datetime, timezone

from pra.base.errors import Refused


def now() -> float:
    """Seconds since 1970, UTC. Clocks step: never order anything by this."""
    return time.time()


def now_ms() -> int:
    """The same in whole milliseconds, which is how precisely moments are kept."""
    return int(now() * 1000)


#: 10000-01-01, in milliseconds: years have four digits.
_END_MS = 253_402_300_800_000


def record_ms(doing: str) -> int:
    """As ``now_ms``, for what is written down.

    Raises:
        Refused: the clock shows no time that can be.
    """
    moment = now_ms()
    if not 0 <= moment < _END_MS:
        raise Refused(
            doing,
            f"the clock of this machine is wrong, it shows {moment / 1000:.3f} seconds since"
            " 1970-01-01 UTC; nothing was changed",
            "set the clock of the node (date -u shows it), then try again",
        )
    return moment


def stamp(milliseconds: int) -> str:
    """A moment in milliseconds since 1970 as text with 3 decimals; cheap enough for each write."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return rfc3339(seconds).removesuffix("Z")


def rfc3339(seconds: float, digits: int = 0) -> str:
    """A moment as text, for instance 2026-11-21T10:15:00Z, with 0 or 3 decimals."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    precision = "milliseconds" if digits else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
