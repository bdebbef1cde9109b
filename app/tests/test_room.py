"""Volumes that run full, by the size they are held to or by their file system's."""

import errno
import itertools
import os
import shutil

import pytest
from helpers import add, as_rows, bring, crash_at, failing, last_segment, lose_data, rewrite, rows

from pra.base import clock, settings
from pra.base.errors import DiskFull
from pra.disk import files, space
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import restore
from pra.web.routes import create_app

MIB = 1 << 20


@pytest.fixture
def environment(environment):
    """Volumes of a few MiB."""
    return {
        **environment,
        "PRA_DATA_MIB": "8",
        "PRA_BACKUP_MIB": "8",
        "PRA_KEEP_MIB": "4",
    }


@pytest.fixture(autouse=True)
def _fresh_looks(monkeypatch):
    monkeypatch.setattr(space, "_WRITE_LOOK", 0.0)


def fill(volume, size=8 * MIB):
    """A file of that size, which takes no space on the disk."""
    path = f"{volume}/ballast"
    with open(path, "w") as file:
        file.truncate(size)
    return path


def test_a_full_data_volume_refuses_writes_and_nothing_else(config, where, events):
    added = add(events, 3)
    ballast = fill(where.data)
    client = create_app(SqliteEvents(config)).test_client()
    answer = client.get("/add?message=x")
    assert answer.status_code == 507
    assert "no space left (pra-data)" in answer.get_json()["error"]
    assert client.get("/count").get_json() == {"count": 3}
    assert client.get("/status").get_json()["volumes"]["data"]["full"]
    assert backup.run(config).status == "verified"
    os.unlink(ballast)
    added.append(events.add("goes on by itself"))
    assert client.get("/status").get_json()["volumes"]["data"]["full"] is False
    assert rows(where) == as_rows(added)


def test_a_full_backup_volume_fails_backups_and_keeps_what_has_its_room(config, where, events):
    added = add(events, 3)
    backup.run(config)
    ballast = fill(where.backup)
    with pytest.raises(DiskFull, match="making a backup: no space left"):
        backup.run(config)
    # The segment that is being written has its room already.
    added.append(events.add("journaled all the same"))
    assert events.status()["volumes"]["backup"]["full"]
    os.unlink(ballast)
    assert backup.run(config).status == "verified"
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_a_full_backup_volume_refuses_writes_once_the_journal_has_no_room(
    config, where, events, monkeypatch
):
    monkeypatch.setattr(segments, "SIZE", 4096)
    added = add(events, 3)
    ballast = fill(where.backup)
    with pytest.raises(DiskFull) as failure:
        for _ in range(40):
            added.append(events.add("as long as the segment has room"))
    assert f"no space left ({where.backup})" in str(failure.value)
    assert len(added) > 3
    with pytest.raises(DiskFull):
        SqliteEvents(config).add("from another process")
    assert rows(where) == as_rows(added)
    os.unlink(ballast)
    added.append(events.add("goes on by itself"))
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_a_restore_keeps_to_the_size_of_the_data_volume(config, where, events):
    added = add(events, 3)
    backup.run(config)
    ballast = fill(where.data)
    with pytest.raises(DiskFull, match="0 are free"):
        bring(config)
    assert rows(where) == as_rows(added)
    os.unlink(ballast)
    assert bring(config)["rows"] == 3


def test_the_file_system_counts_where_it_has_less(config, where, monkeypatch):
    monkeypatch.setattr(space.look, "free_bytes", lambda path: 1000)
    assert space.of(where, where.data).free == 1000
    with pytest.raises(OSError):
        space.reserve_write(where)


def test_a_volume_without_a_size_is_as_large_as_its_file_system(environment, where):
    unlimited = settings.load({**environment, "PRA_DATA_MIB": "0"}).layout
    found = space.of(unlimited, where.data)
    assert found.size is None
    assert found.free > 8 * MIB


def test_a_file_with_two_names_is_counted_once(where, events):
    add(events, 1)
    before = space.of(where, where.backup).used
    os.link(last_segment(where), f"{where.temporary}/second-name")
    assert space.of(where, where.backup).used == before


def test_a_write_relies_on_a_look_that_is_young(where, monkeypatch):
    monkeypatch.setattr(space, "_WRITE_LOOK", 3600.0)
    space.reserve_write(where)
    ballast = fill(where.data)
    space.reserve_write(where)
    with pytest.raises(OSError):
        space.reserve(where, where.data, 1)
    os.unlink(ballast)


@pytest.fixture
def crowded(environment, where, monkeypatch):
    """A backup volume that is nearly full of points; returns rules that keep few of them.

    The points are older than anything that keeps all of the journal.
    """
    monkeypatch.setattr(segments, "SIZE", 16 << 10)
    roomy = settings.load({**environment, "PRA_KEEP_MIB": "7"})
    events = SqliteEvents(roomy)
    while space.of(roomy.layout, where.backup).free > 2 * MIB:
        for _ in range(50):
            events.add("x" * 4000)
        backup.run(roomy)
    events.add("in no point")
    strict = {"LAST": "2", "HOURS": "0", "DAYS": "0", "WEEKS": "0", "SAFETY_HOURS": "0"}
    return settings.load(
        {**environment, **{f"PRA_KEEP_{name}": value for name, value in strict.items()}}
    )


def test_a_restore_on_a_full_backup_volume_makes_room_by_the_rules(crowded, where):
    before, made = rows(where), catalogue.scan(where)
    fill(where.backup, space.of(crowded.layout, where.backup).free - (64 << 10))
    oldest = made[-1]
    result = bring(crowded, oldest.name)
    left = {point.name for point in catalogue.scan(where)}
    assert left == {made[0].name, made[1].name, oldest.name, result["safety_point"]}
    assert len(rows(where)) == oldest.manifest["rows"]
    restore.run(crowded, targets.undo)
    assert rows(where) == before


def test_what_leads_to_the_restored_moment_is_no_room_to_be_made(crowded, where):
    before, made = rows(where), catalogue.scan(where)
    fill(where.backup, space.of(crowded.layout, where.backup).free - (64 << 10))
    # Behind the oldest point but one, by the journal: neither is kept by the rules.
    seq = made[-2].manifest["position"]["seq"] + 20
    result = restore.run(crowded, lambda where, known: targets.just_before(where, seq))
    assert result["point"] == made[-2].name
    assert made[-1] not in catalogue.scan(where), "room was made"
    lose_data(where)
    bring(crowded)
    assert rows(where) == before[: seq - 1]


def test_a_restore_fails_loudly_where_the_rules_make_no_room(config, where, events):
    added = add(events, 3)
    point = backup.run(config)
    events.add("in no point")
    before = rows(where)
    fill(where.backup)
    with pytest.raises(DiskFull, match=f"restoring {point.name}: no space left"):
        bring(config, point.name)
    assert rows(where) == before
    assert catalogue.latest(catalogue.scan(where)) == point
    os.unlink(f"{where.backup}/ballast")
    bring(config, point.name)
    assert rows(where) == as_rows(added)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("operation", ["link_new", "fsync_directory"])
def test_a_restore_whose_safety_point_found_no_room_tries_once_more(
    config, where, events, operation, number
):
    add(events, 3)
    point = backup.run(config)
    events.add("in no point")
    with failing(operation, number):
        assert bring(config, point.name)["rows"] == 3
    assert [point.status for point in catalogue.scan(where)] == ["safety", "verified"]


def test_a_failing_disk_is_not_taken_for_a_full_one(config, where, events):
    add(events, 3)
    point = backup.run(config)
    events.add("in no point")
    with failing("link_new", errno.EIO), pytest.raises(OSError) as failure:
        bring(config, point.name)
    assert failure.value.errno == errno.EIO
    assert bring(config, point.name)["rows"] == 3


def test_a_foreign_copy_finds_room_for_the_base_it_needs(config, where, events):
    """It continues no history, so a point of what it became is made at once."""
    added = add(events, 3)
    point = backup.run(config)
    name = "app-1700000000.db"
    os.rename(where.point(point.name), where.point(name))
    os.unlink(where.manifest(point.name))
    lose_data(where)
    with failing("link_new", errno.ENOSPC):
        assert bring(config, name)["rows"] == 3
    assert [point.status for point in catalogue.scan(where)] == ["verified", "foreign"]
    assert rows(where) == as_rows(added)


def test_a_safety_point_that_had_to_make_room_is_made_anew(environment, where, events, monkeypatch):
    config = settings.load({**environment, "PRA_KEEP_SAFETY_HOURS": "0"})
    add(events, 3)
    point = backup.run(config)
    # Nothing but its bytes tells where such a database stands.
    rewrite(where, "DROP TRIGGER pra_guard_delete")
    with crash_at("symlink"):
        bring(config, point.name)
    # Another second: what is made next has another name.
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 10)
    assert [one.status for one in catalogue.scan(where)] == ["safety", "verified"]
    reserve, calls = space.reserve, []

    def full_at_first(where, directory, needed, max_age=0.0):
        calls.append(directory)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "full")
        reserve(where, directory, needed, max_age)

    monkeypatch.setattr(space, "reserve", full_at_first)
    result = bring(config, point.name)
    assert len(calls) > 1
    assert result["safety_point"] in [one.name for one in catalogue.scan(where)]


def test_the_safety_point_of_this_restore_is_no_room_to_be_made(
    environment, where, events, monkeypatch
):
    # Each point is of another second, so no name is given twice.
    seconds = itertools.count(1_800_000_000, 10)
    monkeypatch.setattr(clock, "now", lambda: float(next(seconds)))
    config = settings.load({**environment, "PRA_KEEP_SAFETY_HOURS": "0"})
    added = add(events, 3)
    point = backup.run(config)
    name = "app-1700000000.db"
    shutil.copy(where.point(point.name), where.point(name))
    added += add(events, 2)
    calls = []

    def hook(phase, operation, arguments):
        # The safety point and its manifest; then the base, which meets a full volume.
        if (phase, operation) == ("before", "link_new"):
            calls.append(arguments)
            if len(calls) == 3:
                raise OSError(errno.ENOSPC, "full")

    files.hook = hook
    result = bring(config, name)
    files.hook = None
    assert len(calls) > 3
    assert result["safety_point"] in [one.name for one in catalogue.scan(where)]
    restore.run(config, targets.undo)
    assert rows(where) == as_rows(added)
