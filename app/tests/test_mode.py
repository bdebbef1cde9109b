"""The journal's mode belongs to the volume pair: who disagrees with it says so, or is refused."""

import os

import pytest
from conftest import pra, serving
from helpers import add, as_rows, bring, content, lose_data, overwrite, rows

from pra.base import settings
from pra.base.errors import Damaged, UsageError
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.protect import new_volume
from pra.protect.export import run as export
from pra.state import mode


def with_mode(environment, wanted):
    """The environment with another mode, or with none."""
    others = {name: value for name, value in environment.items() if name != "PRA_JOURNAL"}
    return others if wanted is None else {**others, "PRA_JOURNAL": wanted}


@pytest.fixture
def started(config):
    """Volumes whose servers started once, as ``environment`` says: with ``required``."""
    start.prepare(config)
    return config.layout


def test_a_start_makes_its_mode_that_of_the_volumes(environment, started, caplog):
    assert mode.of(started) == "required"
    assert not caplog.records
    start.prepare(settings.load(with_mode(environment, "off")))
    assert mode.of(started) == "off"
    assert "mode was required; from now on it is off" in caplog.text


def test_a_start_without_a_mode_takes_that_of_the_volumes(environment, started):
    unsaid = settings.load(with_mode(environment, None))
    assert start.prepare(unsaid).journal == "required"


def test_the_first_start_of_all_without_a_mode_is_the_original_workshop(environment, config):
    unsaid = settings.load(with_mode(environment, None))
    assert start.prepare(unsaid).journal == "off"
    assert mode.of(config.layout) == "off"


def test_a_copy_that_is_adopted_beside_journaling_servers_stays_restorable(
    environment, started, config, tmp_path
):
    """Nothing was set where it was typed: that once meant no journal, and no base for it."""
    add(SqliteEvents(config), 3)
    with open(tmp_path / "copy.tar", "wb") as file:
        export(config, file)
    with serving(environment):
        done = pra(with_mode(environment, None), "adopt", str(tmp_path / "copy.tar"))
        assert done.returncode == 0, done.stderr
        after = SqliteEvents(config).add("after the adoption")
    lose_data(started)
    bring(config)
    assert as_rows([after])[0] in rows(started)


@pytest.mark.parametrize(
    "verb", [("backup",), ("restore", "latest"), ("undo",), ("adopt", "FILE"), ("prove",)]
)
def test_a_command_that_asks_for_less_than_the_servers_promise_is_refused(
    environment, started, config, tmp_path, verb
):
    add(SqliteEvents(config), 2)
    with open(tmp_path / "copy.tar", "wb") as file:
        export(config, file)
    before = rows(started), sorted(os.listdir(started.backup))
    arguments = [str(tmp_path / "copy.tar") if one == "FILE" else one for one in verb]
    done = pra(with_mode(environment, "off"), *arguments)
    assert done.returncode == 1, done
    assert "PRA_JOURNAL is off here, and the servers of these volumes run with required" in (
        done.stderr
    )
    assert "next: leave PRA_JOURNAL out" in done.stderr
    assert (rows(started), sorted(os.listdir(started.backup))) == before
    if verb != ("undo",):
        assert pra(with_mode(environment, None), *arguments).returncode == 0


def test_one_that_asks_for_more_says_so_and_goes_on(environment, started):
    start.prepare(settings.load(with_mode(environment, "off")))
    done = pra(environment, "backup")
    assert done.returncode == 0
    assert "PRA_JOURNAL is required here, and the servers of these volumes run with off" in (
        done.stderr
    )


def test_a_proof_of_another_mode_than_the_servers_proves_nothing(environment, started):
    start.prepare(settings.load(with_mode(environment, "off")))
    assert "run with off" in pra(environment, "prove").stderr
    assert pra(with_mode(environment, None), "prove").stdout.startswith("there is no journal")


def test_a_server_that_others_left_behind_says_so(environment, started, config):
    events = SqliteEvents(config)
    assert events.status()["unprotected"] is None
    start.prepare(settings.load(with_mode(environment, "off")))
    assert "others were started with off" in events.status()["unprotected"]


@pytest.mark.parametrize("damage", [None, b"", b"{}", "bit"])
def test_a_mode_that_is_lost_is_asked_for(environment, started, config, damage):
    """Whatever happened to the file: nothing is taken for granted where something was promised."""
    add(SqliteEvents(config), 1)
    good = content(started.mode)
    if damage is None:
        os.remove(started.mode)
    else:
        flipped = bytes([good[0], good[1] ^ 1]) + good[2:]
        overwrite(started.mode, flipped if damage == "bit" else damage)
    unsaid = settings.load(with_mode(environment, None))
    for act in (lambda: mode.for_verb(unsaid, "testing"), lambda: start.prepare(unsaid)):
        with pytest.raises((Damaged, UsageError)) as refused:
            act()
        assert "PRA_JOURNAL" in refused.value.next_step
    assert mode.for_verb(config, "testing").journal == "required"
    start.prepare(config)
    assert content(started.mode) == good


def test_a_new_backup_volume_has_the_mode_of_who_took_it(environment, started, config):
    add(SqliteEvents(config), 1)
    os.rename(started.backup, f"{started.backup}-lost")
    os.mkdir(started.backup)
    with pytest.raises(UsageError, match="PRA_JOURNAL is not set"):
        new_volume.run(settings.load(with_mode(environment, None)))
    new_volume.run(config)
    assert mode.of(started) == "required"
