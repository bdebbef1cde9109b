"""A lost backup volume, and the empty one that takes its place."""

import os
import shutil

import pytest
from helpers import add, as_rows, bring, lose_data, rows

from pra import backup, pairing, points, rebase, verify
from pra.errors import NeedsRestore, PraError, Refused
from pra.events import Events


@pytest.fixture
def lost(config, where, events):
    """A database with five rows whose backup volume was lost; those rows."""
    added = add(events, 3)
    backup.run(config)
    added += add(events, 2)
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    return added


def test_nothing_takes_an_empty_volume_by_itself(config, lost, events):
    with pytest.raises(PraError, match="backup volume"):
        events.add("unprotected")
    with pytest.raises(Refused):
        backup.run(config)


def test_protection_is_whole_again(config, where, lost, events):
    point = pairing.run(config)
    assert (point.status, point.manifest["rows"]) == ("verified", 5)
    assert verify.check_all(where, [])["ok"]
    added = lost + add(events, 2)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_ids_go_on_where_they_were(config, lost, events):
    pairing.run(config)
    assert events.add("next")["id"] == 6


def test_a_volume_that_holds_anything_is_refused(config, where, lost):
    pairing.run(config)
    with pytest.raises(Refused, match="not empty"):
        pairing.run(config)
    kept = [point.name for point in points.scan(where)]
    for folder in (".pra", ".pra-copy"):
        os.remove(f"{where.backup}/{folder}/volume.json")
    with pytest.raises(Refused, match="not empty"):
        pairing.run(config)
    assert [point.name for point in points.scan(where)] == kept


def test_without_a_database_there_is_nothing_to_protect(config, where, lost):
    lose_data(where)
    with pytest.raises(NeedsRestore):
        pairing.run(config)


def test_cut_off_after_the_mark_the_next_backup_ends_the_work(
    config, where, lost, events, monkeypatch
):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pairing.backup, "run", die)
        with pytest.raises(KeyboardInterrupt):
            pairing.run(config)
    assert backup.run(config).status == "verified"
    added = lost + add(events, 1)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_what_was_written_without_a_journal_before_and_after_explains_itself(
    config, where, events, monkeypatch
):
    """The journal that was left first went with its volume."""
    monkeypatch.setattr(rebase, "MAX_BEHIND", 1)
    added = add(events, 2)
    off = config._replace(journal="off")
    plain = Events(off)
    added += add(plain, 3)
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    pairing.run(off)
    added += add(plain, 3)
    assert backup.run(config).status == "verified"
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)
