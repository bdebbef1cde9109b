"""The wall clock, in one place, and how its readings are written."""

import time
from datetime import datetime, timezone


def now() -> float:
    """Seconds since 1970, UTC. Clocks step: never order anything by this."""
    return time.time()


def now_ms() -> int:
    """The same in whole milliseconds, which is how precisely moments are kept."""
    return int(now() * 1000)


def rfc3339(seconds: float, digits: int = 0) -> str:
    """A moment as text, for instance 2026-11-21T10:15:00Z, with 0 or 3 decimals."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    precision = "milliseconds" if digits else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
