"""Copying all the time: how far behind the copies are, what is said of it, what stops it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import format_notes
import pytest
from conftest import APP, pra
from helpers import lose_data, rows, until
from offsite_helpers import checked, copying, fetched, killed_at, objects_of, rows_of, steps_of
from wire import get

from pra.base import clock
from pra.base.errors import Refused, Unknown, UsageError
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.lineage import marks
from pra.offsite import copies, push, ship, stores
from pra.offsite.ship import Shipper
from pra.pitr import targets
from pra.protect import backup, define, new_volume
from pra.recovery import restore
from pra.state import copied as state
from pra.state import volumes


@pytest.fixture
def shipper(copied, added):
    """What copies the lab's volume, after one turn."""
    made = Shipper(copied)
    made.turn()
    return made


def status(config):
    """What is said of the copies, and what to do."""
    answer = SqliteEvents(config).status()
    told = [one for one in answer["notices"] if "elsewhere" in one["what"]]
    return answer["offsite"], told


def test_each_turn_copies_what_was_acknowledged_before_it(
    copied, where, added, shipper, keys, tmp_path
):
    events = SqliteEvents(copied)
    for number in range(3):
        events.add("one more")
        began = clock.now()
        shipper.turn()
        assert state.read(where).covered >= round(began, 3)
        copy, _ = fetched(copied, keys)
        assert rows_of(copy, tmp_path / f"new-{number}") == rows(where)
    assert len(copies.histories(stores.of(copied))[0].points) == 1, "the journal leads on from it"


def test_a_point_is_copied_when_it_is_due_or_the_journal_was_interrupted(
    copied, where, added, shipper, keys
):
    def points():
        return len(copies.histories(stores.of(copied))[0].points)

    backup.run(copied)
    shipper.turn()
    assert points() == 1
    due = Shipper(copied._replace(offsite_point_seconds=1))
    due.turn()
    assert points() == 2
    define.run(copied, "CREATE TABLE more(id INTEGER PRIMARY KEY)")
    shipper.turn()
    assert points() == 3, "without it nothing leads to the present"
    assert fetched(copied, keys)[1]["rows"] == len(added)


def test_after_a_restore_the_point_that_it_began_from_is_copied(
    copied, where, added, shipper, keys
):
    backup.run(copied)
    Shipper(copied).turn()
    restore.run(copied, lambda where, known: targets.just_before(where, 2))
    shipper.turn()
    assert state.read(where).what is None
    assert fetched(copied, keys)[1]["rows"] == len(rows(where)) == 1


def test_a_lab_in_which_nothing_was_written_yet_lacks_nothing(config, tmp_path, keys):
    copied = copying(config, tmp_path / "elsewhere", keys)
    (tmp_path / "elsewhere").mkdir()
    volumes.ensure_initialised(copied.layout)
    shipper = Shipper(copied)
    shipper.turn()
    told, notices = status(copied)
    assert (told["lag_seconds"], told["failing"], notices) == (None, False, [])
    with pytest.raises(Unknown, match="neither a point nor a part of the journal"):
        checked(copied, keys)
    # Nobody has looked since, so something may have been written.
    seen = state.read(copied.layout)
    state.write(copied.layout, seen._replace(ended=seen.ended - 61))
    assert status(copied)[0]["failing"]
    SqliteEvents(copied).add("the first")
    shipper.turn()
    told, notices = status(copied)
    assert told["lag_seconds"] < 60 and notices == []


def test_without_a_journal_rows_without_a_point_are_not_nothing(config, tmp_path, keys):
    copied = copying(config, tmp_path / "elsewhere", keys, journal="off")
    (tmp_path / "elsewhere").mkdir()
    volumes.ensure_initialised(copied.layout)
    SqliteEvents(copied).add("the first")
    Shipper(copied).turn()
    told, notices = status(copied)
    assert (told["lag_seconds"], told["failing"]) == (None, True)
    assert "no copies elsewhere that lead to the present" in notices[0]["what"]


def test_that_the_copies_were_restored_is_known_within_a_minute(copied, shipper, keys, monkeypatch):
    shipper.turn()
    # By who has no backup volume.
    proven = checked(copied._replace(backup_dir="/nowhere"), keys)["proven"]
    shipper.turn()
    assert status(copied)[0]["proven_epoch"] is None
    later = time.monotonic() + 61
    monkeypatch.setattr("pra.offsite.ship.time.monotonic", lambda: later)
    shipper.turn()
    assert status(copied)[0]["proven_epoch"] == proven


def test_status_and_figures_say_how_far_the_copies_are_behind(copied, where, shipper, config):
    told, notices = status(copied)
    assert told["failing"] is False and notices == []
    assert 0 <= told["lag_seconds"] < 60
    assert status(config) == (None, [])
    found = state.read(where)
    state.write(where, found._replace(covered=found.covered - 1000))
    told, notices = status(copied)
    assert told["failing"] is True
    assert told["lag_seconds"] > 1000
    assert "s behind" in notices[0]["what"]
    figures = {
        one.metric.name: one.values[()]
        for part in SqliteEvents(copied).collected()
        if part.collector == "offsite"
        for one in part.told
    }
    assert figures["pra_offsite_failing"] == 1
    assert figures["pra_offsite_lag_seconds"] > 1000
    os.remove(where.offsite)
    told, notices = status(copied)
    assert (told["lag_seconds"], told["failing"]) == (None, True)
    assert "no copies elsewhere" in notices[0]["what"]


def test_a_clock_that_was_a_day_ahead_hides_no_lag(copied, where, shipper, keys, monkeypatch):
    right = clock.now
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: right() + 86_400)
        SqliteEvents(copied).add("of tomorrow")
        shipper.turn()
    told, notices = status(copied)
    assert (told["lag_seconds"], told["failing"]) == (None, True)
    assert "a clock is wrong" in notices[0]["what"]
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: right() - 86_400)
        SqliteEvents(copied).add("of yesterday")
        backup.run(copied)
        Shipper(copied).turn()
    assert status(copied)[0]["lag_seconds"] > 80_000
    shipper.turn()
    assert status(copied)[0]["failing"] is False
    assert fetched(copied, keys)[1]["rows"] == len(rows(where)) == 7


def test_that_nothing_is_locked_is_said_when_it_begins(copied, where, shipper, capfd):
    shipper.turn()
    Shipper(copied).turn()
    assert capfd.readouterr().err.count("WARNING: a folder has no object lock") == 1


def test_neither_place_nor_reason_is_told_to_clients(copied, where, shipper, tmp_path):
    shutil.move(tmp_path / "elsewhere", tmp_path / "away")
    shipper.turn()
    told, notices = status(copied)
    assert told["failing"] is True
    assert state.read(where).covered is not None
    assert str(tmp_path) not in str((told, notices))
    assert str(tmp_path) in state.read(where).what


def test_what_fails_is_said_once_and_the_lag_grows_until_it_is_made_good(
    copied, where, shipper, tmp_path, capfd
):
    before = state.read(where).covered
    shutil.move(tmp_path / "elsewhere", tmp_path / "away")
    for _ in range(3):
        shipper.turn()
    said = capfd.readouterr().err
    assert said.count("are gone") == said.count("no such folder") == 1
    # As of a disk that is not mounted: what is there is not taken for a beginning.
    (tmp_path / "elsewhere").mkdir()
    for _ in range(3):
        shipper.turn()
    assert "are gone" in capfd.readouterr().err
    # Nor by hand, as /status asks for: not before somebody says that they are.
    with pytest.raises(Refused, match="are gone") as refused:
        push.run(copied)
    assert "--anew" in refused.value.next_step
    assert os.listdir(tmp_path / "elsewhere") == []
    assert state.read(where).covered == before
    (tmp_path / "elsewhere").rmdir()
    shutil.move(tmp_path / "away", tmp_path / "elsewhere")
    shipper.turn()
    assert "whole again" in capfd.readouterr().err
    assert state.read(where).covered > before
    assert state.read(where).what is None


def test_a_journal_that_is_not_copied_does_not_count_as_copied(
    copied, where, shipper, keys, tmp_path
):
    before = state.read(where).covered
    path = next(
        os.path.join(at, name)
        for at, _, some in os.walk(tmp_path / "elsewhere")
        for name in some
        if "/journal/" in at
    )
    os.rename(path, path.replace("-", "-", 1)[:-10] + "0" * 6 + ".age")
    SqliteEvents(copied).add("one more")
    Shipper(copied).turn()
    found = state.read(where)
    assert found.covered == before
    assert "another past" in found.what


def test_what_somebody_removed_is_sent_again_when_all_is_looked_at_anew(
    copied, where, shipper, keys, tmp_path
):
    before = objects_of(copied)
    store = stores.of(copied)
    store.remove([one for one in before if "/journal/" in one or "/chunks/" in one])
    shipper.turn()
    assert objects_of(copied).keys() < before.keys(), "it remembers what it sent"
    shipper._looked_at = shipper._point_at = time.monotonic() - 10_000
    shipper.turn()
    assert state.read(where).what is None
    assert {one.rpartition("/")[0] for one in objects_of(copied)} == {
        one.rpartition("/")[0] for one in before
    }
    assert fetched(copied, keys)[1]["rows"] == len(rows(where))


def test_without_a_journal_the_copies_go_as_far_as_the_newest_point(copied, where, added, keys):
    snapshots = copied._replace(journal="off")
    point = backup.run(snapshots)
    shipper = Shipper(snapshots)
    shipper.turn()
    assert state.read(where).covered == point.manifest["created_time"]
    SqliteEvents(snapshots).add("in no journal")
    newer = backup.run(snapshots)
    shipper.turn()
    assert state.read(where).covered == newer.manifest["created_time"]
    assert fetched(copied, keys)[1]["rows"] == len(added) + 1


def test_another_volume_in_its_place_gets_copies_of_its_own(copied, where, added, shipper, keys):
    before = objects_of(copied)
    for name in os.listdir(where.backup):
        path = f"{where.backup}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    new_volume.run(copied)
    shipper.turn()
    assert "another volume" in state.read(where).what
    shipper.turn()
    assert state.read(where).what is None
    assert len(copies.histories(stores.of(copied))) == 2
    after = objects_of(copied)
    assert {name: after[name] for name in before} == before


def test_killed_at_any_step_of_a_turn_the_next_shipper_goes_on(
    copied, where, added, keys, unsynced, tmp_path
):
    events = SqliteEvents(copied)
    first = Shipper(copied)
    first.turn()
    events.add("one more")
    for step in range(steps_of(first.turn)):
        running = Shipper(copied)
        running.turn()
        before = objects_of(copied)
        events.add("before the kill")
        killed_at(step, running.turn)
        Shipper(copied).turn()
        after = objects_of(copied)
        assert {name: after[name] for name in before} == before
    assert fetched(copied, keys)[1]["rows"] == len(rows(where))


def test_a_served_lab_is_copied_by_a_process_of_its_own_until_that_is_asked_to_stop(
    environment, copied, served, where, keys, tmp_path
):
    there = {
        **environment,
        "PRA_OFFSITE": str(tmp_path / "elsewhere"),
        "PRA_OFFSITE_RECIPIENTS": keys.public,
        "PRA_OFFSITE_SECONDS": "1",
    }
    for _ in range(3):
        assert get(served, "/add?message=x").status == 200
    assert pra(there, "backup").returncode == 0
    command = [sys.executable, "-m", "pra", "offsite", "ship"]
    with subprocess.Popen(command, cwd=APP, env={**os.environ, **there}) as process:
        try:
            until(lambda: state.read(where) is not None, 60)
            assert get(served, "/add?message=later").status == 200
            acknowledged = clock.now()
            until(lambda: state.read(where).covered > acknowledged, 60)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    expected = rows(where)
    assert len(expected) == 4
    lose_data(where)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == expected


def test_what_is_noted_is_as_the_page_about_the_format_says(copied, where, shipper):
    found = format_notes.offsite(where.backup)
    assert found["lineage"] == marks.mark_of(where.backup).lineage
    assert found["place"] == copied.offsite.shown
    assert found["what"] is None
    assert found["covered"] <= found["ended"]


def test_a_note_that_cannot_be_written_or_read_stops_nothing(copied, where, shipper, keys):
    def hook(phase, operation, arguments):
        if phase == "before" and operation == "replace" and arguments[1] == where.offsite:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    SqliteEvents(copied).add("one more")
    files.hook = hook
    shipper.turn()
    files.hook = None
    assert fetched(copied, keys)[1]["rows"] == len(rows(where))
    with open(where.offsite, "wb") as file:
        file.write(b"not sealed")
    assert state.read(where) is None
    shipper.turn()
    assert state.read(where).what is None


def test_a_shipper_without_a_place_does_not_start(copied):
    with pytest.raises(UsageError, match="PRA_OFFSITE is not set"):
        Shipper(copied._replace(offsite=None))
    with pytest.raises(UsageError, match="PRA_OFFSITE_RECIPIENTS"):
        ship.until_stopped(copied._replace(offsite_recipients=()))


def test_what_the_disk_may_not_have_is_not_copied(copied, where, added):
    def hook(phase, operation, arguments):
        path = os.readlink(f"/proc/self/fd/{arguments[0]}") if operation == "fsync" else ""
        if phase == "before" and path.endswith(".seg"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.hook = hook
    with pytest.raises(OSError):
        push.run(copied)
    files.hook = None
    assert segments.listing(where)
    assert not any("/journal/" in name for name in objects_of(copied))
