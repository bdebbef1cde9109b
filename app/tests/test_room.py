"""Volumes that run full, by the size they are held to or by their file system's."""

import os

import pytest
from helpers import add, as_rows, bring, last_segment, lose_data, rows

from pra import backup, room, segments, settings
from pra.errors import DiskFull
from pra.events import Events
from pra.web import create_app

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
    monkeypatch.setattr(room, "_WRITE_LOOK", 0.0)


def fill(volume, size=8 * MIB):
    """A file of that size, which takes no space on the disk."""
    path = f"{volume}/ballast"
    with open(path, "w") as file:
        file.truncate(size)
    return path


def test_a_full_data_volume_refuses_writes_and_nothing_else(config, where, events):
    added = add(events, 3)
    ballast = fill(where.data)
    client = create_app(config).test_client()
    answer = client.get("/add?message=x")
    assert answer.status_code == 507
    assert f"no space left ({where.data})" in answer.get_json()["error"]
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
        Events(config).add("from another process")
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
    monkeypatch.setattr(room.fileops, "free_bytes", lambda path: 1000)
    assert room.of(where, where.data).free == 1000
    with pytest.raises(OSError):
        room.reserve_write(where)


def test_a_volume_without_a_size_is_as_large_as_its_file_system(environment, where):
    unlimited = settings.load({**environment, "PRA_DATA_MIB": "0"}).layout
    found = room.of(unlimited, where.data)
    assert found.size is None
    assert found.free > 8 * MIB


def test_a_file_with_two_names_is_counted_once(where, events):
    add(events, 1)
    before = room.of(where, where.backup).used
    os.link(last_segment(where), f"{where.temporary}/second-name")
    assert room.of(where, where.backup).used == before


def test_a_write_relies_on_a_look_that_is_young(where, monkeypatch):
    monkeypatch.setattr(room, "_WRITE_LOOK", 3600.0)
    room.reserve_write(where)
    ballast = fill(where.data)
    room.reserve_write(where)
    with pytest.raises(OSError):
        room.reserve(where, where.data, 1)
    os.unlink(ballast)
