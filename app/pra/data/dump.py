"""Every row as JSON lines, from one moment, in constant memory."""

import json
from typing import TextIO

import apsw

from pra.base.layout import Layout
from pra.points import catalogue
from pra.sql import connect

_QUERY = "SELECT id, ts, message FROM events ORDER BY id"
_BATCH = 1000


def rows_of_point(where: Layout, name: str, out: TextIO) -> None:
    """Write every row of a restore point, in the order of ids.

    Raises:
        UsageError, Unknown: there is no such point.
    """
    point = catalogue.find(catalogue.scan(where), name)
    with connect.errors(f"reading {name}"):
        conn = connect.open_resting(where.point(point.name))
        try:
            rows(conn, out)
        finally:
            conn.close()


def rows(conn: apsw.Connection, out: TextIO) -> None:
    """Write every row that a connection sees, in the order of ids."""
    lines = []
    for identifier, ts, message in conn.execute(_QUERY):
        row = {"id": identifier, "timestamp": ts, "message": message}
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        if len(lines) == _BATCH:
            out.write("\n".join(lines) + "\n")
            lines.clear()
    if lines:
        out.write("\n".join(lines) + "\n")
