"""No row is given up that was acknowledged while a server promised less than the journal has."""

import os
import shutil

import pytest
from healing import note, refused, started
from helpers import bring, lose_data, rows

from pra.base import settings
from pra.base.errors import DiskFull, Refused
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.lineage import data_volume
from pra.protect import backup
from pra.state import mode


@pytest.fixture
def serve(healing):
    """Starts a server with a mode of the journal."""

    def started_with(name):
        config = start.prepare(settings.load({**healing, "PRA_JOURNAL": name}))
        return SqliteEvents(config, serving=True)

    return started_with


def _ended(*servers):
    for one in servers:
        one._database.pool.drop()


def test_who_was_started_before_the_mode_was_raised_may_write_still(serve, healer, where, caplog):
    """As in a rolling update: the mode of the volumes is that of the new one by then."""
    old = serve("off")
    old.add("1")
    backup.run(old._settings)
    new = serve("required")
    assert mode.of(where) == "required"
    old.add("2, in no journal")
    _ended(old, new)
    lose_data(where)
    assert "with PRA_JOURNAL=off" in refused(healer, caplog)["what"]


def test_a_backup_beside_one_that_promises_less_vouches_for_nothing(serve, healer, where, caplog):
    old = serve("off")
    old.add("1")
    new = serve("required")
    backup.run(new._settings)
    assert data_volume.seen(where).journal == "off"
    old.add("2, in no journal")
    _ended(old, new)
    lose_data(where)
    assert "with PRA_JOURNAL=off" in refused(healer, caplog)["what"]


def test_who_promises_less_for_a_while_leaves_no_note_of_before(serve, healer, where, caplog):
    new = serve("required")
    new.add("1")
    backup.run(new._settings)
    assert data_volume.seen(where).journal == "required"
    for name in ("off", "best-effort"):
        less = serve(name)
        less.add(f"with {name}")
        assert data_volume.seen(where) is None
        _ended(less)
        new = serve("required")
    _ended(new)
    lose_data(where)
    assert "less than PRA_JOURNAL=required" in refused(healer, caplog)["what"]


def test_a_gap_that_no_new_base_closed_is_not_forgotten(serve, healer, where, caplog, monkeypatch):
    old = serve("best-effort")
    old.add("1")
    backup.run(old._settings)
    shutil.move(where.journal, f"{where.backup}/away")
    old.add("2, in no journal")
    _ended(old)
    shutil.move(f"{where.backup}/away", where.journal)

    def full(*_):
        raise DiskFull("making a backup", "there is no room", "make some")

    with monkeypatch.context() as patched:
        patched.setattr(backup, "run", full)
        new = serve("required")
        with pytest.raises(Refused):
            new.add("refused")
    assert mode.of(where) == "required"
    _ended(new)
    lose_data(where)
    assert "with PRA_JOURNAL=best-effort" in refused(healer, caplog)["what"]


def test_once_all_promise_everything_a_backup_vouches_for_it(serve, healer, where):
    old = serve("off")
    old.add("1")
    _ended(old)
    new = serve("required")
    backup.run(new._settings)
    new.add("2")
    before = rows(where)
    _ended(new)
    lose_data(where)
    started(healer)
    assert rows(where) == before


def test_who_could_not_say_it_says_it_once_the_volume_is_back(serve, where):
    old, away = serve("best-effort"), f"{where.backup}.away"
    new = serve("required")
    new.add("1")
    backup.run(new._settings)
    os.rename(where.backup, away)
    assert old.count() == 1
    os.rename(away, where.backup)
    assert data_volume.seen(where).journal == "required"
    old.add("2")
    assert data_volume.seen(where) is None
    backup.run(new._settings)
    assert data_volume.seen(where).journal == "best-effort"


def test_what_an_earlier_version_noted_vouches_for_nothing(healer, where, lost, caplog):
    note(where, data_volume.seen(where)._replace(journal=None))
    assert "is not known" in refused(healer, caplog)["what"]
    bring(healer)
    assert rows(where) == lost


@pytest.mark.parametrize("name", ["best-effort", "off"])
def test_a_mode_that_changed_while_the_database_was_lost_is_that_of_the_volumes(
    serve, healing, where, lost, name
):
    """Whoever restores it, and whatever backs it up, is asked with the mode of the servers."""
    server = serve(name)
    server.bring_back()
    assert server.needs_restore()
    config = settings.load({**healing, "PRA_JOURNAL": name})
    bring(mode.for_verb(config, "restoring"))
    assert server.add("after it")["id"] == 6
    assert mode.of(where) == name
    backup.run(mode.for_verb(config, "making a backup"))
    assert server.status()["unprotected"] is None
