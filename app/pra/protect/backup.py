"""Making restore points: snapshot, check, hash, publish; then the manifest the same way."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import apsw

from pra.base.errors import Damaged, DiskFull, RecordLost, from_os_error, no_space
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import copying, files, locks, look, space
from pra.journal import segments
from pra.lineage import data_volume, marks
from pra.points import catalogue, publish
from pra.points.catalogue import Point
from pra.protect import new_base, notices, retention, suspicion, upgrades
from pra.sql import connect, counting, guards, schema
from pra.state import attempts, identity, mode, volumes

_DOING = "making a backup"


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
        publish.sweep(where)
        try:
            point = _run(settings, where, accept, first)
        except (DiskFull, OSError) as error:
            if not no_space(error):
                raise
            # What the retention rules no longer keep makes room, once.
            publish.sweep(where)
            retention.apply(settings, where)
            point = _once_more(settings, where, accept, first)
        except Damaged as error:
            if not isinstance(error, RecordLost):
                notices.note_damage(where, error.happened, error.next_step)
            raise
        notices.forget_damage(where)
        place = point.manifest["position"]
        if place and point.status == "verified":
            _note_data_volume(where, place)
            attempts.forget(where)
        retention.apply(settings, where, made=point)
        return point


def _note_data_volume(where: Layout, place: dict) -> None:
    def promised() -> str | None:
        try:
            return mode.promised(where)
        except (Damaged, OSError):
            return None

    noted = promised()
    data_volume.note(where, place["lineage"], place["timeline"], noted)
    # Whoever begins to serve says so, and then forgets the note: before it is written here,
    # or after this look.
    if promised() != noted:
        data_volume.note(where, place["lineage"], place["timeline"], None)


def _once_more(settings: Settings, where: Layout, accept: bool, first: bool) -> Point:
    try:
        return _run(settings, where, accept, first)
    except OSError as error:
        raise from_os_error(_DOING, error) from error


def _run(settings: Settings, where: Layout, accept: bool, first: bool) -> Point:
    if accept:
        new_base.accept_missing(where)
    known = catalogue.scan(where)
    with new_base.writer_lock_on_live(where, _DOING):
        ours = new_base.guarded(where)
        if accept and not ours:
            new_base.take_over(where)
        upgrades.know_count(where, anew=accept)
        if settings.journal == "off":
            new_base.refuse_behind(where)
            if accept and not ours:
                new_base.guard(where)
            upgrades.add_keys(where)
        # What others may have written becomes a base only if somebody wants that; and
        # nothing does that is older than its journal.
        elif (ours or accept) and (
            new_base.needed(where) or not ours or upgrades.lacks_keys(where)
        ):
            return _new_base(settings, where, known, accept, first)
    return _make(settings, where, known, accept, first)


def _new_base(
    settings: Settings, where: Layout, known: list[Point], accept: bool, first: bool
) -> Point:
    """Make a point from which the journal goes on; needs the writer lock.

    What was written between the two could not be replayed. A suspect one serves as well,
    as its rows are those of history from there on: a wanted loss must not stop writes.
    """
    new_base.move(where)
    point = _make(settings, where, known, accept, first)
    new_base.begin(where, point)
    return point


def _make(
    settings: Settings, where: Layout, known: list[Point], accept: bool, first: bool
) -> Point:
    temporary, content = snapshot(where)
    _refuse_miscounted(temporary, content["rows"])
    content["status"], content["reason"], content["accepted"] = "verified", None, accept or first
    reason = None
    if first and not accept:
        reason = None if content["position"] else guards.UNGUARDED
    elif not accept:
        reason = suspicion.reason(settings, where, known, temporary, content)
    if reason:
        content["status"], content["reason"] = "quarantined", reason
        if content["position"]:
            content["suspect_since"] = suspicion.since(where, known, content)
        same = publish.already_quarantined(where, known, content)
        if same:
            files.remove(temporary)
            return same
    return publish.publish(where, known, temporary, content)


def _refuse_miscounted(path: str, rows: int) -> None:
    """Refuse a copy whose events are not as many as the database says.

    Raises:
        Damaged: rows came or went past all transactions.
    """
    with connect.errors(_DOING):
        conn = connect.open_resting(path)
        try:
            kept = counting.kept(conn)
        finally:
            conn.close()
    if kept not in (None, rows):
        raise Damaged(
            _DOING,
            f"the database has {rows} events, and its transactions left {kept}",
            "python -m pra restore latest --plan says what differs; python -m pra restore latest"
            " takes what points and journal have; python -m pra backup --accept keeps what is here",
        )


def publish_base(where: Layout, path: str) -> Point:
    """Make a verified point of a database that was built and is not in use yet."""
    temporary, content = snapshot(where, path)
    content["status"], content["reason"], content["begins"] = "verified", None, True
    return publish.publish(where, catalogue.scan(where), temporary, content)


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
    files.remove(path)
    database = database or f"{where.generation(volumes.current(where))}/app.db"
    with connect.errors(_DOING):
        source = connect.open_for_copy(database)
        try:
            _move_log(source)
            _copy(where, source, path)
        finally:
            source.close()
    # From here on nobody writes it, so what is left to do goes on side by side.
    with ThreadPoolExecutor() as others:
        described, digest = others.submit(_describe, path), others.submit(copying.sha256, path)
        files.sync_file(path)
    content = {**described.result(), "sha256": digest.result(), "bytes": look.size(path)}
    if content["position"]:
        # A row can be in the copy while it is on its way to the disks: a point that
        # outlived it there would be ahead of its own database and journal.
        with contextlib.suppress(FileNotFoundError):
            files.sync_file(f"{database}-wal")
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
    space.reserve(where, where.backup, pages * size)
    target = connect.open_target(path)
    try:
        # One moment, for the copy and the number of its definitions.
        source.execute("BEGIN")
        definitions, *_ = schema.version(source)
        with target.backup("main", source, "main") as copying:
            # One step: the copy is of one moment however much is written meanwhile.
            copying.step(-1)
        source.execute("COMMIT")
        # SQLite counts that as a change of definitions. The number of events is bound to it.
        target.execute(f"PRAGMA schema_version={definitions}")
        # The header says WAL, as the source's does; in that state a mere look
        # at the point would leave -wal and -shm beside it.
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()


def _describe(path: str) -> dict:
    with connect.errors(_DOING):
        conn = connect.open_resting(path)
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
