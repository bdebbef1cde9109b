"""Writing only on the live timeline, never behind, and the ways back."""

import os
import shutil
import subprocess

import pytest
from conftest import pra
from helpers import add, as_rows, bring, lose_data, rows

from pra.base import settings
from pra.base.errors import PraError, Refused
from pra.data import proof
from pra.disk import look
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.journal.comparison import Mismatch
from pra.lineage import timelines
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import restore
from pra.state import identity, volumes

MODES = ["required", "best-effort", "off"]


def keep(where, folder):
    """Remember both volumes as they are."""
    for volume in (where.data, where.backup):
        shutil.copytree(volume, f"{folder}/{os.path.basename(volume)}", symlinks=True)


def roll_back(volume, folder):
    """Put a volume to what it was."""
    shutil.rmtree(volume)
    shutil.copytree(f"{folder}/{os.path.basename(volume)}", volume, symlinks=True)


def current(config):
    return restore.run(config, targets.current)


def elsewhere(config, tmp_path):
    """A restore is tried out in another folder, with the backup volume of production."""
    trial = tmp_path / "trial"
    trial.mkdir()
    restore.run(config._replace(data_dir=str(trial), restore_take_over=True), targets.latest)
    return str(trial)


@pytest.mark.parametrize("mode", MODES)
def test_a_trial_elsewhere_stops_production_from_writing_what_latest_would_lose(
    environment, where, tmp_path, mode
):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events = SqliteEvents(config)
    added = add(events, 3)
    backup.run(config)
    elsewhere(config, tmp_path)
    for act in (
        lambda: events.add("no"),
        lambda: SqliteEvents(config).add("no"),
        lambda: backup.run(config),
    ):
        with pytest.raises(identity.Elsewhere, match="live one is 2") as caught:
            act()
        assert "restore latest" in caught.value.next_step
        assert "restore current" in caught.value.next_step
    if mode != "off":
        with pytest.raises(identity.Elsewhere):
            proof.run(config)
    assert "live one is 2" in events.status()["unprotected"]
    start.prepare(config)
    assert rows(where) == as_rows(added)
    current(config)
    # In the journal's mode it is known that nothing is between the two.
    assert (timelines.live(where).parent is None) == (mode == "off")
    added += add(SqliteEvents(config), 2)
    assert events.status()["unprotected"] is None
    assert backup.run(config).status == "verified"
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_the_live_history_can_be_taken_instead(config, where, events, tmp_path):
    added = add(events, 3)
    trial = elsewhere(config, tmp_path)
    theirs = as_rows(add(SqliteEvents(config._replace(data_dir=trial)), 2))
    restored = bring(config)
    assert rows(where) == as_rows(added) + theirs
    restore.run(config, targets.undo)
    assert rows(where) == as_rows(added)
    assert restored["safety_point"]


@pytest.mark.parametrize("which", ["data", "backup"])
def test_either_volume_rolled_back_to_before_a_restore(config, where, events, tmp_path, which):
    old = as_rows(add(events, 4))
    backup.run(config)
    keep(where, tmp_path / "kept")
    restore.run(config, lambda where, known: targets.just_before(where, 3))
    new = rows(where) + as_rows(add(SqliteEvents(config), 3))
    roll_back(getattr(where, which), tmp_path / "kept")
    with pytest.raises(identity.Elsewhere):
        SqliteEvents(config).add("no")
    with pytest.raises(identity.Elsewhere):
        backup.run(config)
    if which == "data":
        assert bring(config)["rows"] == len(new)
        assert rows(where) == new
        return
    assert rows(where) == new
    current(config)
    assert rows(where) == new
    new += as_rows(add(SqliteEvents(config), 1))
    lose_data(where)
    bring(config)
    assert rows(where) == new
    # What the older volume held is there too.
    assert old[3] in brought(config, where, catalogue.scan(where)[-1].name)


def brought(config, where, name):
    bring(config, name)
    return rows(where)


def test_latest_takes_no_older_volume_for_the_newest_history(config, where, events, tmp_path):
    add(events, 4)
    keep(where, tmp_path / "kept")
    bring(config)
    new = rows(where) + as_rows(add(SqliteEvents(config), 3))
    roll_back(where.backup, tmp_path / "kept")
    bring(config)
    # Asked for: and what was there is kept.
    restore.run(config, targets.undo)
    assert rows(where) == new


def test_a_backup_volume_that_is_older_on_the_same_timeline(config, where, events, tmp_path):
    add(events, 3)
    backup.run(config)
    keep(where, tmp_path / "kept")
    added = rows(where) + as_rows(add(SqliteEvents(config), 300))
    roll_back(where.backup, tmp_path / "kept")
    for act in (lambda: SqliteEvents(config).add("no"), lambda: backup.run(config)):
        with pytest.raises(Refused) as caught:
            act()
    assert "restore current" in caught.value.next_step
    start.prepare(config)
    assert len(catalogue.scan(where)) == 1
    current(config)
    added += as_rows(add(SqliteEvents(config), 1))
    lose_data(where)
    bring(config)
    assert rows(where) == added


@pytest.mark.parametrize("mode", MODES)
def test_a_database_older_than_a_point_writes_nothing(environment, where, tmp_path, mode):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events = SqliteEvents(config)
    add(events, 3)
    keep(where, tmp_path / "kept")
    added = rows(where) + as_rows(add(events, 300))
    backup.run(config)
    for segment in segments.listing(where):
        os.unlink(segment.path)
    roll_back(where.data, tmp_path / "kept")
    for act in (lambda: SqliteEvents(config).add("no"), lambda: backup.run(config)):
        with pytest.raises(Refused) as caught:
            act()
    assert "restore latest" in caught.value.next_step
    start.prepare(config)
    bring(config)
    assert rows(where) == added


def damage_record(where, seq):
    segment = segments.listing(where)[-1]
    victim = next(record for record in segments.read(segment)[1] if record.seq == seq)
    with open(segment.path, "r+b") as file:
        file.seek(victim.offset + 80)
        byte = file.read(1)[0]
        file.seek(victim.offset + 80)
        file.write(bytes([byte ^ 1]))
    return segment.path


def cut_header(where, seq):
    path = segments.listing(where)[-1].path
    with open(path, "r+b") as file:
        file.write(b"\xff" * 64)


@pytest.mark.parametrize("harm", [damage_record, cut_header])
@pytest.mark.parametrize("mode", MODES)
def test_behind_and_the_journal_is_damaged(environment, where, tmp_path, mode, harm):
    required = settings.load(environment)
    events = SqliteEvents(required)
    add(events, 5)
    keep(where, tmp_path / "kept")
    add(events, 6)
    roll_back(where.data, tmp_path / "kept")
    harm(where, 10)
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    before = rows(where)
    start.prepare(config)
    for act in (lambda: SqliteEvents(config).add("no"), lambda: backup.run(config)):
        if mode == "off" and act.__code__.co_names[0] == "backup":
            continue
        with pytest.raises(Mismatch):
            act()
    assert rows(where) == before
    assert catalogue.scan(where) == []


def test_writes_left_out_on_purpose_get_a_new_base_by_themselves(environment, where, events):
    off = settings.load({**environment, "PRA_JOURNAL": "off"})
    add(events, 2)
    add(SqliteEvents(off), 300)
    required = settings.load(environment)
    start.prepare(required)
    added = rows(where) + as_rows(add(SqliteEvents(required), 1))
    lose_data(where)
    bring(required)
    assert rows(where) == added


def test_a_write_costs_one_look_at_the_timelines(config, where, events, monkeypatch):
    add(events, 1)
    past = 1_700_000_000
    os.utime(where.timelines, (past, past))
    add(events, 1)
    looked = []
    for name in ("read_small", "names"):
        function = getattr(look, name)
        monkeypatch.setattr(
            look, name, lambda *given, f=function: looked.append(given) or f(*given)
        )
    add(events, 3)
    assert looked == []


def test_a_restore_killed_after_the_swap_is_noted_by_the_next_write(config, where, events):
    added = add(events, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "activate", lambda where, number: (_ for _ in ()).throw(OSError()))
        with pytest.raises(OSError):
            bring(config)
    assert (volumes.current(where), timelines.live(where).number) == (2, 1)
    added += add(SqliteEvents(config), 1)
    assert timelines.live(where).number == 2
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_not_if_the_history_went_on_elsewhere(config, where, events, tmp_path):
    add(events, 2)
    trial = tmp_path / "trial"
    trial.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "activate", lambda where, number: (_ for _ in ()).throw(OSError()))
        with pytest.raises(OSError):
            other = config._replace(data_dir=str(trial), restore_take_over=True)
            restore.run(other, targets.latest)
    events.add("production goes on")
    with pytest.raises(identity.Elsewhere):
        SqliteEvents(config._replace(data_dir=str(trial))).add("no")


def test_current_after_the_registry_was_lost(config, where, events):
    add(events, 3)
    bring(config)
    added = rows(where) + as_rows(add(SqliteEvents(config), 2))
    for folder in (".pra", ".pra-copy"):
        shutil.rmtree(f"{where.backup}/{folder}/timelines")
    with pytest.raises(PraError):
        SqliteEvents(config).add("no")
    current(config)
    added += as_rows(add(SqliteEvents(config), 1))
    before = {segment.path for segment in segments.listing(where)}
    backup.run(config._replace(keep_safety_hours=0, keep_last=2))
    backup.run(config._replace(keep_safety_hours=0, keep_last=2))
    assert before <= {segment.path for segment in segments.listing(where)}
    lose_data(where)
    bring(config)
    assert rows(where) == added


@pytest.mark.parametrize("backup_volume", ["kept", "emptied"])
@pytest.mark.parametrize("mode", ["required", "off"])
def test_a_start_deletes_nothing_where_the_link_is_gone(environment, where, mode, backup_volume):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    added = add(SqliteEvents(config), 5)
    os.unlink(where.link)
    if backup_volume == "emptied":
        shutil.rmtree(where.backup)
        os.mkdir(where.backup)
    start.prepare(config)
    assert volumes.others(where) == [1]
    assert SqliteEvents(config).needs_restore()
    with pytest.raises(PraError, match="still holds g1") as caught:
        backup.run(config)
    command = caught.value.next_step.split(";")[0].removeprefix("put the link back: ")
    subprocess.run(command, shell=True, check=True)
    assert rows(where) == as_rows(added)


def test_a_restore_keeps_what_the_link_no_longer_leads_to(config, where, events):
    add(events, 2)
    point = backup.run(config).name
    os.rename(where.journal, f"{where.journal}.lost")
    os.mkdir(where.journal)
    off = config._replace(journal="off")
    added = rows(where) + as_rows(add(SqliteEvents(off), 3))
    os.unlink(where.link)
    bring(config, point)
    assert volumes.others(where) == []
    (safety,) = [one for one in catalogue.scan(where) if one.status == "safety"]
    assert "g1" in safety.reason
    bring(config, safety.name)
    assert rows(where) == added


def test_a_first_start_that_was_cut_off_is_finished(config):
    where = config.layout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volumes, "switch", lambda *_: (_ for _ in ()).throw(OSError()))
        with pytest.raises(OSError):
            volumes.ensure_initialised(where)
    assert volumes.others(where) == [1]
    volumes.ensure_initialised(where)
    assert SqliteEvents(config).add("first")["id"] == 1


def test_by_command_line(environment, where, events):
    add(events, 2)
    done = pra(environment, "restore", "current")
    assert (done.returncode, "2 rows (from app-" in done.stdout) == (0, True), done
    assert pra({**environment, "PRA_RESTORE_POINT": "current"}, "restore").returncode == 0
    assert "nothing was changed" in pra(environment, "restore", "current", "--plan").stdout


def test_a_connection_to_what_was_replaced_is_not_kept(config, where, events):
    """Given back after others went on to the new database, it would hold the old one's files."""
    add(events, 1)
    pool = events._database.pool
    with events._database.read("reading for long"):
        bring(config)
        add(events, 1)
    assert [entry.of[1] for entry in pool._idle] == [look.identity(where.link)]
