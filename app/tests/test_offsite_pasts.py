"""Copies elsewhere of a volume that was rolled back, copied, damaged or pruned meanwhile."""

import json
import os
import shutil

import format_notes
import pytest
from conftest import pra
from helpers import add, rows
from offsite_helpers import fetched, killed_at, objects_of, pushed, rows_of, steps_of

from pra.base.errors import PraError
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.lineage import marks
from pra.offsite import copies, push, stores
from pra.offsite.past import AnotherPast
from pra.offsite.ship import Shipper
from pra.pitr import targets
from pra.protect import backup, define, retention
from pra.recovery import restore
from pra.state import branch
from pra.state import copied as state


@pytest.fixture
def kept(tmp_path):
    """Keeps both volumes as they are, and puts them back."""

    class Kept:
        def keep(self):
            for name in ("data", "backup"):
                shutil.copytree(tmp_path / name, tmp_path / f"kept-{name}", symlinks=True)

        def put_back(self, *events):
            for one in events:
                one._database.pool.drop()
            for name in ("data", "backup"):
                shutil.rmtree(tmp_path / name)
                shutil.copytree(tmp_path / f"kept-{name}", tmp_path / name, symlinks=True)

    return Kept()


def refused(config):
    """Push, which must be refused for another past and change nothing there."""
    before = objects_of(config)
    with pytest.raises(AnotherPast, match="another past of this volume") as told:
        push.run(config)
    assert "push --anew" in told.value.next_step
    assert objects_of(config) == before


@pytest.fixture
def rolled_back(copied, where, events, kept):
    """The rows that were copied; both volumes were put back to before the last of them."""
    add(events, 3)
    backup.run(copied)
    kept.keep()
    add(events, 2)
    pushed(copied)
    expected = rows(where)
    kept.put_back(events)
    return expected


def test_a_rolled_back_volume_adds_nothing_before_and_after_its_first_write(
    copied, where, rolled_back, keys, tmp_path
):
    refused(copied)
    SqliteEvents(copied).add("another past")
    refused(copied)
    backup.run(copied)
    refused(copied)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rolled_back


def test_a_restore_after_a_roll_back_adds_no_second_record_of_its_timeline(
    copied, where, events, keys, kept, tmp_path
):
    add(events, 3)
    backup.run(copied)
    kept.keep()
    restore.run(copied, lambda where, known: targets.just_before(where, 3))
    SqliteEvents(copied).add("after the restore")
    pushed(copied)
    expected = rows(where)
    kept.put_back(events)
    refused(copied)
    restore.run(copied, lambda where, known: targets.just_before(where, 2))
    backup.run(copied)
    refused(copied)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == expected


def test_a_segment_that_only_the_copies_have_is_another_past(
    copied, where, events, keys, kept, monkeypatch
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    backup.run(copied)
    while len(segments.listing(where)) < 2:
        kept_at = len(segments.listing(where))
        if kept_at == 1:
            shutil.rmtree(f"{where.backup}/../kept-data", ignore_errors=True)
            shutil.rmtree(f"{where.backup}/../kept-backup", ignore_errors=True)
            kept.keep()
        events.add("one more")
    add(events, 20)
    pushed(copied)
    kept.put_back(events)
    refused(copied)


def test_without_a_journal_an_older_volume_is_told_as_well(copied, where, events, kept):
    snapshots = copied._replace(journal="off")
    backup.run(snapshots)
    kept.keep()
    SqliteEvents(snapshots).add("one")
    backup.run(snapshots)
    backup.run(snapshots)
    pushed(snapshots)
    kept.put_back(events)
    done = push.run(snapshots)
    assert any("it was rolled back" in one for one in done["faults"])
    SqliteEvents(snapshots).add("another")
    backup.run(snapshots)
    done = push.run(snapshots)
    assert done["status"] == "incomplete"
    assert done["points"] == []
    backup.run(snapshots)
    done = push.run(snapshots)
    assert any("of another past" in one for one in done["faults"])


def test_the_way_on_keeps_both_pasts_apart_and_both_come_back(
    environment, copied, where, rolled_back, keys, tmp_path, capfd
):
    before = objects_of(copied)
    events = SqliteEvents(copied)
    events.add("another past")
    shipper = Shipper(copied)
    shipper.turn()
    assert "push --anew" in capfd.readouterr().err
    covered = state.read(where).covered
    shipper.turn()
    assert state.read(where).covered == covered, "nothing of it is there"
    old = copies.histories(stores.of(copied))[0].history
    done = push.run(copied, anew=True)
    assert (done["status"], done["history"] != old) == ("pushed", True)
    noted = format_notes.offsite_branch(where.backup)
    assert (noted["lineage"], noted["id"]) == tuple(marks.mark_of(where.backup))
    for _ in range(2):
        events.add("and more")
        shipper.turn()
        Shipper(copied).turn()
    assert state.read(where).what is None
    after = objects_of(copied)
    assert {name: after[name] for name in before} == before
    assert {name.partition("/")[0] for name in after} == {old, done["history"]}
    there = {
        **environment,
        "PRA_OFFSITE": copied.offsite.folder,
        "PRA_OFFSITE_RECIPIENTS": keys.public,
    }
    listed = json.loads(pra(there, "offsite", "list", "--json").stdout)["histories"]
    assert {one["history"]: one["own"] for one in listed} == {old: False, done["history"]: True}
    assert "of the backup volume here" in pra(there, "offsite", "list").stdout
    with pytest.raises(PraError, match="several histories"):
        fetched(copied, keys)
    for history, expected in ((old, rolled_back), (done["history"], rows(where))):
        copy, _ = fetched(copied, keys, history=history)
        assert rows_of(copy, tmp_path / history[:8]) == expected


def test_killed_after_it_began_anew_the_next_push_goes_on(copied, where, rolled_back, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(push.Pusher, "_introduce", lambda self, recipients: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            push.run(copied, anew=True)
    pushed(copied)
    assert len(copies.histories(stores.of(copied))) == 2


def test_killed_while_it_begins_anew_once_more_either_word_holds(copied, where, added):
    first = push.run(copied, anew=True)["history"]
    seen = set()
    for step in range(steps_of(lambda: branch.begin(where, marks.mark_of(where.backup)))):
        killed_at(step, lambda: branch.begin(where, marks.mark_of(where.backup)))
        seen.add(push.key_of(where).history)
    assert first not in seen, "the first count of the steps began anew"
    assert len(seen) > 1


def test_a_copy_of_the_volume_that_is_in_use_as_well_is_told_before_the_pasts_mix(
    copied, where, events, keys, kept, tmp_path
):
    add(events, 3)
    backup.run(copied)
    first = Shipper(copied)
    first.turn()
    kept.keep()
    os.makedirs(tmp_path / "twin")
    for name in ("data", "backup"):
        shutil.move(tmp_path / f"kept-{name}", tmp_path / "twin" / name)
    twin = copied._replace(
        data_dir=str(tmp_path / "twin/data"), backup_dir=str(tmp_path / "twin/backup")
    )
    second = Shipper(twin)
    second.turn()
    assert state.read(twin.layout).what is None
    events.add("here")
    first.turn()
    SqliteEvents(twin).add("there")
    second.turn()
    assert "another past" in state.read(twin.layout).what
    assert state.read(where).what is None
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_two_that_add_to_one_segment_at_the_same_moment_tell_it_at_the_next_turn(
    copied, where, added, keys
):
    shipper = Shipper(copied)
    shipper.turn()
    SqliteEvents(copied).add("one more")
    shipper.turn()
    (found,) = copies.histories(stores.of(copied))
    last = max((one for own in found.pieces.values() for one in own), key=lambda one: one.end)
    other = last._replace(mac="0" * 64)
    folder = copied.offsite.folder
    path = f"{folder}/{found.history}/{push.names.text_of(other)}"
    shutil.copy(f"{folder}/{found.history}/{push.names.text_of(last)}", path)
    shipper.turn()
    assert "another past" in state.read(where).what


def test_damage_of_a_segment_on_the_volume_is_no_other_past(
    copied, where, events, keys, monkeypatch, tmp_path
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    backup.run(copied)
    add(events, 40)
    pushed(copied)
    expected = rows(where)
    first = segments.listing(where)[0]
    with open(first.path, "r+b") as file:
        data = file.read()
        file.seek(data.index(b"message 1"))
        file.write(b"message X")
    done = push.run(copied)
    assert any("it is damaged on the volume" in one for one in done["faults"])
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == expected


def test_what_left_the_volume_before_it_was_copied_is_said_and_counted(
    copied, where, events, keys, monkeypatch, tmp_path, capfd
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    add(events, 3)
    backup.run(copied)
    shipper = Shipper(copied)
    shipper.turn()
    add(events, 60)
    # Retention knows nothing of copies where they are not configured.
    few = copied._replace(offsite=None, keep_last=2, keep_hours=0, keep_days=0, keep_weeks=0)
    for _ in range(3):
        backup.run(few)
    left = segments.listing(where)[0].first
    assert left > 10
    shipper.turn()
    assert "left the volume before they were copied" in capfd.readouterr().err
    found = state.read(where)
    assert "transactions 4 to" in found.what
    assert found.missing == left - 4
    events.add("later")
    shipper.turn()
    assert state.read(where).missing == found.missing, "once is enough"
    assert state.read(where).what is None
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)
    with pytest.raises(PraError):
        fetched(copied, keys, f"before:{left - 2}")


def test_retention_keeps_what_is_not_copied_yet_while_there_is_room(
    copied, where, events, keys, monkeypatch
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    add(events, 3)
    few = copied._replace(keep_last=2, keep_hours=0, keep_days=0, keep_weeks=0)
    backup.run(few)
    shipper = Shipper(few)
    shipper.turn()
    shutil.move(few.offsite.folder, f"{few.offsite.folder}-away")
    add(events, 60)
    for _ in range(3):
        backup.run(few)
    shipper.turn()
    assert segments.listing(where)[0].first == 1
    shutil.move(f"{few.offsite.folder}-away", few.offsite.folder)
    shipper.turn()
    found = state.read(where)
    assert (found.what, found.missing) == (None, 0)
    retention.run(few, dry_run=False)
    assert segments.listing(where)[0].first > 10, "it is copied, and may go"
    assert fetched(few, keys, "before:30")[1]["rows"] == 29


def test_a_change_of_the_tables_that_interrupts_the_journal_needs_a_point(
    copied, where, added, keys
):
    shipper = Shipper(copied)
    shipper.turn()
    define.run(copied, "CREATE TABLE more(id INTEGER PRIMARY KEY)")
    SqliteEvents(copied).add("after it")
    shipper.turn()
    assert fetched(copied, keys)[1]["rows"] == len(added) + 1


def test_a_lab_without_a_point_comes_back_from_its_beginning(copied, where, events, keys, tmp_path):
    add(events, 3)
    Shipper(copied).turn()
    assert state.read(where).what is None
    copy, answer = fetched(copied, keys)
    assert answer["replayed"] == 3
    assert rows_of(copy, tmp_path / "new") == rows(where)
    with pytest.raises(PraError, match="there is no point"):
        fetched(copied, keys, "app-1.db")
