import errno
import gc
import glob
import json
import os
import shutil
import threading

import pytest
from conftest import pra, serving
from helpers import add, bring, content, crash_at, failing, lose_data, overwrite, rewrite
from wire import get

from pra.base.errors import EXIT_REFUSED, Damaged, DiskFull, NeedsRestore, ReadOnly, Refused
from pra.disk import files, look
from pra.events.sqlite import SqliteEvents
from pra.journal import history, replay
from pra.points import catalogue
from pra.protect import backup
from pra.sql import connect, schema
from pra.state import volumes


def test_the_latest_point_comes_back_after_the_volume_is_lost(config, where, events):
    add(events, 3)
    point = backup.run(config)
    lose_data(where)
    with pytest.raises(NeedsRestore):
        events.count()
    volumes.ensure_initialised(where)
    assert events.needs_restore(), "a start never creates an empty database where points exist"
    result = bring(config, "latest")
    assert result["point"] == point.name
    assert (result["rows"], result["max_id"], result["safety_point"]) == (3, 3, None)
    assert events.count() == 3
    assert backup.run(config).status == "verified"


def test_a_restore_saves_what_is_there_and_gives_no_id_twice(config, where, events):
    add(events, 2)
    point = backup.run(config)
    add(events, 3)
    result = bring(config, point.name)
    safety = catalogue.find(catalogue.scan(where), result["safety_point"])
    assert (safety.status, safety.manifest["rows"]) == ("safety", 5)
    assert catalogue.latest(catalogue.scan(where)) == point, "a safety point is not a backup"
    assert events.count() == 2
    assert events.add("new")["id"] == 6
    again = bring(config, safety.name)
    assert again["rows"] == 5
    assert again["generation"] > result["generation"]


def test_a_smaller_state_that_was_restored_on_purpose_is_no_poison(config, where, events):
    add(events, 1)
    point = backup.run(config)
    add(events, 20)
    backup.run(config)
    bring(config, point.name)
    assert backup.run(config).status == "verified"


def test_latest_skips_a_damaged_point_and_says_so(config, where, events):
    add(events, 1)
    good = backup.run(config)
    add(events, 1)
    bad = backup.run(config)
    with open(where.point(bad.name), "r+b") as file:
        file.seek(5000)
        file.write(b"\xff")
    result = bring(config, "latest")
    assert result["point"] == good.name
    assert [skipped["name"] for skipped in result["skipped"]] == [bad.name]
    with pytest.raises(Damaged):
        bring(config, bad.name)


def test_a_quarantined_point_needs_force(config, where, events):
    add(events, 5)
    backup.run(config)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events").fetchall())
    suspect = backup.run(config)
    with pytest.raises(Refused, match="quarantined"):
        bring(config, suspect.name)
    assert bring(config, suspect.name, force=True)["rows"] == 0


def test_a_foreign_copy_can_be_restored_onto_empty_volumes(config, events, where, tmp_path):
    add(events, 4)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy.db"
    shutil.copy(os.path.realpath(where.link), copy)
    lose_data(where)
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    shutil.copy(copy, where.point("app-1700000000.db"))
    assert bring(config, "app-1700000000.db")["rows"] == 4
    assert SqliteEvents(config).add("new")["id"] == 5
    assert backup.run(config).status == "verified"


def test_a_valid_database_of_something_else_is_refused(config, where):
    conn = connect.open_new(where.point("app-1700000000.db"))
    conn.execute("CREATE TABLE other(x)")
    conn.close()
    with pytest.raises(Damaged, match="no table events"):
        bring(config, "app-1700000000.db")


def test_without_points_there_is_nothing_to_restore(config, where):
    with pytest.raises(Refused, match="no verified point"):
        bring(config, "latest")


def test_a_restore_is_refused_where_it_would_not_fit(config, where, events, monkeypatch):
    add(events, 1)
    point = backup.run(config)
    monkeypatch.setattr(look, "free_bytes", lambda path: 1000)
    with pytest.raises(DiskFull):
        bring(config, point.name)
    assert events.count() == 1


def test_a_copy_that_reads_back_differently_is_refused(config, where, events):
    add(events, 3)
    point = backup.run(config)

    def hook(phase, operation, arguments):
        copies = glob.glob(f"{where.data}/new-g2/app.db")
        if (phase, operation) == ("after", "fsync") and copies:
            data = bytearray(content(copies[0]))
            data[-1] ^= 1
            overwrite(copies[0], data)

    files.hook = hook
    with pytest.raises(Damaged, match="reads back differently"):
        bring(config, point.name)
    assert events.count() == 3


def test_transactions_are_not_replayed_onto_other_tables(where, events):
    # SQLite would report success and drop the rows.
    add(events, 3)
    path = history.live_path(where)
    runs = list(path.runs(path.origin()))
    assert [len(run.records) for run in runs] == [3]
    conn = connect.open_new(f"{where.temporary}/other.db")
    schema.create(conn)
    conn.execute("ALTER TABLE events RENAME TO older_events")
    conn.execute("CREATE TABLE events(message TEXT PRIMARY KEY) WITHOUT ROWID")
    work = replay.Replay(conn, path.origin())
    with pytest.raises(Damaged, match="another schema"):
        work.run(iter(runs))
    assert (work.count, work.reached) == (0, path.origin())
    conn.close()


def test_a_restore_that_fails_leaves_nothing_that_fills_the_volume(config, where, events):
    add(events, 3)
    point = backup.run(config)
    before = sorted(look.names(where.data))
    with failing("fsync", errno.EIO), pytest.raises(OSError):
        bring(config, point.name)
    assert sorted(look.names(where.data)) == before
    with crash_at("fsync"):
        bring(config, point.name)
    assert sorted(look.names(where.data)) != before
    seen = []

    def hook(phase, operation, arguments):
        if operation == "open_new" and arguments[0].startswith(f"{where.data}/new-g"):
            seen.append(len(glob.glob(f"{where.data}/*/app.db")))

    files.hook = hook
    bring(config, point.name)
    assert seen == [1, 2], "the current database alone, then the one that is built"


def test_a_database_whose_link_alone_is_gone_is_not_taken_for_a_left_over(config, where, events):
    add(events, 3)
    backup.run(config)
    os.unlink(where.link)
    with pytest.raises(Refused, match="no point"):
        bring(config, "app-1.db")
    assert os.path.exists(f"{where.data}/g1/app.db")


@pytest.mark.parametrize("volume", ["data", "backup"])
def test_a_restore_is_refused_where_a_volume_cannot_be_written(
    config, where, events, monkeypatch, volume
):
    add(events, 1)
    backup.run(config)
    fixed = getattr(where, volume)
    monkeypatch.setattr(look, "writable", lambda path: path != fixed)
    files.hook = lambda phase, operation, arguments: pytest.fail(f"{operation} {arguments}")
    with pytest.raises(ReadOnly, match=fixed) as refusal:
        bring(config)
    assert refusal.value.exit_code == EXIT_REFUSED


def test_a_point_without_content_is_not_restored_by_force_either(config, where, events):
    add(events, 2)
    point = backup.run(config)
    os.unlink(where.point(point.name))
    overwritten = backup.run(config)
    overwrite(where.point(overwritten.name), b"")
    for name in (point.name, overwritten.name):
        with pytest.raises(Refused, match="missing or empty"):
            bring(config, name, force=True)


def test_a_destroyed_database_is_kept_byte_by_byte_before_a_restore(config, where, events):
    add(events, 3)
    backup.run(config)
    live = os.path.realpath(where.link)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(live, "r+b") as file:
        file.write(b"garbage" * 100)
    with open(live, "rb") as file:
        garbage = file.read()
    result = bring(config, "latest")
    with open(where.point(result["safety_point"]), "rb") as file:
        assert file.read() == garbage
    assert SqliteEvents(config).count() == 3


def test_stopped_at_any_step_the_database_is_the_old_or_the_new_one(config, where, events):
    add(events, 2)
    point = backup.run(config)
    add(events, 3)

    class Stop(BaseException):
        pass

    def at(wanted):
        count = iter(range(1, 10_000))

        def hook(phase, operation, arguments):
            if next(count) == wanted:
                raise Stop

        return hook

    wanted, counts = 1, set()
    while True:
        # What stops within a finaliser stops nothing: none is to run by chance meanwhile.
        gc.disable()
        files.hook = at(wanted)
        try:
            bring(config, point.name)
            break
        except Stop:
            files.hook = None
        finally:
            gc.enable()
        counts.add(SqliteEvents(config).count())
        # The next one starts from five rows again.
        safety = [p for p in catalogue.scan(where) if p.manifest and p.manifest["rows"] == 5]
        if safety:
            bring(config, safety[0].name)
        assert SqliteEvents(config).count() == 5
        wanted += 1
    files.hook = None
    assert counts == {2, 5}
    assert SqliteEvents(config).count() == 2
    folders = [name for name in os.listdir(where.data) if name.startswith("g")]
    assert len(folders) == 1


def test_two_restores_at_once_take_turns(environment, config, where, events):
    add(events, 2)
    backup.run(config)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(pra(environment, "restore", "--json")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    generations = {json.loads(result.stdout)["generation"] for result in results}
    assert len(generations) == 2
    assert SqliteEvents(config).count() == 2


def test_running_workers_pick_up_a_restore_under_load(environment, config):
    with serving(environment) as (url, _):
        for _ in range(5):
            get(url, "/add?message=x")
        assert pra(environment, "backup").returncode == 0
        stop, statuses = threading.Event(), []

        def write():
            while not stop.is_set():
                statuses.append(get(url, "/add?message=during").status)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        done = pra(environment, "restore", "latest", "--json")
        stop.set()
        for writer in writers:
            writer.join()
        assert done.returncode == 0, done.stderr
        assert set(statuses) <= {200, 503}
        before = get(url, "/count").json["count"]
        assert get(url, "/add?message=after").status == 200
        assert get(url, "/count").json == {"count": before + 1}


def test_workers_survive_the_loss_and_return_of_the_data_volume(environment, config, where):
    with serving(environment) as (url, _):
        get(url, "/add?message=x")
        assert pra(environment, "backup").returncode == 0
        lose_data(where)
        assert get(url, "/count").json == {"count": 0, "needs_restore": True}
        said = get(url, "/add?message=lost")
        assert (said.status, said.json["needs_restore"]) == (503, True)
        assert get(url, "/health").status == 200
        assert pra(environment, "restore", "--json").returncode == 0
        assert get(url, "/count").json == {"count": 1}
        assert get(url, "/add?message=x").status == 200


def test_verbs_report_failure_in_json_and_exit_code(environment, where):
    for arguments, code in (
        (["restore", "--json"], 1),
        (["restore", "../x", "--json"], 2),
        (["restore", "app-1.db", "--json"], 2),
        (["frobnicate", "--json"], 2),
    ):
        done = pra(environment, *arguments)
        assert done.returncode == code, done
        document = json.loads(done.stdout)
        assert document["status"] == "error"
        assert document["next"]
        # A job hands on its log alone.
        assert document["exit_code"] == code
    shutil.rmtree(where.backup)
    assert pra(environment, "points", "--json").returncode == 4


def test_dump_writes_rows_in_order_from_the_database_and_from_points(
    environment, config, where, events
):
    add(events, 3)
    point = backup.run(config)
    add(events, 1)
    lines = [json.loads(line) for line in pra(environment, "dump").stdout.splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3, 4]
    assert set(lines[0]) == {"id", "timestamp", "message"}
    old = pra(environment, "dump", "--point", point.name).stdout.splitlines()
    assert len(old) == 3


def test_the_position_moves_with_every_transaction(where, events):
    add(events, 2)
    conn = connect.open_live(os.path.realpath(where.link))
    assert schema.position(conn).seq == 2
    conn.close()
