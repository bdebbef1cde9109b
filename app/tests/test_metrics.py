"""What /metrics tells of a pair of volumes, in the states that they can be in."""

import errno
import gc
import os
import shutil
import threading
import time

import helpers
import pytest
from told import Told, parsed

from pra.base import clock
from pra.disk import fairlock, files, locks
from pra.events import volumes_seen
from pra.events.sqlite import SqliteEvents
from pra.points import catalogue
from pra.protect import backup


@pytest.fixture
def told(config, events):
    """The application's figures; its events and these share no process state."""
    return Told(config)


def test_a_sound_lab_tells_its_figures_and_nothing_fails(told, events, config, where):
    helpers.add(events, 3)
    made = backup.run(config)
    helpers.add(events, 2)
    now = told.now()
    assert told.failed(now) == set()
    assert now["pra_rows",] == 5
    assert now["pra_needs_restore",] == 0
    assert now["pra_points", "verified"] == 1
    assert now["pra_newest_point_rows",] == 3
    assert now["pra_newest_point_timestamp_seconds",] == made.manifest["created_time"]
    assert now["pra_newest_point_transactions_behind",] == 2
    assert now["pra_database_position",] == now["pra_journal_position",]
    assert now["pra_journal_lag_transactions",] == now["pra_journal_lag_seconds",] == 0
    assert now["pra_points_bytes",] == made.bytes
    assert now["pra_journal_bytes",] == os.path.getsize(helpers.last_segment(where))
    assert now["pra_protection_info", "required", "journal"] == 1
    assert now["pra_clock_odd",] == now["pra_clock_step_seconds",] == 0
    assert set(told.of("pra_unprotected")) == set(volumes_seen.REASONS)
    assert not told.true("pra_unprotected")


def test_a_lab_that_was_just_made_has_no_point_and_says_nothing_of_one(told):
    now = told.now()
    assert told.failed(now) == set()
    assert not [key for key in now if key[0].startswith("pra_newest_point")]
    assert now["pra_points", "verified"] == 0


def test_the_figures_are_those_of_status(told, events, config, where):
    helpers.add(events, 4)
    backup.run(config)
    status, now = told.client.get("/status").json, told.now()
    assert now["pra_rows",] == status["count"]
    assert now["pra_newest_point_rows",] == status["backup_rows"]
    for short, volume in (("data", "pra-data"), ("backup", "pra-backup")):
        room = status["volumes"][short]
        assert now["pra_volume_used_bytes", volume] == room["used"]
        assert now["pra_volume_full", volume] == room["full"]


def test_a_database_that_is_lost_needs_a_restore(told, events, config, where):
    helpers.add(events, 3)
    backup.run(config)
    helpers.lose_data(where)
    now = told.now()
    assert now["pra_needs_restore",] == 1
    assert now["pra_rows",] == 0
    assert ("pra_database_position",) not in now
    # What the backup volume has is told all the same.
    assert now["pra_newest_point_rows",] == 3
    assert now["pra_journal_position",] == helpers.journaled(where)[-1]


def test_a_data_volume_that_is_gone_is_one_collector_that_fails(told, events, config, where):
    helpers.add(events, 3)
    backup.run(config)
    shutil.rmtree(where.data)
    now = told.now()
    assert told.failed(now) == {"data_volume"}
    assert now["pra_needs_restore",] == 1
    assert ("pra_volume_bytes", "pra-data") not in now
    assert now["pra_points", "verified"] == 1


def test_a_backup_volume_that_is_gone_is_a_reason_and_hides_no_row(told, events, config, where):
    helpers.add(events, 3)
    backup.run(config)
    told.now()
    shutil.rmtree(where.backup)
    now = told.now()
    assert {"backup_volume", "points", "clock"} <= told.failed(now)
    assert "database" not in told.failed(now)
    assert now["pra_rows",] == 3
    assert told.true("pra_unprotected") == {"backup_volume_gone"}
    assert not [key for key in now if key[0] == "pra_points"]


def test_what_came_back_is_told_again(told, events, config, where, tmp_path):
    helpers.add(events, 3)
    backup.run(config)
    os.rename(where.backup, tmp_path / "away")
    assert "points" in told.failed()
    os.rename(tmp_path / "away", where.backup)
    assert told.failed() == set()
    assert told.one("pra_points", "verified") == 1


def test_removed_guards_are_the_reason(told, events, where):
    helpers.add(events, 1)
    helpers.rewrite(where, "DROP TRIGGER pra_guard_insert")
    assert told.true("pra_unprotected") == {"guards_removed"}


def test_a_database_that_is_older_than_its_journal_is_behind(told, events, config, where):
    helpers.add(events, 400)
    events._database.pool.close_idle(checkpoint=True)
    helpers.step_back(where, 3)
    assert told.true("pra_unprotected") == {"behind"}


def test_changed_tables_are_the_reason(told, events, where):
    helpers.add(events, 1)
    helpers.rewrite(where, "CREATE TABLE other(id INTEGER PRIMARY KEY)")
    assert told.true("pra_unprotected") == {"unfit_tables"}


def test_another_mode_of_the_servers_is_the_reason(told, events, config, where):
    from pra.state import mode

    helpers.add(events, 1)
    mode.record(where, "best-effort")
    assert told.true("pra_unprotected") == {"journal_mode"}


def test_a_quarantined_point_is_counted_and_the_newest_good_one_told(told, events, config, where):
    helpers.add(events, 20)
    good = backup.run(config)
    events._database.write("deleting", lambda conn: conn.execute("DELETE FROM events"))
    assert backup.run(config).status == "quarantined"
    assert told.of("pra_points") == {
        "verified": 1,
        "quarantined": 1,
        "safety": 0,
        "foreign": 0,
        "damaged": 0,
    }
    assert told.one("pra_newest_point_timestamp_seconds") == good.manifest["created_time"]


def test_a_point_that_is_cut_off_is_damaged_in_the_next_answer(told, events, config, where):
    helpers.add(events, 3)
    made = backup.run(config)
    assert told.one("pra_points", "verified") == 1
    os.truncate(where.point(made.name), 100)
    assert told.of("pra_points")["damaged"] == 1
    assert told.one("pra_newest_point_rows") is None


def test_a_journal_that_is_cut_off_is_damaged(told, events, config, where):
    helpers.add(events, 3)
    backup.run(config)
    helpers.add(events, 3)
    path = helpers.last_segment(where)
    raw = bytearray(helpers.content(path))
    raw[helpers.sound_end(path) - 40] ^= 1
    helpers.overwrite(path, bytes(raw))
    helpers.lose_data(where)
    assert told.one("pra_journal_damaged") == 1


def test_a_restore_brings_its_figures_back(told, events, config, where):
    helpers.add(events, 3)
    backup.run(config)
    helpers.add(events, 2)
    helpers.lose_data(where)
    assert told.one("pra_needs_restore") == 1
    helpers.bring(config)
    now = told.now()
    assert told.failed(now) == set()
    assert (now["pra_needs_restore",], now["pra_rows",]) == (0, 5)
    # No point of the new timeline yet, and nothing to count from.
    assert ("pra_newest_point_transactions_behind",) not in now
    backup.run(config)
    assert told.one("pra_newest_point_transactions_behind") == 0


def test_transactions_that_no_journal_has_are_its_lag(config, where):
    config = config._replace(journal="best-effort")
    events, told = SqliteEvents(config), Told(config)
    helpers.add(events, 2)
    assert told.one("pra_journal_lag_transactions") == 0
    end = told.one("pra_journal_position")

    def full(phase, operation, arguments):
        path = "write_at_once" in operation and os.readlink(f"/proc/self/fd/{arguments[0]}")
        if phase == "before" and str(path).endswith(".seg"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.hook = full
    helpers.add(events, 3)
    files.hook = None
    now = told.now()
    assert now["pra_journal_position",] == end
    assert now["pra_journal_lag_transactions",] == 3
    assert 0 < now["pra_journal_lag_seconds",] < 3600
    assert told.true("pra_unprotected") == {"journal"}
    backup.run(config)
    assert told.one("pra_journal_lag_transactions") == told.one("pra_journal_lag_seconds") == 0


def test_a_journal_whose_folder_is_gone_has_no_position(told, events, where):
    helpers.add(events, 2)
    shutil.rmtree(where.journal)
    now = told.now()
    assert "journal" in told.failed(now)
    assert ("pra_journal_position",) not in now


def test_without_a_journal_there_is_no_lag(config, where):
    config = config._replace(journal="off")
    helpers.add(SqliteEvents(config), 2)
    now = Told(config).now()
    assert now["pra_protection_info", "off", "snapshot"] == 1
    assert ("pra_journal_lag_transactions",) not in now
    assert ("pra_journal_position",) not in now


def test_a_clock_that_was_set_back_is_told_with_its_step(told, events, config, monkeypatch):
    helpers.add(events, 1)
    backup.run(config)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - 7200)
    assert told.one("pra_clock_odd") == 1
    assert -7205 < told.one("pra_clock_step_seconds") < -7195


def test_a_point_that_is_too_old_is_overdue(events, config, monkeypatch):
    config = config._replace(overdue_seconds=240)
    told = Told(config)
    helpers.add(events, 1)
    backup.run(config)
    assert told.one("pra_backup_overdue_after_seconds") == 240
    assert told.one("pra_backup_overdue") == 0
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 300)
    assert told.one("pra_backup_overdue") == 1


def test_a_full_volume_is_full(events, config, where):
    config = config._replace(backup_mib=1)
    helpers.add(events, 1)
    told = Told(config)
    assert told.of("pra_volume_full") == {"pra-data": 0, "pra-backup": 1}
    assert told.of("pra_volume_bytes")["pra-backup"] == 1 << 20


def test_no_lock_is_waited_for(told, events, config, where):
    helpers.add(events, 2)
    lock = fairlock.FairLock(f"{where.locks}/maintenance")
    lock.acquire("holding it", 1)
    try:
        with locks.writer(where, "holding it"):
            now = told.now()
    finally:
        lock.close()
    assert told.failed(now) == set()
    assert now["pra_rows",] == 2


def test_nothing_on_the_volumes_is_changed(told, events, config, where):
    helpers.add(events, 2)
    backup.run(config)
    told.now()
    gc.collect()  # Servers of tests before this one take their marks away when they are collected.
    changed = []
    files.hook = lambda phase, operation, arguments: changed.append(operation)
    told.now()
    files.hook = None
    assert not set(changed) - {"open_read"}


def test_many_who_ask_at_once_get_whole_answers(told, events):
    helpers.add(events, 1)
    answers, threads = [], []
    for _ in range(8):
        client = told.client.application.test_client()
        ask = threading.Thread(target=lambda c=client: answers.append(c.get("/metrics")))
        threads.append(ask)
        ask.start()
    for thread in threads:
        thread.join()
    rows = [parsed(one.get_data(as_text=True))["pra_rows",] for one in answers]
    assert rows == [1] * 8


def test_a_look_that_hangs_is_not_waited_for(config, events, unsynced, monkeypatch):
    helpers.add(events, 1)
    hangs, goes_on = threading.Event(), threading.Event()
    in_order = catalogue.in_order

    def stuck(found):
        hangs.set()
        goes_on.wait(30)
        return in_order(found)

    told = Told(config)
    backup.run(config)
    monkeypatch.setattr(catalogue, "in_order", stuck)
    began = time.monotonic()
    now = told.now()
    assert hangs.is_set()
    # What was read before it hung is told, and what was not, fails.
    assert now["pra_volume_bytes", "pra-data"] > 0
    assert {"points", "database", "protection"} <= told.failed(now)
    assert told.failed() == {*told.of("pra_collector_success")}
    # Less than it hangs, by what a busy machine takes longer.
    assert time.monotonic() - began < 25
    goes_on.set()
    helpers.until(lambda: told.failed() == set())


def exposition_of(told):
    """What answers in an application."""
    view = told.client.application.view_functions["told"]
    return view.__closure__[0].cell_contents
