"""A disk that changes what was written: found by reading, kept out of points, undone."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import APP, pra
from helpers import add, bring, lose_data, rewrite, rot, rows

from pra.base import sealing, settings
from pra.base.errors import Damaged, PraError
from pra.disk import copying
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import catalogue, verify
from pra.protect import backup, notices
from pra.recovery import plan
from pra.sql import connect
from pra.state import generations, volumes


@pytest.fixture
def rotten(config, where, events):
    """A row of a verified point went bad on the data volume; returns what was acknowledged."""
    add(events, 3)
    backup.run(config)
    add(events, 1)
    live = rows(where)
    rot(where)
    return live


def test_a_row_that_rotted_becomes_no_point_and_is_served_to_nobody(config, where, rotten):
    with pytest.raises(Damaged, match="not what was written"):
        SqliteEvents(config).newest(50)
    with pytest.raises(Damaged, match="not what was written") as failure:
        backup.run(config)
    assert "restore latest" in failure.value.next_step
    assert [point.status for point in catalogue.scan(where)] == ["verified"]


def test_status_says_so_until_a_restore(config, where, rotten):
    with pytest.raises(Damaged):
        backup.run(config)
    (notice,) = SqliteEvents(config).status()["notices"]
    assert "the data volume is damaged" in notice["what"]
    assert "restore latest" in notice["next"]
    bring(config)
    assert rows(where) == rotten, "the journal has the right rows"
    assert SqliteEvents(config).status()["notices"] == []
    assert backup.run(config).status == "verified"


def test_what_a_sound_backup_follows_is_forgotten(config, where, events):
    add(events, 1)
    notices.note_damage(where, "a test", "nothing")
    assert len(notices.found(config, catalogue.scan(where))) == 1
    backup.run(config)
    assert notices.found(config, catalogue.scan(where)) == []


def test_a_plan_says_which_rows_differ(config, where, rotten):
    planned = plan.run(config, targets.latest)
    assert (planned["gained"], planned["lost"], planned["changed"]) == (0, 0, 1)


def test_nothing_is_written_onto_a_rotten_page(config, where, rotten):
    """Its old row would go into the journal, and no replay could follow it any more."""
    events = SqliteEvents(config)
    with pytest.raises(Damaged):
        events._database.write(
            "testing", lambda conn: conn.execute("UPDATE events SET message='x' WHERE id=2")
        )
    lose_data(where)
    bring(config)
    assert rows(where) == rotten


def test_without_a_journal_it_is_found_as_well(environment, where):
    config = settings.load({**environment, "PRA_JOURNAL": "off"})
    events = SqliteEvents(config)
    add(events, 3)
    good, live = backup.run(config), rows(where)
    rot(where)
    with pytest.raises(Damaged):
        backup.run(config)
    assert bring(config)["point"] == good.name
    assert rows(where) == live


def test_what_is_in_the_log_gets_its_checksum_with_the_next_backup(config, where, events):
    add(events, 3)
    path = os.path.realpath(where.link)
    with open(path, "rb") as file:
        assert b"message 1" not in file.read()
    backup.run(config)
    with open(path, "rb") as file:
        assert b"message 1" in file.read()


def test_a_point_that_rotted_before_it_was_named_is_none(config, where, events, monkeypatch):
    """Between the copying and the hash: the check of the copy reads it again."""
    add(events, 3)
    copy = backup._copy

    def copy_and_rot(layout, source, path):
        copy(layout, source, path)
        with open(path, "r+b") as file:
            data = file.read()
            file.seek(data.index(b"message 1"))
            file.write(b"message 9")

    monkeypatch.setattr(backup, "_copy", copy_and_rot)
    with pytest.raises(Damaged):
        backup.run(config)
    assert catalogue.scan(where) == []


def make_rotten(where, point):
    """What a version without checksums made of a row that had gone bad: all agrees."""
    conn = connect.open_unchecked(where.point(point.name))
    conn.execute("UPDATE events SET message = 'massage 1' WHERE id = 2")
    conn.close()
    content = {**point.manifest, "sha256": copying.sha256(where.point(point.name))}
    with open(where.manifest(point.name), "wb") as file:
        file.write(sealing.seal(content))


def test_a_base_that_the_journal_does_not_fit_is_passed_over(config, where, events):
    add(events, 3)
    good = backup.run(config)
    add(events, 1)
    rotten = backup.run(config)
    events._database.write(
        "testing", lambda conn: conn.execute("DELETE FROM events WHERE id = 2").fetchall()
    )
    live = rows(where)
    make_rotten(where, rotten)
    assert verify.fault(where, catalogue.find(catalogue.scan(where), rotten.name)) is None
    lose_data(where)
    result = bring(config)
    assert (result["point"], result["skipped"][0]["name"]) == (good.name, rotten.name)
    assert "do not fit" in result["skipped"][0]["reason"]
    assert rows(where) == live


def test_where_no_base_fits_the_restore_stops(config, where, events):
    """Nothing may be guessed: the history begins with that one point."""
    add(events, 3)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(os.path.realpath(where.link), where.point("app-1700000000.db"))
    bring(config, "app-1700000000.db")
    make_rotten(where, catalogue.latest(catalogue.scan(where)))
    events._database.write(
        "testing", lambda conn: conn.execute("DELETE FROM events WHERE id = 2").fetchall()
    )
    live = rows(where)
    with pytest.raises(PraError, match="do not fit"):
        bring(config)
    assert rows(where) == live


#: A connection of its own process, which ends by moving its log into the database.
_FOREIGN = """
import sqlite3, sys
shell = sqlite3.connect(sys.argv[1])
for name in ("insert", "update", "delete"):
    shell.execute(f"DROP TRIGGER pra_guard_{name}")
shell.execute("UPDATE events SET message = 'theirs' WHERE id = 1")
shell.commit()
shell.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


@pytest.fixture
def written_by_others(config, where, events):
    """A foreign sqlite3 wrote pages that have no checksum."""
    add(events, 3)
    backup.run(config)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    shell = [sys.executable, "-c", _FOREIGN, os.path.realpath(where.link)]
    subprocess.run(shell, check=True, cwd=APP)
    with pytest.raises(Damaged):
        SqliteEvents(config).newest(50)


def test_pages_of_others_are_kept_apart_and_can_be_accepted(config, where, written_by_others):
    assert backup.run(config).status == "quarantined"
    assert backup.run(config, accept=True).status == "verified"
    assert SqliteEvents(config).newest(50)[-1]["message"] == "theirs"
    SqliteEvents(config).add("goes on")
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_pages_of_others_are_kept_by_a_restore(config, where, written_by_others):
    kept = bring(config)["safety_point"]
    assert SqliteEvents(config).newest(50)[-1]["message"] == "message 0"
    bring(config, kept)
    assert SqliteEvents(config).newest(50)[-1]["message"] == "theirs"


def test_a_database_without_checksums_is_read_and_gets_them_with_a_restore(config, monkeypatch):
    """As a version that knew nothing of them made it."""
    where = config.layout
    with monkeypatch.context() as patch:
        patch.setattr(connect, "_RESERVED", 0)
        volumes.ensure_initialised(where)
    events = SqliteEvents(config)
    add(events, 3)
    assert backup.run(config).status == "verified"
    live = rows(where)
    assert events.status()["page_checksums"] is False
    bring(config)
    assert checksums(os.path.realpath(where.link))
    assert rows(where) == live
    assert events.status()["page_checksums"] is True


def checksums(path):
    conn = connect.open_live(path)
    try:
        return connect.has_checksums(conn)
    finally:
        conn.close()


def test_an_empty_database_has_checksums_from_the_beginning(tmp_path):
    path = f"{tmp_path}/new.db"
    generations.write_empty(path)
    assert checksums(path)


def test_an_apsw_without_the_extension_says_what_to_install(environment, where):
    code = (
        "import apsw; apsw.__file__ = '/nowhere/apsw/__init__.py'\n"
        "import sys; from pra.commands.cli import main; sys.exit(main(['prove']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=APP,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "next: install apsw as app/requirements.txt pins it" in done.stderr


def test_by_command_line(environment, config, where, rotten):
    done = pra(environment, "backup")
    assert done.returncode == 1
    assert "not what was written" in done.stderr
    assert "next: python -m pra restore latest" in done.stderr


def test_pages_that_leave_a_full_cache_have_checksums_too(config, where, events):
    """A snapshot larger than SQLite's cache, of a log that somebody else still needs."""
    for _ in range(1000):
        events.add("x" * 3000)
    reader = connect.open_live(os.path.realpath(where.link))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    for _ in range(20):
        events.add("y" * 3000)
    assert backup.run(config).status == "verified"
    reader.close(True)
