"""A suspect point: it stops no writes, costs no promise, and is no latest by itself."""

import os

import pytest
from helpers import add, bring, lose_data, rewrite, rows

from pra.base import settings
from pra.base.errors import Damaged
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.journal.comparison import Mismatch
from pra.pitr import bounds, targets
from pra.points import catalogue
from pra.protect import backup, retention
from pra.recovery import restore


def run(events, sql, bindings=()):
    """A transaction of the application's."""
    return events._database.write("testing", lambda conn: conn.execute(sql, bindings).fetchall())


@pytest.fixture
def small(environment, monkeypatch):
    """A backup volume of 2 MiB, and segments to fit."""
    monkeypatch.setattr(segments, "SIZE", 16 << 10)
    changes = {"PRA_BACKUP_MIB": "2", "PRA_KEEP_MIB": "1"}
    return settings.load({**environment, **changes})


@pytest.fixture
def purged(small, where):
    """190 of 200 rows were deleted, on purpose, and nobody said so; the rows before that."""
    events = SqliteEvents(small)
    run(
        events,
        "INSERT INTO events(ts, message) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
        " FROM n WHERE i < 200) SELECT 't', hex(randomblob(250)) FROM n",
    )
    backup.run(small)
    events.add("one more")
    backup.run(small)
    before = rows(where)
    run(events, "DELETE FROM events WHERE id <= 190")
    return before


def work_on(config, times):
    """Rows that change in their place: much more journal than the volume holds."""
    events = SqliteEvents(config)
    for number in range(times):
        run(events, "UPDATE events SET message = hex(randomblob(1000)) WHERE id <= 201")
        if number % 5 == 4:
            assert backup.run(config).status == "quarantined"


def test_a_loss_that_nobody_accepts_stops_no_write(small, where, purged):
    work_on(small, 60)
    live = rows(where)
    kept = sum(os.path.getsize(one.path) for one in segments.listing(where))
    assert kept < 1 << 20, "60 times 40 kB went through it"
    lose_data(where)
    result = bring(small)
    assert rows(where) == live, "every write that was acknowledged"
    base = catalogue.find(catalogue.scan(where), result["point"])
    assert base.status == "quarantined"


def test_suspect_points_stay_only_where_they_spare_more_than_they_take(small, where, purged):
    """Rows that are added are as large in the journal as in a point."""
    events = SqliteEvents(small)
    for number in range(15):
        add(events, 5)
        if number % 5 == 4:
            backup.run(small)
    suspects = [point.name for point in catalogue.scan(where) if point.status == "quarantined"]
    config = small._replace(keep_mib=0)
    gone = retention.run(config, dry_run=True)
    assert set(gone["removed"]) == set(suspects[1:])
    assert gone["segments"] == 0
    work_on(small, 60)
    gone = retention.run(config, dry_run=True)
    left = [point for point in catalogue.scan(where) if point.name not in gone["removed"]]
    assert [point.status for point in left[:2]] == ["quarantined", "quarantined"]
    live = rows(where)
    retention.run(config, dry_run=False)
    lose_data(where)
    bring(small)
    assert rows(where) == live


def test_what_led_to_the_loss_can_still_be_taken_back(small, where, purged):
    work_on(small, 60)
    good = catalogue.latest(catalogue.scan(where))
    assert good.manifest["rows"] == len(purged)
    restore.run(small, lambda where, known: targets.just_before(where, 3))
    assert rows(where) == purged


def test_of_two_suspect_points_one_may_be_bad(small, where, purged):
    work_on(small, 60)
    live = rows(where)
    newest = catalogue.scan(where)[0]
    with open(where.point(newest.name), "r+b") as file:
        file.write(b"damaged")
    lose_data(where)
    result = bring(small)
    assert result["skipped"][0]["name"] == newest.name
    assert rows(where) == live


def test_once_accepted_the_suspect_points_need_not_stay(small, where, purged):
    work_on(small, 20)
    backup.run(small, accept=True)
    events = SqliteEvents(small)
    for _ in range(8):
        events.add("goes on")
        assert backup.run(small).status == "verified"
    retention.run(small, dry_run=False)
    live = rows(where)
    lose_data(where)
    bring(small)
    assert rows(where) == live


def test_the_reach_begins_behind_what_was_removed(small, where, purged):
    work_on(small, 60)
    known = catalogue.scan(where)
    first = bounds.summary(where, known)["first_seq"]
    oldest_suspect = min(p.manifest["position"]["seq"] for p in known if p.status == "quarantined")
    assert first >= oldest_suspect


def test_a_suspect_point_is_never_the_latest_without_a_journal(environment, where):
    config = settings.load({**environment, "PRA_JOURNAL": "off"})
    events = SqliteEvents(config)
    add(events, 10)
    good = backup.run(config)
    run(events, "DELETE FROM events WHERE id > 1")
    assert backup.run(config).status == "quarantined"
    assert bring(config)["point"] == good.name
    assert len(rows(where)) == 10


def test_a_suspect_point_that_the_journal_does_not_know_is_no_base(config, where, events):
    add(events, 10)
    good = backup.run(config)
    run(events, "DELETE FROM events WHERE id > 1")
    suspect = backup.run(config)
    assert targets.in_journal(where, suspect)
    for segment in segments.listing(where):
        os.unlink(segment.path)
    assert not targets.in_journal(where, suspect)
    lose_data(where)
    assert bring(config)["point"] == good.name


def test_it_is_announced_at_once_with_the_way_through_and_the_room(small, where, purged):
    events = SqliteEvents(small)
    assert events.status()["notices"] == []
    suspect = backup.run(small)
    (notice,) = events.status()["notices"]
    assert suspect.name in notice["what"] and "190 are gone" in notice["what"]
    assert "MiB are left on the backup volume" in notice["what"]
    assert "backup --accept" in notice["next"] and "restore --to-before" in notice["next"]
    backup.run(small, accept=True)
    assert events.status()["notices"] == []


def test_rot_is_no_suspicion(config, where, events):
    """Nothing vouches for a copy of damaged pages: there is none."""
    add(events, 10)
    backup.run(config)
    path = os.path.realpath(where.link)
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(data.index(b"message 3"))
        file.write(b"massage 3")
    with pytest.raises(Damaged):
        backup.run(config)
    assert [point.status for point in catalogue.scan(where)] == ["verified"]


@pytest.mark.parametrize("mode", ["required", "off"])
def test_a_wanted_loss_before_a_new_base_stops_no_write(environment, where, mode):
    """Neither where others changed the tables, nor where the journal is switched on again."""
    config = settings.load(environment)
    before = config._replace(journal=mode)
    add(SqliteEvents(before), 20)
    good = backup.run(before)
    run(SqliteEvents(before), "DELETE FROM events WHERE id <= 15")
    rewrite(where, "CREATE INDEX i ON events(ts)")
    events = SqliteEvents(config)
    with pytest.raises(Mismatch):
        events.add("before its base")
    assert backup.run(config).status == "quarantined"
    events.add("goes on")
    assert backup.run(config).status == "quarantined"
    events.add("and on")
    live = rows(where)
    retention.run(config._replace(keep_mib=0), dry_run=False)
    lose_data(where)
    bring(config)
    assert rows(where) == live
    bring(config, good.name)
    assert len(rows(where)) == 20


@pytest.mark.parametrize("damaged", [0, 1])
def test_of_two_bases_behind_such_a_loss_one_may_be_bad(environment, where, damaged, monkeypatch):
    """However little the journal holds: it begins at the first of them."""
    monkeypatch.setattr(segments, "SIZE", 16 << 10)
    config = settings.load(environment)
    off = config._replace(journal="off")
    add(SqliteEvents(off), 20)
    backup.run(off)
    run(SqliteEvents(off), "DELETE FROM events WHERE id <= 15")
    backup.run(config)
    events = SqliteEvents(config)
    for _ in range(4):
        events.add("goes on")
        backup.run(config)
    live = rows(where)
    retention.run(config._replace(keep_mib=0, keep_quarantined=0), dry_run=False)
    suspect = [point for point in catalogue.scan(where) if point.status == "quarantined"]
    with open(where.point(suspect[damaged].name), "r+b") as file:
        file.write(b"damaged")
    lose_data(where)
    bring(config)
    assert rows(where) == live
