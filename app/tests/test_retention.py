import errno
import os

import pytest
from helpers import add, bring, content, failing, lose_data, rows

from pra.base import clock, settings
from pra.base.errors import DiskFull
from pra.disk import look
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import targets
from pra.points import catalogue, elapsed
from pra.protect import backup, retention
from pra.recovery import restore

START = 1_800_000_000


@pytest.fixture
def small(environment):
    """Settings that keep little."""

    def make(**changes):
        keep = {"LAST": 3, "HOURS": 2, "DAYS": 2, "WEEKS": 2, "SAFETY_HOURS": 1, "QUARANTINED": 2}
        names = {f"PRA_KEEP_{name}": str(value) for name, value in {**keep, **changes}.items()}
        return settings.load({**environment, **names})

    return make


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""

    def set_clock(seconds):
        monkeypatch.setattr(clock, "now", lambda: float(START + seconds))

    set_clock(0)
    return set_clock


def backups(config, at, moments):
    made = []
    for moment in moments:
        at(moment)
        made.append(backup.run(config))
    return made


def test_the_newest_and_one_each_of_hours_days_and_weeks_stay(
    small, at, where, events, monkeypatch
):
    config = small()
    add(events, 1)
    hour, day, week = 3600, 86_400, 604_800
    # Days pass here from one point to the next, as they would with those between.
    monkeypatch.setattr(elapsed, "STEP", week)
    moments = [0, week, 2 * week, 2 * week + day, 2 * week + day + hour]
    moments += [moments[-1] + 60 * minute for minute in range(1, 6)]
    made = backups(config, at, moments)
    kept = {point.epoch - START for point in catalogue.scan(where)}
    assert {point.epoch - START for point in made[-3:]} <= kept
    assert 2 * week + day in kept, "the newest of the hour before"
    assert 2 * week in kept, "the newest of the day before"
    assert 0 not in kept


def test_a_dry_run_says_the_same_and_removes_nothing(small, at, where, events):
    backups(small(LAST=50), at, range(0, 600, 60))
    config = small(HOURS=0, DAYS=0, WEEKS=0)
    planned = retention.run(config, dry_run=True)
    assert len(catalogue.scan(where)) == 10
    done = retention.run(config, dry_run=False)
    assert planned["removed"] == done["removed"]
    assert len(catalogue.scan(where)) == 3


def test_quarantined_points_are_bounded_and_the_last_good_one_stays(small, at, where, events):
    config = small()
    add(events, 10)
    good = backup.run(config)
    for number in range(6):
        at(60 * number)
        lost = f"DELETE FROM events WHERE id > {2 - number % 2}"
        for sql in (lost, f"UPDATE events SET message='{number}'"):
            events._database.write("testing", lambda conn, sql=sql: conn.execute(sql).fetchall())
        assert backup.run(config).status == "quarantined"
    listed = catalogue.scan(where)
    assert catalogue.latest(listed) == good
    assert sum(point.status == "quarantined" for point in listed) == 2


def test_safety_points_stay_while_undo_needs_them_or_they_are_young(small, at, where, events):
    config = small()
    for number in range(3):
        at(4000 * number)
        add(events, 2)
        restore.run(config, lambda where, known, n=number: targets.just_before(where, 2 + n))
    at(100_000)
    backup.run(config)
    safety = [point for point in catalogue.scan(where) if point.status == "safety"]
    assert len(safety) == 1
    before = rows(where)
    restore.run(config, targets.undo)
    assert rows(where) != before


def test_a_point_that_stands_for_a_safety_point_stays_as_long(small, at, where, events):
    config = small(HOURS=0, DAYS=0, WEEKS=0, SAFETY_HOURS=1)
    made = backups(config, at, [0])
    add(events, 2)
    made += backups(config, at, [60])
    # What is there is what the newest point holds, so that point is the safety point.
    assert bring(config, made[0].name)["safety_point"] == made[1].name
    add(events, 1)
    bring(config, made[0].name)
    backups(config, at, range(120, 3000, 600))
    assert made[1] in catalogue.scan(where)
    backups(config, at, range(5000, 5300, 60))
    assert made[1] not in catalogue.scan(where)


def damaged(where):
    """Overwrites the database's first page; a -wal with rows stays beside it."""
    with open(os.path.realpath(where.link), "r+b") as file:
        file.write(b"garbage" * 100)


def test_the_wal_of_a_raw_copy_counts_and_goes_with_it(small, at, where, events):
    backup.run(small())
    for number in range(2):
        at(60 * number)
        # A connection stays open: the log is not put into the database at its end.
        reader = SqliteEvents(small())
        add(reader, 3 + number)
        wal = content(os.path.realpath(where.link) + "-wal")
        damaged(where)
        name = bring(small())["safety_point"]
        raw = next(point for point in catalogue.scan(where) if point.name == name)
        assert content(where.raw_wal(raw.wal)) == wal
    assert len(look.names(where.raw)) == 2
    with open(f"{where.raw}/left-by-a-kill.db-wal", "wb"):
        pass
    at(100_000)
    backups(small(), at, [100_000, 100_060])
    planned = retention.run(small(LAST=2, SAFETY_HOURS=0), dry_run=True)
    listed = [point for point in catalogue.scan(where) if point.name in planned["removed"]]
    assert look.names(where.raw) == [f"{raw.wal}.db-wal"], "undo still needs the last one"
    assert raw not in listed
    bring(small())
    freed = retention.run(small(SAFETY_HOURS=0), dry_run=False)
    assert raw.name in freed["removed"]
    assert freed["bytes"] >= raw.bytes + len(wal)
    assert look.names(where.raw) == []


def test_the_wal_of_a_raw_copy_counts_towards_the_size(small, at, where, monkeypatch, events):
    monkeypatch.setattr(segments, "SIZE", 16 << 10)
    config = small(LAST=60, MIB=1)
    add(events, 1)
    backups(config, at, range(0, 600, 60))
    # Rows that change in their place: the log grows, and has no copy of the first page.
    for number in range(150):
        update = f"UPDATE events SET message='{number}'"
        events._database.write("testing", lambda conn, sql=update: conn.execute(sql))
    damaged(where)
    raw = bring(config)["safety_point"]
    known = {point.name: point for point in catalogue.scan(where)}
    without = sum(point.bytes for point in known.values())
    without += sum(look.size(segment.path) for segment in segments.listing(where))
    wal = look.size(where.raw_wal(known[raw].wal))
    assert without < 1 << 20 < without + wal
    retention.run(config, dry_run=False)
    left = {point.name for point in catalogue.scan(where)}
    assert raw in left
    assert len(left) < len(known)


def test_foreign_files_are_never_removed(small, at, where, events):
    with open(where.point("app-1.db"), "wb") as file:
        file.write(b"mine")
    backups(small(), at, range(0, 600, 60))
    assert "app-1.db" in {point.name for point in catalogue.scan(where)}


def test_the_journal_that_is_still_needed_stays(small, at, where, monkeypatch, events):
    monkeypatch.setattr(segments, "SIZE", 2048)
    config = small(LAST=2, HOURS=0, DAYS=0, WEEKS=0)
    for moment in range(0, 600, 60):
        at(moment)
        add(events, 10)
        backup.run(config)
    assert len(segments.listing(where)) < 8
    live = rows(where)
    newest = catalogue.latest(catalogue.scan(where))
    with open(where.point(newest.name), "r+b") as file:
        file.write(b"damaged")
    lose_data(where)
    result = bring(config)
    assert result["point"] != newest.name, "the second-newest point and the journal suffice"
    assert rows(where) == live


@pytest.fixture
def future_left_behind(small, at, where, events):
    """The data volume is lost and an old point restored: only the journal has what came after."""
    made = backups(small(), at, [0, 60])
    add(events, 5)
    later = rows(where)
    lose_data(where)
    bring(small(), made[0].name)
    at(120)
    return later


def test_what_a_restore_left_behind_can_still_be_wanted(small, at, where, future_left_behind):
    retention.run(small(), dry_run=False)
    restore.run(small(), lambda where, known: targets.just_before(where, 5))
    assert rows(where) == future_left_behind[:4]


def test_an_id_is_not_given_out_again_though_its_journal_is_gone(
    small, at, where, events, future_left_behind
):
    retention.run(small(SAFETY_HOURS=0), dry_run=False)
    lose_data(where)
    bring(small())
    assert events.add("after")["id"] == 6


def test_all_stays_within_the_configured_size(small, at, where, events):
    config = small(LAST=60, MIB=2)
    add(events, 200)
    backups(config, at, range(0, 7200, 60))
    used = sum(point.bytes for point in catalogue.scan(where))
    used += sum(1 << 20 for _ in segments.listing(where))
    assert used <= 2 << 20
    assert catalogue.latest(catalogue.scan(where))


def test_a_full_volume_makes_room_and_tries_once_more(small, at, where, events):
    backups(small(LAST=60), at, range(0, 600, 60))
    with failing("link_new", errno.ENOSPC):
        assert backup.run(small()).status == "verified"
    assert len(catalogue.scan(where)) < 10


def test_a_volume_that_stays_full_fails_loudly(small, where, events):
    with failing("link_new", errno.ENOSPC, times=100), pytest.raises(DiskFull):
        backup.run(small())


def test_nothing_older_goes_on_the_word_of_a_point_that_does_not_read_back(
    environment, where, capsys
):
    config = settings.load(environment)
    config = config._replace(keep_last=1, keep_hours=0, keep_days=0, keep_weeks=0)
    events = SqliteEvents(config)
    made = []
    for _ in range(3):
        add(events, 2)
        made.append(backup.run(config))
    assert [point.name for point in catalogue.scan(where)] == [made[2].name, made[1].name]
    path = where.point(made[2].name)
    with open(path, "r+b") as file:
        file.seek(file.seek(0, os.SEEK_END) // 2)
        file.write(b"rot")
    add(events, 2)
    newest = backup.run(config)
    left = [point.name for point in catalogue.scan(where)]
    assert left == [newest.name, made[2].name, made[1].name]
    said = capsys.readouterr().err
    assert made[2].name in said and "does not read back" in said
    assert retention.run(config, dry_run=False)["removed"] == []
    live = rows(where)
    os.remove(where.point(newest.name))
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_a_backup_reads_the_newest_segment_once_for_each_of_two_bases(
    small, at, where, events, monkeypatch
):
    config = small()
    for moment in (0, 60, 120):
        at(moment)
        add(events, 5)
        backup.run(config)
    read, asked = segments.read, []
    monkeypatch.setattr(segments, "read", lambda segment: asked.append(segment) or read(segment))
    at(180)
    add(events, 5)
    backup.run(config)
    assert len(asked) == 2
    assert {segment.path for segment in asked} == {segments.listing(where)[-1].path}
