"""Restores to chosen moments, timelines, undo and plan."""

import os

import pytest
from helpers import add, as_rows, bring, journaled, lose_data, rewrite, rows

from pra.base import clock
from pra.base.errors import Refused
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import log
from pra.lineage import timelines
from pra.pitr import by_time, targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore


@pytest.fixture
def ticking(monkeypatch):
    """A clock that stands still until told otherwise; holds the current second."""
    moment = [1_800_000_000.0]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


def to_before(config, seq):
    return restore.run(config, lambda where, known: targets.just_before(where, seq))


def to_time(config, moment):
    return restore.run(
        config, lambda where, known: by_time.at_time(where, known, moment, "--to then")
    )


def undo(config):
    return restore.run(config, targets.undo)


def test_just_before_a_transaction(config, where, events):
    added = add(events, 6)
    backup.run(config)
    to_before(config, 5)
    assert rows(where) == as_rows(added[:4])


def test_the_log_finds_the_transaction_that_did_the_damage(config, where, events):
    add(events, 3)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events"))
    add(events, 1)
    (worst,) = log.transactions(where, largest=True, limit=1)
    assert (worst["seq"], worst["deleted"]) == (4, 3)
    assert [one["seq"] for one in log.transactions(where, largest=False, limit=2)] == [5, 4]
    to_before(config, worst["seq"])
    assert len(rows(where)) == 3


def test_no_id_is_given_twice_after_rows_were_added_and_deleted(config, where, events):
    """Combined, the two changes cancel out and AUTOINCREMENT's counter is lost."""
    add(events, 2)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events WHERE id=2"))
    lose_data(where)
    bring(config)
    assert events.add("new")["id"] == 3


def test_ids_of_an_abandoned_future_do_not_come_back(config, where, events):
    add(events, 5)
    to_before(config, 3)
    assert events.add("new")["id"] == 6
    lose_data(where)
    bring(config)
    assert [row[0] for row in rows(where)] == [1, 2, 6]


def test_the_abandoned_future_is_not_replayed_into_the_new_one(config, where, events):
    add(events, 5)
    to_before(config, 3)
    add(events, 2)
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live
    assert journaled(where) == [1, 2, 6, 7]


def test_latest_follows_the_current_timeline_not_the_newest_point(config, where, events):
    add(events, 2)
    first = backup.run(config)
    add(events, 3)
    backup.run(config)
    bring(config, first.name)
    lose_data(where)
    bring(config)
    assert len(rows(where)) == 2


def test_an_abandoned_transaction_can_still_be_chosen_by_number(config, where, events):
    added = add(events, 5)
    to_before(config, 3)
    events.add("other future")
    to_before(config, 5)
    assert rows(where) == as_rows(added[:4])


def test_a_moment_in_time(config, where, events, ticking):
    backup.run(config)
    added = []
    for _ in range(5):
        ticking[0] += 10
        added += add(events, 1)
    ticking[0] += 10
    to_time(config, 1_800_000_035.0)
    assert rows(where) == as_rows(added[:3])


def test_a_moment_after_all_that_was_written_is_the_latest_and_one_before_all_is_refused(
    config, where, events, ticking
):
    ticking[0] += 10_000_000
    add(events, 2)
    ticking[0] += 60
    to_time(config, ticking[0])
    assert len(rows(where)) == 2
    with pytest.raises(Refused, match="before all that is kept"):
        to_time(config, 1.0)


def test_where_the_clock_stepped_back_the_numbers_are_offered(config, where, events, ticking):
    ticking[0] += 10_000_000
    base = ticking[0]
    for offset in (10, 30, 15, 40):
        ticking[0] = base + offset
        add(events, 1)
    with pytest.raises(Refused) as failure:
        to_time(config, base + 20)
    assert "--to-before 2" in failure.value.next_step
    assert "--to-before 4" in failure.value.next_step
    to_time(config, base + 35)
    assert len(rows(where)) == 3


def test_where_the_clock_stepped_back_last_of_all_the_latest_is_offered(
    config, where, events, ticking
):
    ticking[0] += 10_000_000
    base = ticking[0]
    for offset in (10, 30, 15):
        ticking[0] = base + offset
        add(events, 1)
    with pytest.raises(Refused) as failure:
        to_time(config, base + 20)
    assert failure.value.next_step == "choose by number: --to-before 2 or latest"


def test_undo_returns_and_undo_twice_is_redo(config, where, events):
    add(events, 5)
    before = rows(where)
    to_before(config, 3)
    after = rows(where)
    undo(config)
    assert rows(where) == before
    undo(config)
    assert rows(where) == after


def test_undo_after_a_second_restore_and_writes_between(config, where, events):
    add(events, 5)
    to_before(config, 3)
    add(events, 1)
    between = rows(where)
    to_before(config, 2)
    undo(config)
    assert rows(where) == between


def test_undo_without_a_restore_or_without_anything_before(config, where, events):
    with pytest.raises(Refused, match="no restore"):
        undo(config)
    add(events, 1)
    backup.run(config)
    lose_data(where)
    bring(config)
    with pytest.raises(Refused, match="nothing was there"):
        undo(config)


def test_a_plan_tells_and_changes_nothing(config, where, events):
    add(events, 2)
    point = backup.run(config)
    add(events, 3)
    live, listed = rows(where), catalogue.scan(where)
    planned = plan.run(
        config, lambda where, known: targets.exact_point(catalogue.find(known, point.name))
    )
    assert (planned["rows"], planned["gained"], planned["lost"]) == (2, 0, 3)
    assert planned["left_behind"] == {"first_seq": 3, "last_seq": 5, "transactions": 3}
    assert (rows(where), catalogue.scan(where)) == (live, listed)
    assert timelines.numbers(where) == [1]


def test_a_plan_for_a_lost_volume(config, where, events):
    add(events, 3)
    lose_data(where)
    planned = plan.run(config, targets.latest)
    assert (planned["gained"], planned["lost"], planned["left_behind"]) == (3, 0, None)


def test_a_plan_counts_changed_rows(config, where, events):
    add(events, 3)
    events._database.write(
        "testing", lambda conn: conn.execute("UPDATE events SET message='x' WHERE id<3")
    )
    planned = plan.run(config, lambda where, known: targets.just_before(where, 4))
    assert (planned["gained"], planned["lost"], planned["changed"]) == (0, 0, 2)


def test_nothing_is_replayed_onto_a_foreign_point(config, where, events):
    add(events, 3)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    import os
    import shutil

    shutil.copy(os.path.realpath(where.link), where.point("app-1700000000.db"))
    add(events, 2)
    result = bring(config, "app-1700000000.db")
    assert (result["rows"], result["replayed"]) == (3, 0)
    events.add("protected at once")
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_a_base_that_does_not_fit_is_passed_over_for_an_older_one(config, where, events):
    """It lost a row that the journal then deletes: the journal alone has them all."""
    add(events, 3)
    rewrite(where, "DELETE FROM events WHERE id=2; UPDATE pra_position SET rows = rows - 1")
    bad = backup.run(config)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events WHERE id=3"))
    rewrite(where, "INSERT INTO events VALUES(2, '', ''); UPDATE pra_position SET rows = rows + 1")
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events WHERE id=2"))
    live = rows(where)
    result = bring(config)
    assert (result["point"], result["skipped"][0]["name"]) == (None, bad.name)
    assert rows(where) == live


def test_a_restore_while_writers_are_at_work_loses_nothing_acknowledged(config, where):
    import threading

    events = SqliteEvents(config)
    add(events, 10)
    backup.run(config)
    stop, acknowledged = threading.Event(), []

    def write():
        mine = SqliteEvents(config)
        while not stop.is_set():
            acknowledged.append(mine.add("during"))

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(5):
        bring(config)
    stop.set()
    for writer in writers:
        writer.join()
    assert set(as_rows(acknowledged)) <= set(rows(where))
    lose_data(where)
    bring(config)
    assert set(as_rows(acknowledged)) <= set(rows(where))


def test_a_plan_says_where_what_is_there_cannot_be_read(config, where, events):
    add(events, 3)
    backup.run(config)
    with open(os.path.realpath(where.link), "r+b") as file:
        file.write(bytes(os.path.getsize(file.fileno())))
    for name in ("-wal", "-shm"):
        files.remove(os.path.realpath(where.link) + name)
    planned = plan.run(config, targets.latest)
    assert planned["rows"] == 3
    assert (planned["gained"], planned["lost"], planned["changed"]) == (None, None, None)
    assert "database" in planned["unreadable"]
