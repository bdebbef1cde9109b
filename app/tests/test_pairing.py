"""A lost backup volume, and the empty one that takes its place."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import APP
from helpers import add, as_rows, bring, lose_data, rewrite, rot, rows

from pra.base.errors import Damaged, NeedsRestore, PraError, Refused
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import catalogue, verify
from pra.protect import backup, new_base, new_volume
from pra.recovery import restore
from pra.sql import guards


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
    point = new_volume.run(config)
    assert (point.status, point.manifest["rows"]) == ("verified", 5)
    assert verify.check_all(where, [])["ok"]
    added = lost + add(events, 2)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_ids_go_on_where_they_were(config, lost, events):
    new_volume.run(config)
    assert events.add("next")["id"] == 6


def test_a_volume_that_holds_anything_is_refused(config, where, lost):
    new_volume.run(config)
    with pytest.raises(Refused, match="not empty"):
        new_volume.run(config)
    kept = [point.name for point in catalogue.scan(where)]
    for folder in (".pra", ".pra-copy"):
        os.remove(f"{where.backup}/{folder}/volume.json")
    with pytest.raises(Refused, match="not empty"):
        new_volume.run(config)
    assert [point.name for point in catalogue.scan(where)] == kept


def test_without_a_database_there_is_nothing_to_protect(config, where, lost):
    lose_data(where)
    with pytest.raises(NeedsRestore):
        new_volume.run(config)


def test_cut_off_after_the_mark_the_next_backup_ends_the_work(
    config, where, lost, events, monkeypatch
):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(new_volume.backup, "run", die)
        with pytest.raises(KeyboardInterrupt):
            new_volume.run(config)
    assert backup.run(config).status == "verified"
    added = lost + add(events, 1)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_what_was_written_without_a_journal_before_and_after_explains_itself(
    config, where, events, monkeypatch
):
    """The journal that was left first went with its volume."""
    monkeypatch.setattr(new_base, "MAX_BEHIND", 1)
    added = add(events, 2)
    off = config._replace(journal="off")
    plain = SqliteEvents(off)
    added += add(plain, 3)
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    new_volume.run(off)
    added += add(plain, 3)
    assert backup.run(config).status == "verified"
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_what_was_lost_beside_the_volume_is_not_accepted_by_taking_a_new_one(
    environment, config, where
):
    off = config._replace(journal="off")
    writer = (
        "import os; from pra.base import settings; from pra.events.sqlite import SqliteEvents\n"
        "events = SqliteEvents(settings.load(os.environ))\n"
        "for _ in range(5): events.add('acknowledged')\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = {**os.environ, **environment, "PRA_JOURNAL": "off"}
    subprocess.run([sys.executable, "-c", writer], cwd=APP, env=killed, check=False)
    os.remove(f"{os.path.realpath(where.link)}-wal")
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    with pytest.raises(Damaged, match="were acknowledged, and the database lacks them") as refused:
        new_volume.run(off)
    assert "backup --accept" in refused.value.next_step
    assert catalogue.scan(where) == []
    with pytest.raises(Damaged):
        SqliteEvents(off).add("refused")
    assert backup.run(off, accept=True).status == "verified"
    SqliteEvents(off).add("goes on")


@pytest.mark.parametrize("mode", ["required", "off"])
def test_what_others_wrote_is_not_accepted_by_taking_a_new_volume(config, where, lost, mode):
    config = config._replace(journal=mode)
    rewrite(where, "DROP TRIGGER pra_guard_update; UPDATE events SET message = 'changed'")
    found = new_volume.run(config)
    assert (found.status, found.reason) == ("quarantined", guards.UNGUARDED)
    assert backup.run(config, accept=True).status == "verified"
    SqliteEvents(config).add("goes on")


def test_rows_deleted_since_the_beginning_keep_no_new_volume_from_being_taken(
    config, where, lost, events
):
    """There is no point left that says more about it."""
    new_volume.run(config)
    lose_data(where)
    bring(config)
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events").fetchall())
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    assert new_volume.run(config).status == "verified"
    events.add("goes on")


@pytest.mark.parametrize("mode", ["required", "off"])
@pytest.mark.parametrize("taken", [True, False])
def test_a_row_that_rotted_and_is_nowhere_else_locks_nobody_out(config, where, lost, mode, taken):
    """Its bytes as they are now are all that there is; somebody has to say that they are wanted."""
    config = config._replace(journal=mode)
    rot(where)
    if taken:
        with pytest.raises(Damaged, match="not what was written") as refused:
            new_volume.run(config)
        assert "restore current --force" in refused.value.next_step
        with pytest.raises(Refused, match="no verified point is fit") as refused:
            bring(config)
        assert "restore current" in refused.value.next_step
        assert "--force" in refused.value.next_step
    with pytest.raises(Damaged) as refused:
        restore.run(config, targets.current)
    assert "restore current --force" in refused.value.next_step
    answer = restore.run(config, targets.current, force=True)
    assert any("taken all the same: its rows are as they read now" in w for w in answer["warnings"])
    as_read = [*as_rows(lost)[:-1], (5, lost[-1]["timestamp"], "message 9")]
    assert rows(where) == as_read
    assert backup.run(config).status == "verified"
    assert SqliteEvents(config).add("goes on")["id"] == 6


@pytest.mark.parametrize("mode", ["required", "off"])
def test_whatever_is_tried_on_an_empty_volume_names_how_to_take_it(config, where, lost, mode):
    """A restore that finds nothing leaves its folders there, which changes nothing about that."""
    config = config._replace(journal=mode)
    for act in (backup.run, bring, backup.run, lambda config: backup.run(config, accept=True)):
        with pytest.raises(Refused) as refused:
            act(config)
        assert "python -m pra backup --new-volume" in refused.value.next_step
    assert "empty one" in SqliteEvents(config).status()["unprotected"]
    new_volume.run(config)
    assert SqliteEvents(config).add("goes on")["id"] == 6
