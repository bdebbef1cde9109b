"""Checking a point completely: every byte against its manifest, every page, every count."""

import apsw

from pra.base.layout import Layout
from pra.disk import copying, look
from pra.points import catalogue, manifest
from pra.points.catalogue import Point
from pra.sql import connect, schema


def check_all(where: Layout, names: list[str]) -> dict:
    """Check the named points, or all.

    Returns:
        {"ok": bool, "points": [{"name", "ok", "reason"}]}, newest first.
    """
    known = catalogue.scan(where)
    chosen = [catalogue.find(known, name) for name in names] if names else known
    results = []
    for point in chosen:
        reason = fault(where, point)
        results.append({"name": point.name, "ok": reason is None, "reason": reason})
    return {"ok": all(result["ok"] for result in results), "points": results}


def fault(where: Layout, point: Point) -> str | None:
    """Why a point cannot be trusted; None if it is sound."""
    if point.status == "damaged":
        return point.reason
    path = where.point(point.name)
    if point.manifest and copying.sha256(path) != point.manifest["sha256"]:
        return "the file's SHA-256 is not the manifest's"
    if point.manifest and not manifest.proves_content(point.manifest):
        # Damaged bytes were kept on purpose; that they are those bytes is all there is to check.
        return _wal_fault(where, point)
    return content_fault(path, point.manifest)


def _wal_fault(where: Layout, point: Point) -> str | None:
    """What is wrong with the -wal that was kept with a raw copy."""
    if not point.wal:
        return None
    path = where.raw_wal(point.wal)
    if look.size(path) is None:
        return "the -wal that was kept with it is missing"
    sound = copying.sha256(path) == point.wal
    return None if sound else "the -wal that was kept with it was changed"


def content_fault(path: str, known: dict | None) -> str | None:
    """Why a resting database file is not sound or not what its manifest says."""
    try:
        conn = connect.open_resting(path)
        try:
            reason = schema.fault(conn)
            return reason or (_difference(conn, known) if known else None)
        finally:
            conn.close()
    except apsw.Error as error:
        return f"SQLite cannot read it: {error}"


def _difference(conn: apsw.Connection, known: dict) -> str | None:
    rows, max_id = schema.totals(conn)
    here = schema.proven_position(conn)
    found = (rows, max_id, here.as_dict() if here else None)
    if found != (known["rows"], known["max_id"], known["position"]):
        return "rows, highest id or position differ from the manifest"
    return None
