"""Copies elsewhere when something goes wrong: kills, damage, full and failing disks."""

import errno
import os
import random
import shutil

import pytest
from helpers import (
    add,
    failing,
    last_segment,
    rot,
    rows,
    sound_end,
)
from offsite_helpers import (
    checked,
    copying,
    fetched,
    killed_at,
    objects_of,
    pushed,
    pushed_at_once,
    rows_of,
    steps_of,
)

from pra.base.errors import PraError
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.offsite import copies, push, stores
from pra.offsite.ship import Shipper
from pra.protect import backup
from pra.state import copied as state


def test_killed_at_any_step_nothing_is_half_there_and_the_next_push_ends_it(
    config, where, added, keys, unsynced, tmp_path
):
    expected = rows(where)

    def place(name):
        (tmp_path / name).mkdir()
        return copying(config, tmp_path / name, keys)

    counting = place("counting")
    count = steps_of(lambda: push.run(counting))
    assert count > 40
    for step in range(count):
        copied = place(f"killed-{step}")
        killed_at(step, lambda copied=copied: push.run(copied))
        # What is left of it has no name that anybody reads.
        left = objects_of(copied)
        assert all(content.startswith(b"age-encryption") for content in left.values())
        for one in copies.histories(stores.of(copied)):
            reader = copies.Reader(stores.of(copied), keys.identity, one.history)
            pieces = [piece for found in one.pieces.values() for piece in found]
            for name in [*one.records, *one.points, *pieces]:
                reader.content(name)
        pushed(copied)
        after = objects_of(copied)
        assert {name: after[name] for name in left} == left
        assert fetched(copied, keys)[1]["rows"] == len(expected)
        shutil.rmtree(tmp_path / f"killed-{step}")


def test_two_pushers_at_once_do_the_work_of_one(copied, where, added, keys):
    done = pushed_at_once(copied, 2)
    assert [one["faults"] for one in done] == [[], []]
    assert sum(one["objects"] for one in done) == len(objects_of(copied)) - 1
    assert checked(copied, keys)["ok"]


def all_names(folder):
    """Every file below a folder, relative to it."""
    found = (os.path.join(at, name) for at, _, some in os.walk(folder) for name in some)
    return {os.path.relpath(path, folder) for path in found}


def places(folder):
    """Paths of all objects below a folder."""
    return sorted(os.path.join(folder, name) for name in all_names(folder))


def damaged_copies(tmp_path, damage):
    """For each object: a folder with the copies in which that one is damaged.

    Those that are nothing but a name have no content.
    """
    found = [path for path in places(tmp_path / "elsewhere") if "/readers/" not in path]
    for number, path in enumerate(found):
        folder = tmp_path / f"damaged-{number}"
        shutil.copytree(tmp_path / "elsewhere", folder)
        damage(str(folder / os.path.relpath(path, tmp_path / "elsewhere")))
        yield folder, os.path.relpath(path, tmp_path / "elsewhere")
        shutil.rmtree(folder)


def flip(path):
    """Change one bit."""
    chance = random.Random(path[-40:])
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.seek(0)
        file.write(data)


def cut(path):
    """Leave out the end."""
    os.truncate(path, os.path.getsize(path) - 1)


def in_use(name):
    """Whether the loss of an object shows: without a point the whole journal serves as well."""
    return "/journal/" not in name and "/points/" not in name


@pytest.mark.parametrize("damage", [flip, cut, os.remove], ids=["flipped", "cut", "missing"])
def test_damage_of_any_object_is_told_and_wrong_rows_never_come_back(
    copied, where, added, keys, tmp_path, damage
):
    pushed(copied)
    expected = rows(where)
    tried = 0
    for folder, name in damaged_copies(tmp_path, damage):
        there = copying(copied, folder, keys)
        try:
            found = checked(there, keys)
            assert not found["ok"] or (damage is os.remove and not in_use(name)), name
        except PraError as error:
            assert error.next_step
        try:
            copy, _ = fetched(there, keys)
        except PraError as error:
            assert error.next_step
        else:
            # What is left of an end that is missing is a moment that was.
            came = rows_of(copy, tmp_path / f"new-{tried}")
            assert came == expected[: len(came)], name
        tried += 1
    assert tried == 5


def test_a_swapped_object_is_told(copied, where, added, keys, tmp_path):
    add(SqliteEvents(copied), 2)
    backup.run(copied)
    pushed(copied, every=True)
    expected = rows(where)
    found = places(tmp_path / "elsewhere")
    for kind in ("chunks", "points", "journal"):
        these = [path for path in found if f"/{kind}/" in path]
        other = next(path for path in found if path not in these and "about" not in path)
        folder = tmp_path / f"swapped-{kind}"
        shutil.copytree(tmp_path / "elsewhere", folder)
        for path in these:
            target = folder / os.path.relpath(path, tmp_path / "elsewhere")
            shutil.copy(these[0] if path != these[0] else other, target)
        there = copying(copied, folder, keys)
        assert not checked(there, keys)["ok"]
        try:
            copy, answer = fetched(there, keys)
        except PraError:
            continue
        assert answer["faults"]
        came = rows_of(copy, tmp_path / f"new-{kind}")
        assert came == expected[: len(came)]


def test_the_next_older_point_serves_where_the_newest_is_damaged(
    copied, where, events, keys, tmp_path
):
    add(events, 2)
    backup.run(copied)
    add(events, 2)
    backup.run(copied)
    pushed(copied, every=True)
    newest = copies.histories(stores.of(copied))[0].points[0]
    path = next(path for path in places(tmp_path / "elsewhere") if newest.mac in path)
    os.remove(path)
    copy, answer = fetched(copied, keys)
    assert answer["replayed"] == 2
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_a_torn_end_of_the_journal_is_not_copied(copied, where, added, keys, tmp_path):
    expected = rows(where)
    path = last_segment(where)
    end = sound_end(path)
    with open(path, "r+b") as file:
        file.seek(end)
        file.write(b"PRAR" + bytes(range(100)))
    pushed(copied)
    found = copies.histories(stores.of(copied))[0].pieces
    assert max(piece.end for pieces in found.values() for piece in pieces) == end
    SqliteEvents(copied).add("the torn end is cut")
    pushed(copied)
    copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new")[:-1] == expected


def test_the_database_on_the_data_volume_has_no_part_in_it(copied, where, added, keys):
    expected = rows(where)
    rot(where)
    pushed(copied)
    assert fetched(copied, keys)[1]["rows"] == len(expected)


def test_a_full_disk_is_said_and_what_is_there_stays(copied, where, added, keys):
    with failing("write_once", errno.ENOSPC), pytest.raises(PraError, match="no space left"):
        push.run(copied)
    pushed(copied)
    assert checked(copied, keys)["ok"]


def test_without_hard_links_nothing_is_copied(copied, where, added):
    def hook(phase, operation, arguments):
        if (phase, operation) == ("before", "link_new"):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), "a", None, "b")

    files.hook = hook
    with pytest.raises(PraError, match="no hard links"):
        push.run(copied)
    files.hook = None
    assert objects_of(copied) == {}


def test_an_object_that_is_cut_off_is_told_by_the_next_push(copied, where, added, keys, tmp_path):
    pushed(copied)
    path = next(path for path in places(tmp_path / "elsewhere") if "/journal/" in path)
    os.truncate(path, 100)
    done = push.run(copied)
    assert "cannot be all of it" in done["faults"][0]
    assert os.path.getsize(path) == 100, "and not overwritten"


@pytest.mark.parametrize("kind", ["journal", "chunks"])
def test_copies_with_an_object_that_is_cut_off_do_not_count(
    copied, where, added, keys, tmp_path, kind
):
    pushed(copied)
    before = state.read(where).covered
    path = next(path for path in places(tmp_path / "elsewhere") if f"/{kind}/" in path)
    os.truncate(path, 100)
    if kind == "chunks":
        os.remove(next(path for path in places(tmp_path / "elsewhere") if "/points/" in path))
    shipper = Shipper(copied)
    for _ in range(3):
        shipper.turn()
        assert "cannot be all of it" in state.read(where).what
        assert state.read(where).covered == before
