"""The operations that faults are put into, each on volumes prepared for it."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyrage

from faults.world import Reporter, Rows, World, begin, in_child
from pra.base import settings
from pra.base.offsite_place import Place
from pra.disk import copying, files, locks
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import durability, segments
from pra.offsite import push
from pra.pitr import targets
from pra.points import archive, catalogue
from pra.protect import backup, export, retention
from pra.recovery import restore
from pra.sql import connect, keys
from pra.state import jobs, volumes


@dataclass
class Scenario:
    """One operation.

    Attributes:
        name: for reports.
        template: volumes before it.
        before: their rows.
        work: the operation.
        states: the only rows allowed afterwards; None where the ledger decides.
    """

    name: str
    template: World
    before: Rows
    work: Callable[[World, Reporter], None]
    states: list[Rows] | None = None


def everything(folder: str) -> list[Scenario]:
    """All scenarios, prepared below a folder."""
    busy = World.empty(f"{folder}/busy")
    told = in_child(lambda reporter: prepare(busy, reporter)).values
    live = as_rows(told["live"])
    older = as_rows(told["older"])
    restored = busy.copy(f"{folder}/restored")
    in_child(lambda reporter: to_before(restored, 6))
    earlier = World.empty(f"{folder}/earlier")
    live_before = as_rows(
        in_child(lambda reporter: prepare_earlier(earlier, reporter)).values["live"]
    )
    copy = f"{folder}/copy.tar"
    in_child(lambda reporter: export_to(restored, copy))
    fresh = World.empty(f"{folder}/fresh")
    lost = busy.copy(f"{folder}/lost")
    lost.heals = True
    # A server was there before: it has told the volumes what it promises.
    in_child(lambda reporter: begin(lost))
    lost.lose_data()
    return [
        Scenario("first start", fresh, [], _start),
        Scenario("write", busy, live, _write),
        Scenario("write with keys", busy, live, _write_with_keys),
        Scenario("write and rotate", busy, live, _write_rotating),
        Scenario("write beside others", busy, live, _write_beside),
        Scenario("write together", busy, live, _write_together),
        Scenario("backup", busy, live, _backup),
        Scenario("record of jobs", busy, live, _record_of_jobs, [live]),
        Scenario("restore", busy, live, lambda world, _: to_before(world, 6), [live, older]),
        Scenario("undo", restored, older, _undo, [older, live]),
        Scenario("prune", busy, live, _prune, [live]),
        Scenario("export", busy, live, _export, [live]),
        Scenario("copy elsewhere", busy, live, _copy_elsewhere, [live]),
        Scenario("start on volumes of before", earlier, live_before, _upgrade),
        Scenario("restore by itself", lost, live, lambda world, _: begin(world), [live]),
        Scenario("adopt", busy, live, lambda world, _: _adopt(world, copy), [live, older]),
    ]


def as_rows(listed) -> Rows:
    return [tuple(row) for row in listed]


def prepare(world: World, reporter: Reporter) -> None:
    # Nearly full with these rows, so that a large one rotates.
    segments.SIZE = 4096
    volumes.ensure_initialised(world.where)
    events = SqliteEvents(world.config)
    for number in range(10):
        events.add(f"row {number}")
        if number in (2, 4, 8):
            backup.run(world.config)
    reporter.tell("live", world.rows())
    reporter.tell("older", world.rows()[:5])


def prepare_earlier(world: World, reporter: Reporter) -> None:
    """As a version before keys and the number of events leaves its volumes."""
    keys.addable = lambda conn: False
    prepare(world, reporter)
    conn = connect.open_live(os.path.realpath(world.where.link))
    for column in ("rows", "rows_seq", "rows_schema"):
        conn.execute(f"ALTER TABLE pra_position DROP COLUMN {column}")
    conn.close()


def _upgrade(world: World, reporter: Reporter) -> None:
    start.prepare(world.config)
    reporter.add(SqliteEvents(world.config), "with a key", keyed=True)


def _write_with_keys(world: World, reporter: Reporter) -> None:
    """One comes twice, and one that nobody sends again expires."""
    keys.KEPT = 2
    events = SqliteEvents(world.config)
    reporter.tell("sent", "expires")
    events.add("expires", "expires")
    for number in (1, 1, 2):
        reporter.add(events, f"new {number}", keyed=True)


def _start(world: World, reporter: Reporter) -> None:
    volumes.ensure_initialised(world.where)
    reporter.add(SqliteEvents(world.config), "first")


def _write(world: World, reporter: Reporter) -> None:
    events = SqliteEvents(world.config)
    for number in range(3):
        reporter.add(events, f"new {number}")


def _write_rotating(world: World, reporter: Reporter) -> None:
    segments.SIZE = 2048
    events = SqliteEvents(world.config)
    for letter in "xyz":
        reporter.add(events, letter * 1500)


def _write_beside(world: World, reporter: Reporter) -> None:
    """Others write where the first has committed and waits for the disks: all are in flight."""
    events = SqliteEvents(world.config)
    reporter.add(events, "before them")
    waiting, pending = durability.sync, ["the third", "the second"]

    def sync(*arguments):
        if pending:
            reporter.add(events, pending.pop())
        return waiting(*arguments)

    durability.sync = sync
    try:
        reporter.add(events, "the first")
    finally:
        durability.sync = waiting


def _write_together(world: World, reporter: Reporter) -> None:
    """Threads that come while another process has the writer lock become one transaction."""
    events = SqliteEvents(world.config)
    group = events._database.group
    threads = [
        threading.Thread(target=reporter.add, args=(events, f"thread {number}"))
        for number in range(4)
    ]
    with locks.writer(world.where, "holding them up"):
        for thread in threads:
            thread.start()
        # Where a fault ends one of them, the others are all there are.
        while group.waiting + 1 < sum(thread.is_alive() for thread in threads):
            time.sleep(0.001)
    for thread in threads:
        thread.join()


def _backup(world: World, reporter: Reporter) -> None:
    reporter.add(SqliteEvents(world.config), "before the backup")
    backup.run(world.config)


def _record_of_jobs(world: World, reporter: Reporter) -> None:
    """One run inside another, so that each half of the record is written."""
    with jobs.recorded(world.where, "backup"), jobs.recorded(world.where, "prune"):
        pass


def to_before(world: World, seq: int) -> None:
    # Even so small a point is copied in several parts.
    copying.CHUNK = copying.PART = 4096
    restore.run(world.config, lambda where, known: targets.just_before(where, seq))


def _undo(world: World, reporter: Reporter) -> None:
    copying.CHUNK = copying.PART = 4096
    restore.run(world.config, targets.undo)


def _export(world: World, reporter: Reporter) -> None:
    export_to(world, f"{world.folder}/copy.tar")


def _copy_elsewhere(world: World, reporter: Reporter) -> None:
    folder = f"{world.folder}/elsewhere"
    files.make_directory(folder)
    key = pyrage.x25519.Identity.generate()
    config = world.config._replace(
        offsite=Place(folder), offsite_recipients=(str(key.to_public()),)
    )
    push.run(config)
    push.run(config, anew=True)


def export_to(world: World, path: str) -> None:
    with open(path, "wb") as file:
        export.run(world.config, file)


def _adopt(world: World, path: str) -> None:
    with open(path, "rb") as file:
        goal = targets.Goal("the exported copy", copy=archive.Copy(file))
        restore.run(world.config, lambda where, known: goal)


def _prune(world: World, reporter: Reporter) -> None:
    little = settings.load(
        {
            "PRA_DATA_DIR": world.where.data,
            "PRA_BACKUP_DIR": world.where.backup,
            "PRA_JOURNAL": "required",
            "PRA_KEEP_LAST": "2",
            "PRA_KEEP_HOURS": "0",
            "PRA_KEEP_DAYS": "0",
            "PRA_KEEP_WEEKS": "0",
        }
    )
    retention.run(little, dry_run=False)
    assert len(catalogue.scan(world.where)) >= 2
