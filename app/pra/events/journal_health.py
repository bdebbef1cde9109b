"""Whether the journal leads to the latest moment, looked at only when its files changed."""

import os

from pra.base.errors import PraError
from pra.base.layout import Layout
from pra.disk import look
from pra.journal import history, segments
from pra.journal.history import Path, Start
from pra.pitr import targets
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.recovery import warnings
from pra.state import volumes


class JournalHealth:
    """The journal's health as this process last saw it.

    Segments that are full do not change, so that a look costs a glance at their names:
    what is read again is what came since, from the newest verified point on. The end
    that is being written is compared with the database elsewhere, while there is one.
    """

    def __init__(self, where: Layout, mode: str):
        self._where, self._mode = where, mode
        self._seen: tuple | None = None
        self._found: str | None = None

    def trouble(self, known: list[Point]) -> str | None:
        """Why a restore of the latest moment would stop or may lack something; None if not.

        Args:
            known: all points, newest first.
        """
        try:
            path = history.live_path(self._where)
            if path is None:
                return None
            seen = self._files(path, catalogue.latest(known))
            if seen != self._seen:
                self._found, self._seen = self._look(path, known), seen
            return self._found
        except PraError as error:
            return error.happened

    def _files(self, path: Path, newest: Point | None) -> tuple:
        """What changes when there is something else to be read."""
        found = [
            segment
            for timeline in path.line
            for segment in segments.of_timeline(self._where, timeline.number)
        ]
        still = found if volumes.current(self._where) is None else found[:-1]
        return (
            newest.name if newest else None,
            tuple(os.path.basename(segment.path) for segment in found),
            tuple(look.signature(segment.path) for segment in still),
        )

    def _look(self, path: Path, known: list[Point]) -> str | None:
        base = next(
            (
                one
                for one in targets.bases(path, known, None)
                if isinstance(one, Start) or one.status == "verified"
            ),
            None,
        )
        if base is None:
            return None
        start = base if isinstance(base, Start) else targets.start_of(base)
        try:
            for _ in path.runs(start):
                pass
        except PraError as error:
            return error.happened
        missing = warnings.no_journal(self._where, path, start.place.seq)
        if missing and self._mode != "off":
            return missing
        if volumes.current(self._where) is not None:
            return None
        return history.end_of(self._where, path.line[-1]).doubt
