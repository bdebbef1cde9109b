"""A restore into an empty folder while production serves from another volume."""

import fcntl
import os
import shutil
import time
from pathlib import Path

import pytest
from conftest import pra, serving
from helpers import add, as_rows, bring, lose_data, rows

from pra.base.errors import Refused
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.lineage import in_use, timelines
from pra.pitr import targets
from pra.protect import backup
from pra.recovery import plan, restore


@pytest.fixture
def trial(config, tmp_path):
    """The settings of somebody who tries a restore in a folder of his own."""
    folder = tmp_path / "trial"
    folder.mkdir()
    return config._replace(data_dir=str(folder))


def test_it_is_refused_and_production_goes_on(config, where, events, trial, monkeypatch):
    added = add(events, 3)
    backup.run(config)
    monkeypatch.setattr(in_use, "WAIT", 0.0)
    with pytest.raises(Refused, match="serve the database") as caught:
        restore.run(trial, targets.latest)
    assert "--take-over" in caught.value.next_step
    assert os.listdir(trial.data_dir) == []
    there = sorted(Path(where.backup).rglob("*"))
    planned = plan.run(trial, targets.latest)
    assert planned["rows"] == 3 and "a restore here is refused" in planned["warnings"][0]
    assert sorted(Path(where.backup).rglob("*")) == there
    assert os.listdir(trial.data_dir) == [], "who only looks changes nothing, and is not refused"
    assert timelines.numbers(where) == [1]
    added += add(events, 1)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_unless_it_is_told_to(environment, config, where, events, trial):
    add(events, 3)
    there = {**environment, "PRA_DATA_DIR": trial.data_dir}
    assert pra(there, "restore", "latest").returncode == 1
    assert pra(there, "restore", "latest", "--take-over").returncode == 0
    assert timelines.live(where).number == 2
    told = {**there, "PRA_DATA_DIR": f"{trial.data_dir}2", "PRA_RESTORE_TAKE_OVER": "yes"}
    os.mkdir(told["PRA_DATA_DIR"])
    assert pra(told, "restore", "latest").returncode == 0


def test_who_ended_holds_nothing_and_is_cleared_away(config, where, trial):
    with serving({**os.environ, **_environment(config)}) as (url, process):
        _fetch(f"{url}/add?message=x")
        assert in_use.others(trial.layout)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while in_use.others(trial.layout) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert in_use.others(trial.layout) == []
    backup.run(config)
    assert os.listdir(where.uses) == []
    restore.run(trial, targets.latest)


def test_the_volume_that_was_lost_under_the_servers_is_no_other(config, where, events):
    """rm -rf of all that is on it, or a new one in its place: nobody waits for anything."""
    added = add(events, 3)
    for empty in (emptied, lose_data):
        empty(where)
        began = time.monotonic()
        bring(config)
        assert time.monotonic() - began < in_use.WAIT
        assert rows(where) == as_rows(added)
        added += add(events, 1)


def test_a_server_whose_database_is_gone_lets_go(config, where, trial):
    with serving({**os.environ, **_environment(config)}) as (url, _):
        _fetch(f"{url}/add?message=x")
        emptied(where)
        deadline = time.monotonic() + 20
        while in_use.others(trial.layout) and time.monotonic() < deadline:
            _fetch(f"{url}/health")
        assert in_use.others(trial.layout) == []


def test_reading_serves_too(config, where, trial):
    events = SqliteEvents(config)
    events.count()
    assert len(in_use.others(trial.layout)) == 1
    del events


def emptied(where):
    for name in os.listdir(where.data):
        path = f"{where.data}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def _environment(config):
    return {
        "PRA_DATA_DIR": config.data_dir,
        "PRA_BACKUP_DIR": config.backup_dir,
        "PRA_JOURNAL": config.journal,
        "HOST": "127.0.0.1",
        "PORT": "0",
    }


def _fetch(url):
    import urllib.request

    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def test_who_looks_and_does_not_go_on_hides_no_server_and_stops_none(config, where, trial):
    looking = []

    def look(phase, name, arguments):
        new = (phase, name) == ("after", "open_new") and arguments[0].startswith(where.uses)
        if new and not looking:
            looking.append(files.open_read(arguments[0]))
            assert files.try_lock(looking[0])

    serving_too = SqliteEvents(config)
    files.hook = look
    assert serving_too.count() == 0
    files.hook = None
    assert in_use.others(trial.layout) == [f"{where.data} on {os.uname().nodename}"]
    files.close(looking[0])


def test_two_who_look_at_what_one_left_that_ended_see_nobody(config, where, trial):
    left = f"{where.uses}/left"
    files.make_directory(where.uses)
    files.write_new(left, b"{}")
    also_looks = files.open_read(left)
    assert files.try_lock(also_looks, fcntl.LOCK_SH)
    assert in_use.others(trial.layout) == []
    files.close(also_looks)


def test_what_is_cleared_away_is_locked_until_it_is_gone(where, monkeypatch):
    """Else a server could take it for its own in between, and be announced by nothing."""
    files.make_directory(where.uses)
    Path(where.uses, "left").write_text("{}")
    locked, remove = [], files.remove

    def look_and_remove(path):
        with open(path) as file:
            locked.append(not files.try_lock(file.fileno()))
        remove(path)

    monkeypatch.setattr(files, "remove", look_and_remove)
    in_use.sweep(where)
    assert locked == [True]
    assert os.listdir(where.uses) == []
