"""A database that is ahead of its journal: by a loss of power, or of another past."""

import os
import shutil

import pytest
from helpers import add, bring, rows

from pra.base import settings
from pra.base.errors import Refused
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.lineage import timelines
from pra.pitr import targets
from pra.protect import backup
from pra.recovery.restore import run as restore_run
from pra.sql import connect, schema


def copied(where, tmp_path, name):
    """Copies of both volumes, their processes being gone."""
    for volume in (where.data, where.backup):
        shutil.copytree(volume, tmp_path / name / os.path.basename(volume), symlinks=True)


def put_back(volume, tmp_path, name):
    shutil.rmtree(volume)
    shutil.copytree(tmp_path / name / os.path.basename(volume), volume, symlinks=True)


@pytest.mark.parametrize("newer", [5, 20])
def test_a_newer_data_volume_does_not_hide_what_its_rolled_back_pair_wrote(
    config, where, tmp_path, newer
):
    add(SqliteEvents(config), 10)
    backup.run(config)
    copied(where, tmp_path, "old")
    add(SqliteEvents(config), newer)
    copied(where, tmp_path, "new")
    put_back(where.data, tmp_path, "old")
    put_back(where.backup, tmp_path, "old")
    acknowledged = [SqliteEvents(config).add(f"after {number}") for number in range(5)]
    put_back(where.data, tmp_path, "new")
    start.prepare(config)
    for act in (lambda: SqliteEvents(config).add("x"), lambda: backup.run(config)):
        with pytest.raises(Refused):
            act()
    bring(config)
    assert {one["message"] for one in acknowledged} <= {row[2] for row in rows(where)}


def test_the_place_that_is_durable_is_known_to_the_database(config, where):
    events = SqliteEvents(config)
    add(events, 3)
    conn = connect.open_live(os.path.realpath(where.link))
    assert schema.durable(conn)[0] == 2
    conn.close()


def test_a_position_of_the_version_before_is_read_and_goes_on(config, where):
    add(SqliteEvents(config), 2)
    conn = connect.open_live(os.path.realpath(where.link))
    for name in ("durable_seq", "durable_hash"):
        conn.execute(f"ALTER TABLE pra_position DROP COLUMN {name}")
    conn.close()
    start.prepare(config)
    SqliteEvents(config).add("goes on")
    assert len(rows(where)) == 3


@pytest.mark.parametrize("served", [True, False])
def test_a_trial_that_died_behind_its_swap_takes_nothing_from_production(
    environment, tmp_path, monkeypatch, served
):
    config = settings.load({**environment, "PRA_JOURNAL": "off"})
    start.prepare(config)
    production = SqliteEvents(config)
    add(production, 3)
    backup.run(config)
    (tmp_path / "trial").mkdir()
    trial = config._replace(data_dir=str(tmp_path / "trial"), restore_take_over=True)
    with monkeypatch.context() as patch:
        patch.setattr(timelines, "activate", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            restore_run(trial, targets.latest)
    add(production, 2)
    if not served:
        backup.run(config)
        del production
    start.prepare(trial)
    with pytest.raises(Refused):
        SqliteEvents(trial).add("trial")
    assert timelines.live(config.layout).number == 1
    SqliteEvents(config).add("production goes on")
