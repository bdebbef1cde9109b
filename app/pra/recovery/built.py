"""A database that a restore built and has yet to make the current one; and the time that took."""

import time

from pra.journal.history import Start
from pra.journal.records import Place
from pra.recovery import current


class Timer:
    """Seconds spent in each phase."""

    def __init__(self):
        self._began = time.monotonic()
        self._phases = dict.fromkeys(("verify", "build", "swap"), 0.0)

    def lap(self, phase: str) -> None:
        """Count the time since the last lap to a phase."""
        spent = time.monotonic() - self._began - sum(self._phases.values())
        self._phases[phase] += spent

    def report(self) -> dict[str, float]:
        """Seconds by phase, and "total"."""
        total = time.monotonic() - self._began
        return {**{k: round(v, 4) for k, v in self._phases.items()}, "total": round(total, 4)}


class BuiltDatabase:
    """A database that was built and is not in use yet.

    Attributes:
        path: where it lies.
        base: name of the point it was built from; None for the empty beginning.
        began: where that stands; None if it continues no known history.
        reached: where it stands; None if it continues no known history.
        rows: how many it holds, where that was proven when the base was made and
            nothing was replayed; else None.
        replayed: transactions applied onto the base.
        last_write: when the last of them was written, in RFC 3339; None where there is none.
        skipped: better bases that were not fit, as [{"name", "reason"}].
        unchecked: what is wrong with its pages, taken as they read now (only with force).
        short: why it does not reach its goal (only with force).
        end: where the journal ends, if that was reached.
        tail: what is wrong with that end, if anything after it is wanted.
    """

    def __init__(
        self,
        path: str,
        base: str | None,
        began: Start | None,
        rows: int | None = None,
        skipped: list[dict] | None = None,
        unchecked: current.Unchecked | None = None,
    ):
        self.path, self.base, self.rows = path, base, rows
        self.began = self.reached = began
        self.replayed = 0
        self.last_write: str | None = None
        self.skipped = skipped or []
        self.unchecked = unchecked
        self.short: str | None = None
        self.end: Place | None = None
        self.tail: str | None = None
