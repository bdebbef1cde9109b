"""The catalogue for who asks for it all the time: only files that changed are read again.

With ten thousand points a whole listing takes a third of a second, and the same files say
the same.
"""

from pra.base import layout
from pra.base.layout import Layout
from pra.disk.listing import Listing
from pra.lineage import marks
from pra.points import catalogue
from pra.points.catalogue import Point, Points


class Watched:
    """The points of a backup volume, for one process and one thread at a time."""

    def __init__(self, where: Layout):
        self._where, self._listing = where, Listing(where.backup)
        self._lineage: str | None = None
        self._points: dict[str, Point] = {}
        self._unread: set[str] = set()
        self._ordered = Points()

    def scan(self) -> Points:
        """Every point, newest first, as ``catalogue.scan`` lists them.

        Of a file that was changed in place, ``listing.LOOKS`` scans later at the latest.

        Raises:
            OSError: the backup volume cannot be read.
        """
        named = (layout.POINT_FILE.fullmatch(name) for name in self._listing.look())
        self._unread.update(f"{found[1]}.db" for found in named if found)
        lineage = marks.lineage_of(self._where.backup)
        if lineage != self._lineage:
            self._lineage = lineage
            self._unread.update(self._points)
        if self._unread:
            for name in self._unread:
                self._read(name)
            self._unread.clear()
            self._ordered = catalogue.in_order(self._points.values())
        return self._ordered

    def _read(self, name: str) -> None:
        entries = self._listing.entries
        database, manifest = entries.get(name), entries.get(f"{name.removesuffix('.db')}.json")
        size = database.size if database and database.is_file else None
        if size is None and manifest is None:
            self._points.pop(name, None)
            return
        self._points[name] = catalogue.of_files(
            self._where, name, size, manifest is not None, self._lineage
        )
