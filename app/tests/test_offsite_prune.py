"""Removing copies that are not kept: what goes, what stays, and who may copy meanwhile."""

import json
import os
import time

import pytest
from conftest import pra
from helpers import Crash, add, rows
from offsite_helpers import (
    checked,
    fetched,
    new_keys,
    objects_of,
    pushed,
    rows_of,
)

from pra.base import clock
from pra.base.errors import Locked, PraError, Refused
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.offsite import copies, names, prune, push, stores
from pra.offsite.fetch import Asking
from pra.offsite.folder import FolderStore
from pra.offsite.ship import Shipper
from pra.protect import backup
from pra.state import copied as state


@pytest.fixture
def few(copied, monkeypatch):
    """Settings that keep two points, with small segments and parts."""
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    monkeypatch.setattr(names, "CHUNK", 8 << 10)
    return copied._replace(keep_last=2, keep_hours=0, keep_days=0, keep_weeks=0)


@pytest.fixture
def full(few, where, events):
    """What was acknowledged; six points and their journal were copied, piece by piece."""
    for number in range(6):
        add(events, 12)
        pushed(few)
        rewritten(events, number)
        backup.run(few._replace(offsite=None, keep_last=60))
        pushed(few)
    add(events, 5)
    pushed(few)
    return rows(where)


def rewritten(events, number):
    """Give the database pages that no other point shares."""
    events.add(os.urandom(3000).hex() + str(number))


def pruned(config, keys, dry_run=False):
    """Remove what is not kept; returns what was done."""
    done = prune.run(config, Asking(keys.identity), dry_run)
    assert done["faults"] == []
    return done


def only(config):
    """The one history that is there."""
    return copies.histories(stores.of(config))[0]


def test_what_the_rules_do_not_keep_goes_and_the_rest_comes_back(few, full, where, keys, tmp_path):
    before = only(few)
    tried = pruned(few, keys, dry_run=True)
    assert only(few).sizes == before.sizes, "a trial changes nothing"
    done = pruned(few, keys)
    after = only(few)
    assert (len(before.points), len(after.points)) == (6, 2)
    assert len(done["points"]) == 4
    assert 0 < len(after.chunks) < len(before.chunks)
    assert len(after.pieces) < len(before.pieces)
    assert (tried["objects"], tried["bytes"]) == (done["objects"], done["bytes"])
    assert before.count - after.count == done["objects"]
    assert before.bytes - after.bytes == done["bytes"]
    assert after.fences == []
    assert checked(few, keys)["ok"]
    copy, answer = fetched(few, keys)
    assert answer["faults"] == []
    assert rows_of(copy, tmp_path / "new") == full
    assert pruned(few, keys)["objects"] == 0


def test_nothing_that_a_kept_moment_needs_goes(few, full, where, keys):
    pruned(few, keys)
    oldest = only(few).points[-1]
    first = fetched(few, keys, f"app-{oldest.epoch}.db")[1]["rows"]
    for seq in range(first + 1, len(full)):
        assert fetched(few, keys, f"before:{seq + 1}")[1]["rows"] == seq


def test_pieces_that_a_whole_segment_stands_for_go(few, full, where, keys):
    found = {one: own for one, own in only(few).pieces.items() if len(own) > 1}
    assert found
    pruned(few._replace(keep_last=60), keys)
    after = only(few)
    assert len(after.points) == 6
    assert sum(map(len, after.pieces.values())) < sum(map(len, found.values()))
    oldest = min(found)
    assert found.keys() - after.pieces.keys() <= {oldest}, "it was before the first point"
    assert checked(few, keys)["ok"]


def test_what_copies_go_on_after_a_removal(few, full, where, keys, tmp_path):
    shipper = Shipper(few)
    shipper.turn()
    pruned(few, keys)
    events = SqliteEvents(few)
    add(events, 20)
    backup.run(few)
    for _ in range(2):
        shipper.turn()
        assert state.read(where).what is None
    Shipper(few).turn()
    assert state.read(where).missing == 0
    copy, _ = fetched(few, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_points_that_are_copied_meanwhile_get_back_what_was_removed_of_them(
    few, full, keys, monkeypatch
):
    remove, done = FolderStore.remove, []

    def acting(store, paths):
        if any("/chunks/" in path for path in paths):
            # The volume has the old points still; their parts are all there, and go now.
            done.append(push.run(few, every=True))
        return remove(store, paths)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "remove", acting)
        pruned(few, keys)
    assert len(done) == 1
    assert done[0]["points"] == []
    assert "somebody removes what is not kept" in done[0]["faults"][0]
    assert not checked(few, keys)["ok"], "this would be lost without what follows"
    pushed(few, every=True)
    assert len(only(few).points) == 6
    assert checked(few, keys)["ok"]


def test_parts_that_went_are_sent_again_for_the_point_that_needs_them(few, full, where, keys):
    store, found = stores.of(few), only(few)
    reader = copies.Reader(store, keys.identity, found.history)
    _, macs = reader.point(found.points[0])
    paths = [f"{found.history}/chunks/{mac}.age" for mac in macs]
    store.remove(paths)
    pushed(few)
    assert checked(few, keys)["ok"]


def test_while_somebody_removes_no_point_counts_and_the_journal_goes_on(few, full, where, keys):
    shipper = Shipper(few)
    shipper.turn()
    history, store = only(few).history, stores.of(few)
    fence = f"{history}/{names.text_of(names.Fence(int(clock.now()), '0' * 64))}"
    store.put(fence, b"x")
    SqliteEvents(few).add("meanwhile")
    backup.run(few)
    before = state.read(where).covered
    shipper._point_at = shipper._looked_at = time.monotonic() - 10_000
    shipper.turn()
    assert "somebody removes what is not kept" in state.read(where).what
    assert state.read(where).covered == before, "it began anew, and no point counts yet"
    store.hide(fence)
    shipper.turn()
    found = state.read(where)
    assert found.what is None
    assert found.covered > before


def test_two_who_remove_at_once_are_one_too_many(few, full, keys):
    history, store = only(few).history, stores.of(few)
    old, new = (names.Fence(int(clock.now()) - age, "0" * 64) for age in (4000, 10))
    for one in (old, new):
        store.put(f"{history}/{names.text_of(one)}", b"x")
    with pytest.raises(Locked, match="somebody else does since"):
        prune.run(few, Asking(keys.identity), dry_run=False)
    store.hide(f"{history}/{names.text_of(new)}")
    pruned(few, keys)
    assert only(few).fences == [], "also that of one who was killed long ago"


def test_killed_at_any_removal_nothing_that_is_kept_is_gone(few, full, keys, monkeypatch):
    calls = []
    remove = files.remove

    def counting(path):
        calls.append(path)
        if str(few.offsite.folder) in path and len(calls) % 7 == 0:
            raise Crash
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", counting)
        for _ in range(3):
            with pytest.raises(Crash):
                prune.run(few, Asking(keys.identity), dry_run=False)
            left = only(few).fences
            for one in left:
                stores.of(few).hide(f"{only(few).history}/{names.text_of(one)}")
            assert fetched(few, keys)[1]["rows"] == len(full)
    pruned(few, keys)
    assert checked(few, keys)["ok"]


def test_a_point_that_cannot_be_read_stops_it_before_anything_goes(few, full, keys, tmp_path):
    found = only(few)
    path = f"{few.offsite.folder}/{found.history}/{names.text_of(found.points[-1])}"
    os.truncate(path, 100)
    before = objects_of(few)
    with pytest.raises(Refused, match="is unknown") as told:
        prune.run(few, Asking(keys.identity), dry_run=False)
    assert "verify --all" in told.value.next_step
    assert objects_of(few) == before
    with pytest.raises(PraError, match="encrypted for another key"):
        prune.run(few, Asking(new_keys(tmp_path / "other").identity), dry_run=False)
    assert objects_of(few) == before


def test_files_of_uploads_that_were_killed_go_once_they_are_old(copied, where, added, keys):
    pushed(copied)
    place = f"{copied.offsite.folder}/.unfinished"
    for name, age in (("old", 7200), ("new", 0)):
        with open(f"{place}/{name}", "wb") as file:
            file.write(b"half")
        moment = time.time() - age
        os.utime(f"{place}/{name}", (moment, moment))
    assert pruned(copied, keys)["leftovers"] == 1
    assert os.listdir(place) == ["new"]


def test_by_command_line(environment, few, full, keys):
    there = {
        **environment,
        "PRA_OFFSITE": few.offsite.folder,
        "PRA_OFFSITE_RECIPIENTS": keys.public,
        "PRA_KEEP_LAST": "2",
        **dict.fromkeys(("PRA_KEEP_HOURS", "PRA_KEEP_DAYS", "PRA_KEEP_WEEKS"), "0"),
    }
    asked = ["offsite", "prune", "--identity", keys.file]
    assert "would remove 4 points" in pra(there, *asked, "--dry-run").stdout
    done = pra(there, *asked, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["points"]) == 4
    assert "removed 0 points" in pra(there, *asked).stdout


def test_a_lock_is_named_with_its_end(few, full, keys, monkeypatch):
    until = clock.now() + 1000
    monkeypatch.setattr(FolderStore, "remove", lambda self, paths: dict.fromkeys(paths, until))
    done = pruned(few, keys)
    assert done["objects"] == 0
    assert done["held"]["objects"] > 4
    assert done["held"]["until"] == clock.rfc3339(until)
