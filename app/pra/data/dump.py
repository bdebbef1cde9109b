"""Every row as JSON lines, from one moment, in constant memory."""

import json
from typing import TextIO

import apsw

from pra.base.settings import Settings
from pra.data.database import Database
from pra.points import catalogue
from pra.sql import connect

_QUERY = "SELECT id, ts, message FROM events ORDER BY id"
_BATCH = 1000


def run(settings: Settings, name: str | None, out: TextIO) -> None:
    """Write every row of the database, or of the point ``name``, in the order of ids.

    Raises:
        NeedsRestore: there is no database.
        UsageError, Unknown: there is no such point.
    """
    if name is None:
        with Database(settings).read("reading all rows") as conn:
            _write(conn, out)
        return
    where = settings.layout
    point = catalogue.find(catalogue.scan(where), name)
    with connect.errors(f"reading {name}"):
        conn = connect.open_resting(where.point(point.name))
        try:
            _write(conn, out)
        finally:
            conn.close()


def _write(conn: apsw.Connection, out: TextIO) -> None:
    lines = []
    for identifier, ts, message in conn.execute(_QUERY):
        row = {"id": identifier, "timestamp": ts, "message": message}
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        if len(lines) == _BATCH:
            out.write("\n".join(lines) + "\n")
            lines.clear()
    if lines:
        out.write("\n".join(lines) + "\n")
