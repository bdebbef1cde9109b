"""Somebody removes the database's log under the servers: nothing acknowledged goes unnoticed."""

import contextlib
import errno
import json
import os
import sqlite3
import urllib.error
import urllib.request

import pytest
from conftest import pra, serving
from helpers import add, as_rows, bring, content, failing, overwrite, rows

from pra.base import settings
from pra.base.errors import Damaged, OutcomeUnknown, StorageError
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal.acknowledged import Acknowledged, path_of
from pra.protect import backup, new_base
from pra.sql import connect
from pra.state import volumes

LACKS = "were acknowledged, and the database lacks them"
REMOVED = [("-wal",), ("-wal", "-shm")]


def off(environment):
    return {**environment, "PRA_JOURNAL": "off"}


def database_of(where):
    return os.path.realpath(where.link)


def remove_log(where, suffixes=("-wal", "-shm")):
    for suffix in suffixes:
        os.remove(database_of(where) + suffix)


def kill(process):
    """End a server as the loss of a node does."""
    process.kill()
    process.wait()


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def get_at_last(url):
    """As ``get``; a server that opens the database first waits for those who have its log."""
    for _ in range(100):
        try:
            return get(url)
        except urllib.error.HTTPError as error:
            said = json.load(error)["error"]
            assert "who has it open has yet to bring it in" in said or LACKS in said, said
    raise AssertionError("nobody brought it in")


@pytest.mark.parametrize("suffixes", REMOVED)
@pytest.mark.parametrize("mode", ["off", "best-effort", "required"])
def test_what_was_acknowledged_outlives_the_log_and_the_servers(environment, mode, suffixes):
    """Those who have it open bring it in; all of it once went with the last of them."""
    environment = {**environment, "PRA_JOURNAL": mode}
    where = settings.load(environment).layout
    acknowledged = []
    with serving(environment) as (url, process):
        acknowledged += [get(f"{url}/add?message=before") for _ in range(8)]
        remove_log(where, suffixes)
        acknowledged += [get_at_last(f"{url}/add?message=after") for _ in range(8)]
        assert {get_at_last(f"{url}/count")["count"] for _ in range(6)} == {16}
        assert get(f"{url}/status")["unprotected"] is None
        kill(process)
    assert rows(where) == as_rows(acknowledged)
    with serving(environment) as (url, _):
        assert get(f"{url}/add?message=again")["id"] == 17


@pytest.fixture
def bereft(environment):
    """Settings of a database that lacks what was acknowledged: nobody was left who had its log."""
    config = settings.load(off(environment))
    volumes.ensure_initialised(config.layout)
    add(SqliteEvents(config), 2)
    backup.run(config)
    with serving(off(environment)) as (url, process):
        for _ in range(3):
            get(f"{url}/add?message=lost")
        remove_log(config.layout)
        kill(process)
    return config


def test_what_went_with_the_log_is_said_and_not_written_over(environment, bereft):
    where = bereft.layout
    told = f"transactions 3 to 5 {LACKS}"
    assert len(rows(where)) == 2
    with serving(off(environment)) as (url, _):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(f"{url}/add?message=x")
        assert told in json.load(refused.value)["error"]
        assert told in get(f"{url}/status")["unprotected"]
        for verb in ("backup", "export"):
            done = pra(off(environment), verb)
            assert (done.returncode, told in done.stderr) == (1, True), done.stderr
            assert "else python -m pra restore latest takes what a point has" in done.stderr
        assert pra(off(environment), "restore", "latest").returncode == 0
        assert get(f"{url}/add?message=x")["id"] == 3
        assert get(f"{url}/status")["unprotected"] is None


def test_a_database_that_lacks_something_can_be_accepted(environment, bereft):
    with serving(off(environment)) as (url, _):
        assert pra(off(environment), "backup", "--accept").returncode == 0
        assert get(f"{url}/add?message=x")["id"] == 3


def test_what_went_with_the_log_is_noticed_also_when_a_journal_begins(environment, bereft):
    """Its end is where the database stands again: nothing else would tell."""
    required = settings.load(environment)
    with pytest.raises(Damaged, match="transactions 3 to 5 were acknowledged"):
        SqliteEvents(required).add("x")
    with pytest.raises(Damaged, match="transactions 3 to 5 were acknowledged"):
        backup.run(required)


def test_who_comes_later_waits_for_those_who_have_the_log(environment, where):
    config = settings.load(off(environment))
    events = SqliteEvents(config)
    kept = add(events, 5)
    remove_log(where)
    done = pra(off(environment), "backup")
    assert LACKS in done.stderr
    kept.append(events.add("brings it in"))
    assert pra(off(environment), "backup").returncode == 0
    assert rows(where) == as_rows(kept)


def test_another_log_with_something_in_it_is_not_overwritten(environment, where, caplog):
    """A checkpoint of the old one could bring back old pages over new ones."""
    config = settings.load(off(environment))
    events = SqliteEvents(config)
    add(events, 2)
    live = database_of(where)
    remove_log(where)
    with open(f"{live}-wal", "wb") as file:
        file.write(b"another one's")
    before = content(live)
    entry = events._database.pool.checkout("looking")
    assert not entry.look()[0]
    events._database.leave_removed_log(entry, "looking")
    assert "replaced" in caplog.text
    assert content(live) == before


def test_a_log_that_is_being_read_is_brought_in_later(environment, where, monkeypatch):
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    config = settings.load(off(environment))
    events = SqliteEvents(config)
    kept = add(events, 3)
    with events._database.read("reading for long") as conn:
        conn.execute("SELECT count(*) FROM events").fetchall()
        kept.append(events.add("meanwhile"))
        remove_log(where)
        with pytest.raises(StorageError, match="somebody is reading"):
            events.add("refused")
    kept.append(events.add("at last"))
    assert rows(where) == as_rows(kept)


def test_a_look_brings_it_in_too(environment, where):
    events = SqliteEvents(settings.load(off(environment)))
    kept = add(events, 3)
    remove_log(where)
    assert events.count() == 3
    # Read by somebody who never saw that log.
    with sqlite3.connect(f"file:{database_of(where)}?immutable=1", uri=True) as conn:
        assert conn.execute("SELECT count(*) FROM events").fetchone() == (3,)
    assert rows(where) == as_rows(kept)


@contextlib.contextmanager
def no_disk(events):
    """The database's log cannot be synced, nor emptied while somebody reads what was before."""
    with events._database.read("reading for long") as conn:
        conn.execute("SELECT count(*) FROM events").fetchall()
        with failing("sync_data", errno.EIO, times=9):
            yield


def test_the_number_is_of_what_the_disk_has(environment, where, monkeypatch):
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    events = SqliteEvents(settings.load(off(environment)))
    add(events, 2)
    with no_disk(events), pytest.raises(OutcomeUnknown):
        events.add("in doubt")
    assert Acknowledged(database_of(where)).last() == 2


@pytest.mark.parametrize("damage", [b"", b"PRA ack\n", bytes(20), b"x" * 20])
def test_a_damaged_number_says_nothing(environment, where, damage):
    config = settings.load(off(environment))
    add(SqliteEvents(config), 2)
    overwrite(path_of(database_of(where)), damage)
    assert Acknowledged(database_of(where)).last() == 0
    SqliteEvents(config).add("x")
    assert Acknowledged(database_of(where)).last() == 3


def test_the_number_of_several_writers_never_goes_back(where):
    one, other = (Acknowledged(database_of(where), create=True) for _ in range(2))
    one.note(7)
    other.note(5)
    assert one.last() == other.last() == 7
    new_base.accept_missing(where)
    assert one.last() == 0


def test_a_restore_begins_without_a_number_of_the_past(environment, where):
    config = settings.load(off(environment))
    events = SqliteEvents(config)
    add(events, 2)
    point = backup.run(config)
    add(events, 3)
    bring(config, point.name)
    assert events.add("x")["id"] == 6


@pytest.mark.parametrize("mode", ["off", "required"])
def test_a_row_is_seen_before_a_disk_has_it_and_acknowledged_after(
    environment, where, mode, monkeypatch
):
    """docs/decisions/durability.md says why; only a loss of power can take such a row back."""
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events, reader = SqliteEvents(config), SqliteEvents(config)
    events.add("first")
    seen = []

    def hook(when, operation, arguments):
        if (when, operation) == ("before", "sync_data"):
            files.hook = None
            seen.append(reader.count())

    files.hook = hook
    answered = events.add("second")
    assert seen == [2], "a reader saw it while the disk had yet to be asked"
    assert answered["id"] == 2
    with no_disk(reader), pytest.raises(OutcomeUnknown):
        events.add("never acknowledged")
