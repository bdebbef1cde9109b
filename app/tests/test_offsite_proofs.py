"""Who has the key notes that the copies could be restored; who has none can tell."""

import json

import pytest
from conftest import pra
from helpers import add
from offsite_helpers import checked, new_keys, pushed

from pra.base import clock
from pra.base.errors import PraError
from pra.events.sqlite import SqliteEvents
from pra.offsite import copies, names, stores
from pra.offsite.crypt import WrongKey
from pra.offsite.folder import FolderStore
from pra.offsite.ship import Shipper
from pra.protect import backup
from pra.state import copied as state

DAY = 86_400


def told(config):
    """What /status says of the copies, and what notices there are of proving them."""
    answer = SqliteEvents(config).status()
    return answer["offsite"], [one for one in answer["notices"] if "proven" in one["what"]]


def figures(config):
    """What /metrics tells of the copies."""
    return {
        one.metric.name: one.values[()]
        for part in SqliteEvents(config).collected()
        if part.collector == "offsite"
        for one in part.told
    }


def elsewhere(config, tmp_path):
    """The settings of a machine that has the place alone."""
    return config._replace(
        data_dir=str(tmp_path / "none" / "data"), backup_dir=str(tmp_path / "none" / "backup")
    )


def test_a_proof_on_another_machine_is_known_at_the_next_look(copied, where, added, keys, tmp_path):
    Shipper(copied).turn()
    assert told(copied)[0]["proven_epoch"] is None
    began = int(clock.now())
    found = checked(elsewhere(copied, tmp_path), keys, every=False)
    assert found["ok"] and found["proven"] >= began
    assert told(copied)[0]["proven_epoch"] is None
    Shipper(copied).turn()
    assert told(copied)[0]["proven_epoch"] == found["proven"]
    assert figures(copied)["pra_offsite_proven_timestamp_seconds"] == found["proven"]
    pushed(copied)
    assert state.read(where).proven == found["proven"]


def test_a_proof_beside_the_volume_is_known_at_once(copied, where, added, keys):
    Shipper(copied).turn()
    found = checked(copied, keys)
    assert state.read(where).proven == found["proven"]


def test_nothing_is_noted_where_the_copies_fail(copied, where, added, keys, tmp_path):
    Shipper(copied).turn()
    (found,) = copies.histories(stores.of(copied))
    path = f"{copied.offsite.folder}/{found.history}/chunks/{min(found.chunks)}.age"
    with open(path, "r+b") as file:
        file.seek(300)
        file.write(b"xxx")
    assert not checked(copied, keys)["ok"]
    with pytest.raises(WrongKey):
        checked(copied, new_keys(tmp_path / "other"))
    assert copies.histories(stores.of(copied))[0].proofs == []
    Shipper(copied).turn()
    assert state.read(where).proven is None


def test_who_has_the_bucket_alone_cannot_make_one_and_a_wrong_clock_none_of_a_time_to_come(
    copied, where, added, keys, monkeypatch
):
    Shipper(copied).turn()
    store, (found,) = stores.of(copied), copies.histories(stores.of(copied))
    forged = names.Proof(int(clock.now()), 0, "all", "0" * 64)
    store.put(f"{found.history}/{names.text_of(forged)}", b"x")
    right = clock.now
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: right() + DAY)
        assert checked(copied._replace(backup_dir="/nowhere"), keys)["ok"]
    assert len(copies.histories(store)[0].proofs) == 2
    Shipper(copied).turn()
    assert state.read(where).proven is None


def test_after_so_many_days_without_a_proof_it_is_said(copied, where, added, keys, monkeypatch):
    Shipper(copied).turn()
    assert told(copied)[1] == []
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() + 8 * DAY)
    offsite, notices = told(copied)
    assert offsite["proof_overdue"] is True
    assert "for 8 days" in notices[0]["what"]
    assert "offsite verify" in notices[0]["next"]
    assert figures(copied)["pra_offsite_proof_overdue"] == 1
    assert told(copied._replace(offsite_proof_days=0))[1] == []
    backup.run(copied)
    Shipper(copied).turn()
    checked(copied, keys)
    assert told(copied)[0]["proof_overdue"] is False
    assert figures(copied)["pra_offsite_proof_overdue"] == 0


def test_who_may_only_read_has_proven_it_and_is_told_that_it_is_noted_nowhere(
    environment, copied, where, added, keys, monkeypatch
):
    pushed(copied)

    def refuse(self, name, data):
        raise PraError("writing a copy", "it is read-only", "ask who may write")

    monkeypatch.setattr(FolderStore, "put", refuse)
    found = checked(copied, keys)
    assert (found["ok"], found["proven"]) == (True, None)
    assert "read-only" in found["unnoted"]


def test_a_sample_reads_some_objects_and_one_more_point(
    environment, copied, where, events, keys, monkeypatch
):
    monkeypatch.setattr(names, "CHUNK", 8 << 10)
    add(events, 100)
    for _ in range(3):
        backup.run(copied)
    pushed(copied, every=True)
    there = {
        **environment,
        "PRA_OFFSITE": copied.offsite.folder,
        "PRA_OFFSITE_RECIPIENTS": keys.public,
    }
    asked = ["offsite", "verify", "--json", "--identity", keys.file]
    found = json.loads(pra(there, *asked, "--sample", "3").stdout)
    assert (found["ok"], found["read"], len(found["points"])) == (True, 3, 1)
    every = json.loads(pra(there, *asked, "--all").stdout)
    assert every["read"] > 3
    assert len(every["points"]) == 3
    kinds = [one.kind for one in copies.histories(stores.of(copied))[0].proofs]
    assert sorted(kinds) == ["all", "sample"]
    said = pra(there, "offsite", "verify", "--identity", keys.file).stdout
    assert "noted beside the copies: proven at" in said
