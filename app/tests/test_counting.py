"""The number of events is kept beside the position, and is what a count of the rows would say."""

import contextlib
import os
from unittest import mock

import pytest
from conftest import pra
from helpers import add, bring, crash_before_commit, lose_data, rewrite, rows

from pra.base.errors import Damaged
from pra.data import proof
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.protect import backup, define, upgrades
from pra.recovery import restore
from pra.sql import connect, counting, guards, keys, schema

COLUMNS = "rows", "rows_seq", "rows_schema"


def kept(where):
    """The number that the current database keeps; None where it knows none."""
    with contextlib.closing(connect.open_live(where.link)) as conn:
        return counting.kept(conn)


def run(events, *statements):
    """Run statements in one transaction, as no part of the application does."""
    events._database.write(
        "testing", lambda conn: [conn.execute(sql).fetchall() for sql in statements]
    )


@contextlib.contextmanager
def version_without():
    """Transactions of a version that knows nothing of the number."""
    nothing = "start_rows = start_rows + 0 * coalesce(?{0}, 0)"
    with mock.patch.object(schema, "_ROWS", nothing):
        yield


def without_columns(where):
    """The position as such a version makes it."""
    rewrite(
        where,
        "".join(f"ALTER TABLE pra_position DROP COLUMN {name};" for name in COLUMNS),
    )


INSERT = "INSERT INTO events(ts, message) VALUES('', 'm')"


@pytest.mark.parametrize(
    ("statements", "left"),
    [
        ((INSERT, INSERT), 7),
        (("DELETE FROM events WHERE id < 3",), 3),
        (("DELETE FROM events",), 0),
        (("UPDATE events SET message = 'x'",), 5),
        ((INSERT, "DELETE FROM events WHERE id = 6"), 5),
        (("INSERT OR REPLACE INTO events VALUES(2, '', 'y')",), 5),
        (("DELETE FROM events WHERE id = 2", "INSERT INTO events VALUES(2, '', 'y')"), 5),
        (("UPDATE events SET id = 100 WHERE id = 1",), 5),
        (("INSERT INTO events VALUES(9, '', ''), (-4, '', '')",), 7),
    ],
)
def test_whatever_a_transaction_does_the_number_follows(config, events, where, statements, left):
    add(events, 5)
    run(events, *statements)
    assert kept(where) == left == len(rows(where)) == events.count()
    lose_data(where)
    bring(config)
    assert kept(where) == left == events.count()


def test_a_unique_index_that_replaces_rows_is_followed_too(config, events, where):
    add(events, 5)
    define.run(config, "CREATE UNIQUE INDEX one ON events(message)")
    run(events, "INSERT OR REPLACE INTO events(ts, message) VALUES('', 'message 1')")
    assert kept(where) == 5 == len(rows(where))


@pytest.mark.parametrize("mode", ["best-effort", "off"])
def test_where_no_session_watches_the_application_tells(config, where, mode):
    config = config._replace(journal=mode)
    events = SqliteEvents(config)
    for number in range(6):
        events.add("m", f"k{number % 4}" if number % 2 else None)
    assert kept(where) == 5 == len(rows(where))
    if mode == "best-effort":
        return
    # What nobody tells of leaves it unknown, and counted.
    run(events, "INSERT OR REPLACE INTO events VALUES(2, '', '')")
    assert (kept(where), events.count()) == (None, 5)
    events.add("another")
    assert (kept(where), events.count()) == (None, 6)
    backup.run(config)
    assert kept(where) == 6
    events.add("another")
    assert kept(where) == 7


def test_a_work_that_failed_leaves_nothing_told(config, where):
    events = SqliteEvents(config._replace(journal="off"))
    add(events, 2)

    def fail(conn):
        events._insert(conn, "never")
        raise ValueError

    with pytest.raises(ValueError):
        events._database.write("testing", fail)
    events.add("x")
    assert kept(where) == 3 == len(rows(where))


def test_proofs_crashes_undo_and_changed_tables_leave_it_exact(config, events, where, monkeypatch):
    add(events, 3)
    proof.run(config)
    assert kept(where) == 3
    crash_before_commit(events, monkeypatch)
    events = SqliteEvents(config)
    events.add("brings in the other")
    assert kept(where) == 5 == len(rows(where))
    restore.run(config, lambda where, known: targets.just_before(where, 2))
    assert kept(where) == 1 == len(rows(where))
    restore.run(config, targets.undo)
    assert kept(where) == 5 == len(rows(where))
    define.run(config, f"CREATE TABLE t(id INTEGER PRIMARY KEY); {INSERT}")
    assert kept(where) == 6 == len(rows(where))


def test_another_version_that_wrote_between_leaves_it_unknown_until_somebody_counts(
    config, events, where
):
    add(events, 3)
    with version_without():
        other = SqliteEvents(config)
        other.add("of another version")
    assert (kept(where), events.count()) == (None, 4)
    events.add("goes on")
    assert (kept(where), events.count()) == (None, 5)
    start.prepare(config)
    assert (kept(where), events.count()) == (5, 5)
    with version_without():
        other.add("of another version")
    backup.run(config)
    assert (kept(where), events.count()) == (6, 6)


def test_a_database_without_the_columns_is_written_and_gets_them(config, events, where):
    """One that an earlier version restored while servers of this one run."""
    add(events, 3)
    without_columns(where)
    assert SqliteEvents(config).count() == 3
    later = SqliteEvents(config)
    later.add("goes on")
    assert (kept(where), later.count()) == (None, 4)
    upgrades.know_count(where)
    assert kept(where) == 4


def test_columns_that_went_under_a_server_that_runs_come_back_with_a_new_connection(
    config, events, where
):
    add(events, 3)
    point = backup.run(config)
    with mock.patch.object(schema, "install", _as_before):
        bring(config, point.name)
    events.add("goes on")
    assert events.count() == 4 == len(rows(where))


_INSTALL = schema.install


def _as_before(conn, *arguments):
    here = _INSTALL(conn, *arguments)
    for name in COLUMNS:
        conn.execute(f"ALTER TABLE pra_position DROP COLUMN {name}")
    return here


def test_rows_that_went_past_all_transactions_are_damage_that_a_backup_finds(
    environment, config, events, where
):
    add(events, 5)
    rewrite(where, "DELETE FROM events WHERE id = 2")
    with pytest.raises(Damaged, match="has 4 events, and its transactions left 5"):
        backup.run(config)
    assert "transactions left 5" in str(events.status()["notices"])
    # Never repaired by itself.
    start.prepare(config)
    with pytest.raises(Damaged):
        backup.run(config)
    assert bring(config)["rows"] == 5
    assert backup.run(config).status == "verified"
    rewrite(where, "DELETE FROM events WHERE id = 3")
    assert pra(environment, "backup").returncode == 1
    assert pra(environment, "backup", "--accept").returncode == 0
    assert kept(where) == 4 == events.count()
    assert SqliteEvents(config).status()["notices"] == []


@pytest.mark.parametrize("mode", ["required", "off"])
def test_guards_that_another_version_put_back_leave_the_number_unknown(config, where, mode):
    """It moves no position by that, and knows of no number."""
    config = config._replace(journal=mode)
    events = SqliteEvents(config)
    add(events, 5)
    names = list(guards.DEFINITIONS)
    dropped = "".join(f"DROP TRIGGER {name};" for name in names)
    rewrite(where, f"{dropped} DELETE FROM events WHERE id < 4")
    with contextlib.closing(connect.open_live(os.path.realpath(where.link))) as conn:
        guards.guard(conn)
    assert (kept(where), events.count()) == (None, 2)
    assert events.status()["count"] == 2
    events.add("goes on")
    assert (kept(where), events.count()) == (None, 3)
    if mode == "off":
        assert backup.run(config).manifest["rows"] == 3 == kept(where)


def test_a_point_has_the_number_and_so_has_what_is_vacuumed_once_it_is_counted(
    config, events, where
):
    add(events, 5)
    point = backup.run(config)
    with contextlib.closing(connect.open_resting(f"{where.backup}/{point.name}")) as conn:
        assert counting.kept(conn) == 5
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert kept(where) == 5
    rewrite(where, "VACUUM")
    assert (kept(where), events.count()) == (None, 5)
    upgrades.know_count(where)
    assert kept(where) == 5


def test_the_table_of_keys_that_a_start_adds_without_a_journal_leaves_the_number(
    config, where, monkeypatch
):
    config = config._replace(journal="off")
    events = SqliteEvents(config)
    add(events, 3)
    rewrite(where, f"DROP TABLE {keys.TABLE}")
    upgrades.know_count(where)
    monkeypatch.setattr(counting, "counted", lambda conn: pytest.fail("it counts"))
    upgrades.add_keys(where)
    assert kept(where) == 3
    assert events.add("with a key", "k")["id"] == 4


def test_where_others_may_have_written_the_rows_are_counted(events, where):
    add(events, 3)
    rewrite(where, "DROP TRIGGER pra_guard_insert")
    assert (kept(where), events.count()) == (None, 3)
