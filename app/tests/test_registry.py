"""The records that decide which history is the latest: sealed, kept twice, never guessed."""

import json
import os
import shutil

import pytest
from conftest import pra
from helpers import add, as_rows, bring, content, lose_data, overwrite, rows

from pra.base import layout, sealing
from pra.base.errors import PraError, Refused
from pra.events.sqlite import SqliteEvents
from pra.lineage import timelines
from pra.pitr import targets
from pra.protect import backup, new_volume, retention
from pra.recovery import restore
from pra.state import identity

RECORDS = ["timelines/2.json", "timelines/2.active", "volume.json"]


@pytest.fixture
def undone(config, where, events):
    """A history whose bad write was undone, and that went on; its rows."""
    add(events, 5)
    backup.run(config)
    events.add("BAD")
    restore.run(config, lambda where, known: targets.just_before(where, 6))
    after = [event["message"] for event in add(SqliteEvents(config), 5)]
    backup.run(config)
    found = rows(where)
    assert [row[2] for row in found][5:] == after
    return found


def removed(path):
    os.unlink(path)


def flipped(path):
    raw = content(path)
    overwrite(path, raw[:20] + bytes([raw[20] ^ 1]) + raw[21:])


def emptied(path):
    overwrite(path, b"")


def of_another(path):
    """Sound, and of another history."""

    known = sealing.unseal(content(path))
    overwrite(path, sealing.seal({**known, "lineage": "another", "seq": 0}))


HARM = [removed, flipped, emptied, of_another]


def copies(where, name):
    path = f"{where.backup}/.pra/{name}"
    return path, layout.twin(path)


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", RECORDS)
def test_one_copy_decides_nothing_and_is_written_again(config, where, undone, name, which, harm):
    if (name, harm) == ("volume.json", of_another):
        pytest.skip("two marks that differ are the next test's")
    path = copies(where, name)[which]
    before = content(path)
    harm(path)
    assert any(path in reason for reason in identity.faults(where))
    added = undone + as_rows(add(SqliteEvents(config), 1))
    backup.run(config)
    assert (content(path), identity.faults(where)) == (before, [])
    harm(path)
    lose_data(where)
    bring(config)
    assert rows(where) == added


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", RECORDS)
def test_both_lost_nothing_is_decided(config, where, undone, name, harm):
    for path in copies(where, name):
        harm(path)
    if (name, harm) == ("volume.json", of_another):
        pytest.skip("that is a volume of another history")
    before = {path: content(path) for path in files(where.backup)}
    for act in (
        lambda: backup.run(config),
        lambda: retention.run(config, dry_run=False),
        lambda: new_volume.run(config),
        lambda: bring(config),
    ):
        with pytest.raises(PraError) as caught:
            act()
        assert caught.value.next_step
    assert {path: content(path) for path in before} == before
    assert rows(where) == undone


@pytest.mark.parametrize("name", RECORDS)
def test_a_point_can_be_had_by_its_name_whatever_is_lost(config, where, undone, name):
    point = backup.run(config).name
    for path in copies(where, name):
        os.unlink(path)
    lose_data(where)
    with pytest.raises(Refused, match="uncertain|no verified point"):
        bring(config)
    bring(config, point)
    assert rows(where) == undone
    live = timelines.live(where)
    assert live.number > 2
    assert live.seq >= 10


def test_two_marks_that_differ_are_said(config, where, undone):
    of_another(copies(where, "volume.json")[1])
    with pytest.raises(PraError, match="differ"):
        SqliteEvents(config).add("no")
    with pytest.raises(PraError, match="differ"):
        backup.run(config)


def test_all_of_one_folder_lost(config, where, undone):
    shutil.rmtree(f"{where.backup}/.pra-copy")
    shutil.rmtree(f"{where.data}/.pra-copy")
    add(SqliteEvents(config), 1)
    assert identity.faults(where)
    backup.run(config)
    assert identity.faults(where) == []
    shutil.rmtree(where.timelines)
    assert timelines.live(where).number == 2


def test_a_volume_of_an_earlier_version_is_refused_by_name(config, where, events):
    add(events, 1)
    for path in copies(where, "volume.json"):
        overwrite(path, json.dumps({"format": 1, "lineage": "x", "id": "y"}).encode() + b"\n")
    with pytest.raises(PraError, match="earlier version"):
        SqliteEvents(config).add("no")


def test_points_and_status_say_it(config, where, undone, environment):
    path = copies(where, "timelines/2.active")[0]
    os.unlink(path)
    listed = json.loads(pra(environment, "points", "--json").stdout)
    assert [path in reason for reason in listed["registry"]] == [True]
    assert path in pra(environment, "points").stdout
    assert [path in reason for reason in SqliteEvents(config).status()["registry"]] == [True]


def files(folder):
    return [
        f"{place}/{name}"
        for place, _, names in os.walk(folder)
        for name in names
        if not place.endswith("locks")
    ]
