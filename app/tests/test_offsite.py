"""Copies elsewhere, in a folder: what is in them, and what comes back."""

import io
import json
import shutil
import tarfile

import pytest
from helpers import (
    add,
    as_rows,
    bring,
    rewrite,
    rows,
)
from offsite_helpers import (
    checked,
    copying,
    fetched,
    new_keys,
    objects_of,
    pushed,
    rows_of,
)

from pra.base import clock, layout, moments, sealing, settings
from pra.base.errors import PraError, Refused
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.lineage import marks
from pra.offsite import copies, names, push, stores
from pra.offsite.crypt import WrongKey
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup, retention
from pra.recovery import restore
from pra.state import volumes


def another(tmp_path, name="another"):
    """Settings of another lab that is initialised."""
    for volume in ("data", "backup"):
        (tmp_path / name / volume).mkdir(parents=True)
    config = settings.load(
        {
            "PRA_DATA_DIR": str(tmp_path / name / "data"),
            "PRA_BACKUP_DIR": str(tmp_path / name / "backup"),
            "PRA_JOURNAL": "required",
        }
    )
    volumes.ensure_initialised(config.layout)
    return config


def test_what_was_acknowledged_comes_back_on_a_machine_with_the_copies_alone(
    copied, config, where, added, keys, tmp_path
):
    pushed(copied)
    expected = rows(where)
    assert expected == as_rows(added)
    shutil.rmtree(where.data)
    shutil.rmtree(where.backup)
    copy, answer = fetched(copied, keys)
    assert (answer["rows"], answer["faults"]) == (5, [])
    assert rows_of(copy, tmp_path / "new") == expected


def test_what_was_copied_before_the_first_point_comes_back(copied, where, events, keys, tmp_path):
    for message in ("one", "two"):
        events.add(message)
    assert pushed(copied)["points"] == []
    expected = rows(where)
    copy, answer = fetched(copied, keys)
    assert (answer["rows"], answer["faults"]) == (2, [])
    assert rows_of(copy, tmp_path / "new") == expected
    assert checked(copied, keys)["ok"]


def test_a_copy_that_is_fetched_says_until_when_it_has_everything(
    copied, events, keys, monkeypatch
):
    def told(target="latest"):
        with tarfile.open(fileobj=io.BytesIO(fetched(copied, keys, target)[0])) as tar:
            return json.load(tar.extractfile("manifest.json"))["created_time"]

    written = moments.parse(events.add("one")["timestamp"])
    pushed(copied)
    # Whoever fetches it a day later does not know of that day.
    later = clock.now() + 86_400
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        assert abs(told() - written) < 1
    backup.run(copied)
    point = catalogue.latest(catalogue.scan(copied.layout))
    again = moments.parse(events.add("two")["timestamp"])
    pushed(copied)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        assert abs(told() - again) < 1
        assert told(point.name) == point.manifest["created_time"]


def test_nothing_in_the_copies_is_readable_without_the_key(copied, where, events, keys, tmp_path):
    events.add("a message that nobody is to read")
    backup.run(copied)
    pushed(copied)
    mark = marks.mark_of(where.backup)
    place = timelines_hash(where)
    for name, content in objects_of(copied).items():
        assert content.startswith(b"age-encryption.org/v1\n")
        for secret in (mark.lineage, mark.identity, place, "nobody is to read", "events"):
            assert secret not in name
            assert secret.encode() not in content
    other = new_keys(tmp_path / "other")
    with pytest.raises(WrongKey, match="encrypted for another key"):
        fetched(copied, other)
    with pytest.raises(WrongKey):
        checked(copied, other)


def timelines_hash(where):
    """The random hash that the first record continues."""
    return segments.header_only(segments.listing(where)[0]).chain


def test_each_of_several_recipients_opens_the_copies(config, where, added, keys, tmp_path):
    second = new_keys(tmp_path / "second")
    (tmp_path / "elsewhere").mkdir()
    both = copying(config, tmp_path / "elsewhere", keys, second)
    pushed(both)
    for one in (keys, second):
        assert fetched(both, one)[1]["rows"] == 5


def test_a_second_push_sends_what_is_new_and_touches_nothing(copied, where, added, events):
    first = pushed(copied)
    assert first["objects"] == len(objects_of(copied)) - 1
    before = objects_of(copied)
    assert pushed(copied)["objects"] == 0
    events.add("one more")
    assert pushed(copied)["objects"] == 1, "the new end of the journal"
    backup.run(copied)
    pushed(copied)
    after = objects_of(copied)
    assert {name: after[name] for name in before} == before


def test_a_database_is_cut_and_what_points_share_is_sent_once(
    copied, where, events, keys, monkeypatch, tmp_path
):
    monkeypatch.setattr(names, "CHUNK", 8 << 10)
    add(events, 200)
    backup.run(copied)
    pushed(copied)
    chunks = {name for name in objects_of(copied) if "/chunks/" in name}
    assert len(chunks) > 4
    events.add("one more")
    backup.run(copied)
    pushed(copied)
    more = {name for name in objects_of(copied) if "/chunks/" in name} - chunks
    assert 0 < len(more) < len(chunks)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_sealed_segments_come_back_however_they_were_sent(
    copied, where, events, keys, monkeypatch, tmp_path
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    backup.run(copied)
    for number in range(60):
        events.add(f"message {number}")
        if number % 2:
            pushed(copied)
    found = copies.histories(stores.of(copied))[0].pieces
    assert len(found) > 2
    assert any(len(pieces) > 1 for pieces in found.values()), "sent while they were open"
    whole = [max(pieces, key=lambda one: one.end - one.start) for pieces in found.values()]
    assert sum(one.start == 0 for one in whole) >= len(found) - 1, "and whole, once sealed"
    copy, answer = fetched(copied, keys)
    assert answer["replayed"] == 60
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_of_the_journal_the_latest_moment_needs_what_follows_its_point(
    copied, where, events, keys, monkeypatch, tmp_path
):
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    add(events, 65)
    backup.run(copied)
    add(events, 2)
    pushed(copied)
    assert len(copies.histories(stores.of(copied))[0].pieces) > 2
    read, content = [], copies.Reader.content

    def reading(self, name):
        read.append(name)
        return content(self, name)

    monkeypatch.setattr(copies.Reader, "content", reading)
    copy, answer = fetched(copied, keys)
    assert len([name for name in read if isinstance(name, names.Piece)]) == 1
    assert answer["replayed"] == 2
    assert rows_of(copy, tmp_path / "new") == rows(where)
    assert fetched(copied, keys, "before:10")[1]["rows"] == 9


def test_points_of_one_second_come_back_by_their_names(copied, where, events, keys, monkeypatch):
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    for count in (1, 2, 3):
        events.add("one more")
        point = backup.run(copied)
        pushed(copied)
        assert fetched(copied, keys, point.name)[1]["rows"] == count
    assert checked(copied, keys)["ok"]
    assert layout.point_epoch(point.name) > point.epoch


def test_what_retention_removes_stays_elsewhere(copied, where, events, keys, tmp_path):
    add(events, 3)
    first = backup.run(copied)
    pushed(copied)
    few = copied._replace(keep_last=2, keep_hours=0, keep_days=0, keep_weeks=0)
    for _ in range(4):
        events.add("later")
        backup.run(few)
    retention.run(few, dry_run=False)
    assert first.name not in {point.name for point in catalogue.scan(where)}
    pushed(copied)
    copy, answer = fetched(copied, keys, first.name)
    assert (answer["rows"], answer["goal"]) == (3, first.name)
    assert len(rows_of(copy, tmp_path / "new")) == 3


def test_two_histories_in_one_place_stay_apart_and_one_has_to_be_chosen(
    copied, config, where, added, keys, tmp_path
):
    other = copying(another(tmp_path), tmp_path / "elsewhere", keys)
    SqliteEvents(other).add("of another lab")
    backup.run(other)
    mine, theirs = pushed(copied)["history"], pushed(other)["history"]
    assert mine != theirs
    with pytest.raises(Refused, match="several histories"):
        fetched(copied, keys)
    assert fetched(copied, keys, history=mine[:12])[1]["rows"] == 5
    assert fetched(copied, keys, history=theirs[:12])[1]["rows"] == 1
    with pytest.raises(Refused, match="no such history"):
        fetched(copied, keys, history="x")


def test_any_moment_of_the_journal_comes_back(copied, where, events, keys, tmp_path):
    backup.run(copied)
    answers = add(events, 4)
    pushed(copied)
    assert fetched(copied, keys, "before:3")[1]["rows"] == 2
    moment = answers[-1]["timestamp"]
    assert fetched(copied, keys, moment)[1]["goal"].startswith("--to ")
    with pytest.raises(PraError, match="no transaction 99"):
        fetched(copied, keys, "before:99")
    with pytest.raises(PraError, match="there is no point"):
        fetched(copied, keys, "app-1.db")


def test_the_live_timeline_comes_back_after_restores(copied, where, events, keys, tmp_path):
    add(events, 3)
    backup.run(copied)
    add(events, 3)
    pushed(copied)
    restore.run(copied, lambda where, known: targets.just_before(where, 3))
    assert len(rows(where)) == 2
    pushed(copied)
    assert fetched(copied, keys)[1]["rows"] == 2
    SqliteEvents(copied).add("after the restore")
    pushed(copied)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)
    restore.run(copied, targets.undo)
    pushed(copied)
    assert fetched(copied, keys)[1]["rows"] == len(rows(where)) == 6
    bring(copied)
    pushed(copied)
    assert checked(copied, keys)["ok"]


def test_a_point_that_is_not_verified_is_not_copied(copied, where, events, keys):
    add(events, 20)
    good = backup.run(copied)
    rewrite_away(where)
    suspect = backup.run(copied, accept=False)
    assert suspect.status == "quarantined"
    done = pushed(copied, every=True)
    assert done["points"] == [good.name]


def rewrite_away(where):
    """Remove nearly all rows, past the application."""
    rewrite(
        where,
        "DROP TRIGGER pra_guard_delete; DELETE FROM events WHERE id > 1;",
    )


def test_a_point_that_went_bad_is_not_copied_and_that_is_said(copied, where, events, keys):
    add(events, 3)
    point = backup.run(copied)
    path = where.point(point.name)
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(data.index(b"message 1"))
        file.write(b"message 9")
    done = push.run(copied)
    assert done["status"] == "incomplete"
    assert done["points"] == []
    assert "does not read back as what was verified" in done["faults"][0]
    assert copies.histories(stores.of(copied))[0].points == []


@pytest.mark.parametrize("status", ["quarantined", "safety"])
def test_a_copy_that_is_of_no_verified_point_does_not_come_back(
    copied, where, events, keys, status, monkeypatch
):
    add(events, 3)
    point = backup.run(copied)
    content = {k: v for k, v in point.manifest.items() if k != "seal"}
    with open(where.manifest(point.name), "wb") as file:
        file.write(sealing.seal({**content, "status": status}))
    monkeypatch.setattr(push, "_is_whole", lambda point, told: True)
    with monkeypatch.context() as patch:
        known = [one._replace(status="verified") for one in catalogue.scan(where)]
        patch.setattr(push.catalogue, "scan", lambda where: known)
        pushed(copied)
    with pytest.raises(Refused, match="no verified point"):
        fetched(copied, keys, point.name)
