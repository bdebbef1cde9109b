"""Making restore points: snapshot, check, hash, publish; then the manifest the same way."""

import contextlib
import os

import apsw

from pra import (
    beside,
    clock,
    copying,
    fileops,
    identity,
    in_use,
    layout,
    locks,
    manifest,
    marks,
    notices,
    points,
    rebase,
    retention,
    room,
    schema,
    segments,
    sqlite,
    steady,
    suspicion,
    verify,
    volumes,
)
from pra.errors import Damaged, DiskFull, RecordLost, from_os_error, no_space
from pra.layout import Layout
from pra.points import Point
from pra.settings import Settings

_DOING = "making a backup"
#: How far names may run ahead of the clock, in seconds; more is a clock that was wrong.
_AHEAD = 86_400


def run(settings: Settings, accept: bool = False, first: bool = False) -> Point:
    """Make a point of the current database.

    Args:
        accept: take the database as it is, also if it looks like an accident, lacks what
            was acknowledged, or others may have written to it.
        first: there is no point that it could be compared with.

    Returns:
        The new point, verified or quarantined.

    Raises:
        NeedsRestore, Refused, Locked, StorageError: no point was made.
    """
    where = settings.layout
    refuse_unready(where, _DOING)
    with locks.maintenance(where, _DOING):
        identity.heal(where)
        sweep(where)
        try:
            point = _run(settings, where, accept, first)
        except (DiskFull, OSError) as error:
            if not no_space(error):
                raise
            # What the retention rules no longer keep makes room, once.
            sweep(where)
            retention.apply(settings, where)
            point = _once_more(settings, where, accept, first)
        except Damaged as error:
            if not isinstance(error, RecordLost):
                notices.note_damage(where, error.happened, error.next_step)
            raise
        notices.forget_damage(where)
        retention.apply(settings, where, made=point)
        return point


def _once_more(settings: Settings, where: Layout, accept: bool, first: bool) -> Point:
    try:
        return _run(settings, where, accept, first)
    except OSError as error:
        raise from_os_error(_DOING, error) from error


def _run(settings: Settings, where: Layout, accept: bool, first: bool) -> Point:
    if accept:
        rebase.accept_missing(where)
    known = points.scan(where)
    with rebase.entered(where, _DOING):
        ours = rebase.guarded(where)
        if accept and not ours:
            rebase.take_over(where)
        if settings.journal == "off":
            rebase.refuse_behind(where)
            if accept and not ours:
                rebase.guard(where)
        # What others may have written becomes a base only if somebody wants that; and
        # nothing does that is older than its journal.
        elif (ours or accept) and (rebase.needed(where) or not ours):
            return _new_base(settings, where, known, accept, first)
    return _make(settings, where, known, accept, first)


def _new_base(
    settings: Settings, where: Layout, known: list[Point], accept: bool, first: bool
) -> Point:
    """Make a point from which the journal goes on; needs the writer lock.

    What was written between the two could not be replayed. A suspect one serves as well,
    as its rows are those of history from there on: a wanted loss must not stop writes.
    """
    rebase.move(where)
    point = _make(settings, where, known, accept, first)
    rebase.begin(where, point)
    return point


def _make(
    settings: Settings, where: Layout, known: list[Point], accept: bool, first: bool
) -> Point:
    temporary, content = snapshot(where)
    content["status"], content["reason"], content["accepted"] = "verified", None, accept or first
    reason = None
    if first and not accept:
        reason = None if content["position"] else schema.UNGUARDED
    elif not accept:
        reason = suspicion.reason(settings, where, known, temporary, content)
    if reason:
        content["status"], content["reason"] = "quarantined", reason
        if content["position"]:
            content["suspect_since"] = suspicion.since(where, known, content)
        same = _already_quarantined(where, known, content)
        if same:
            fileops.remove(temporary)
            return same
    return publish(where, known, temporary, content)


def publish_base(where: Layout, path: str) -> Point:
    """Make a verified point of a database that was built aside and is not in use yet."""
    temporary, content = snapshot(where, path)
    content["status"], content["reason"], content["begins"] = "verified", None, True
    return publish(where, points.scan(where), temporary, content)


def refuse_unready(where: Layout, doing: str) -> None:
    """Refuse without a database, or with volumes that are not a pair.

    Raises:
        NeedsRestore, Refused
    """
    if volumes.current(where) is None:
        raise volumes.missing(where, doing)
    data, backup = marks.mark_of(where.data), marks.mark_of(where.backup)
    if data is None or backup is None or data.lineage != backup.lineage:
        raise identity.NoPair(doing, where)


def snapshot(where: Layout, database: str | None = None) -> tuple[str, dict]:
    """Copy a database as of one moment and check the copy.

    Args:
        database: its path; the current one by default.

    Returns:
        Path of the copy, durable but unpublished, and what a manifest says of it.
    """
    path = f"{where.temporary}/snapshot.db"
    fileops.remove(path)
    database = database or f"{where.generation(volumes.current(where))}/app.db"
    with sqlite.errors(_DOING):
        source = sqlite.open_for_copy(database)
        try:
            _move_log(source)
            _copy(where, source, path)
        finally:
            source.close()
    # From here on nobody writes it, so what is left to do goes on side by side.
    with (
        beside.Beside(lambda: _describe(path)) as described,
        beside.Beside(lambda: copying.sha256(path)) as digest,
    ):
        fileops.sync_file(path)
    content = {**described.result, "sha256": digest.result, "bytes": fileops.size(path)}
    if content["position"]:
        # A row can be in the copy while it is on its way to the disks: a point that
        # outlived it there would be ahead of its own database and journal.
        with contextlib.suppress(FileNotFoundError):
            fileops.sync_file(f"{database}-wal")
        segments.sync_last(where, content["position"]["timeline"])
    return path, content


def _move_log(source: apsw.Connection) -> None:
    """Move the log into the database as far as it goes: only there pages have checksums.

    Others may still need what is in it, or their disk fail: then the copy is made from both.
    """
    with contextlib.suppress(apsw.Error):
        source.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _copy(where: Layout, source: apsw.Connection, path: str) -> None:
    pages, size = source.pragma("page_count"), source.pragma("page_size")
    room.reserve(where, where.backup, pages * size)
    target = sqlite.open_target(path)
    try:
        with target.backup("main", source, "main") as copying:
            # One step: the copy is of one moment however much is written meanwhile.
            copying.step(-1)
        # The header says WAL, as the source's does; in that state a mere look
        # at the point would leave -wal and -shm beside it.
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()


def _describe(path: str) -> dict:
    with sqlite.errors(_DOING):
        conn = sqlite.open_resting(path)
        try:
            reason = schema.fault(conn)
            if reason:
                raise Damaged(_DOING, reason, "restore: python -m pra restore latest")
            rows, max_id = schema.totals(conn)
            here = schema.proven_position(conn)
            issued = schema.highest_issued(conn)
        finally:
            conn.close()
    return {
        "rows": rows,
        "max_id": max_id,
        "highest_issued": issued,
        "position": here.as_dict() if here else None,
        "sqlite": apsw.sqlite_lib_version(),
    }


def publish(where: Layout, known: list[Point], temporary: str, content: dict) -> Point:
    """Give a checked copy its name, then its manifest; never over an existing file.

    Args:
        known: the points there are, for the next serial number and the time.
    """
    now = clock.now()
    epoch = int(now)
    content = {
        "format": manifest.FORMAT,
        "serial": 1 + max((point.serial for point in known), default=0),
        "created": clock.rfc3339(epoch),
        "created_epoch": epoch,
        "created_time": round(now, 3),
        "steady_time": round(steady.now(known), 3),
        "clock": steady.jump(known),
        "lineage": marks.lineage_of(where.backup),
        **content,
    }
    # Its first name has to outlive a power loss, or half a point could not be told from a copy.
    fileops.fsync_directory(where.temporary)
    name = _link_free_name(where, temporary, _first_name(known, epoch))
    content["name"] = name
    fileops.fsync_directory(where.backup)
    unpublished = f"{where.temporary}/snapshot.json"
    fileops.remove(unpublished)
    fileops.write_new(unpublished, manifest.seal(content))
    fileops.link_new(unpublished, where.manifest(name))
    fileops.fsync_directory(where.backup)
    fileops.remove(unpublished)
    fileops.remove(temporary)
    status, reason = content["status"], content["reason"]
    return Point(name, epoch, content["bytes"], status, reason, content)


def _first_name(known: list[Point], epoch: int) -> int:
    """The first second to try: behind names that several points a second pushed ahead.

    The name of a point that was removed meanwhile must not come to mean another.
    """
    ahead = [layout.point_epoch(point.name) for point in known]
    return max((1 + other for other in ahead if epoch <= other < epoch + _AHEAD), default=epoch)


def _link_free_name(where: Layout, temporary: str, epoch: int) -> str:
    while True:
        name = layout.point_name(epoch)
        if fileops.size(where.manifest(name)) is None:
            with contextlib.suppress(FileExistsError):
                fileops.link_new(temporary, where.point(name))
                return name
        epoch += 1


def sweep(where: Layout) -> None:
    """Remove what an interrupted backup or removal left; needs the maintenance lock.

    A point's file without its manifest still has another name here: that tells
    it from a file that somebody copied by hand.
    """
    in_use.sweep(where)
    for entry in fileops.names(where.temporary):
        path = f"{where.temporary}/{entry}"
        if entry.endswith(".db") and os.stat(path).st_nlink > 1:
            _unpublish_half(where, path)
        fileops.remove(path)


def _unpublish_half(where: Layout, path: str) -> None:
    wanted = fileops.identity(path)
    for name in fileops.names(where.backup):
        half = layout.POINT_NAME.fullmatch(name) and fileops.size(where.manifest(name)) is None
        if half and fileops.identity(where.point(name)) == wanted:
            fileops.remove(where.point(name))


def _already_quarantined(where: Layout, known: list[Point], content: dict) -> Point | None:
    """The newest quarantined point if it holds the same bytes, as read: once is enough."""
    newest = next((point for point in known if point.status == "quarantined"), None)
    if newest is None or newest.manifest["sha256"] != content["sha256"]:
        return None
    return newest if verify.fault(where, newest) is None else None
