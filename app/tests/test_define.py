"""Changing the tables: one way that leaves checksums, guards, journal and restores as they were."""

import json

import pytest
from conftest import pra
from helpers import add, bring, lose_data, rewrite, rows

from pra.base.errors import Damaged, Refused, UsageError
from pra.data.database import Database
from pra.events.sqlite import SqliteEvents
from pra.points import catalogue
from pra.protect import backup, define
from pra.sql import connect


def names(where):
    """The definitions that are not the application's."""
    conn = connect.open_live(where.link)
    try:
        return [name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE name = 't'")]
    finally:
        conn.close()


@pytest.mark.parametrize("mode", ["required", "best-effort", "off"])
def test_tables_come_and_go_while_servers_run_and_all_of_it_comes_back(config, where, mode):
    config = config._replace(journal=mode)
    events = SqliteEvents(config)
    add(events, 3)
    made = define.run(
        config, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,2)"
    )
    assert (made.status, names(where)) == ("verified", ["t"])
    events.add("goes on")
    Database(config).write("x", lambda conn: conn.execute("INSERT INTO t VALUES(2,3)").fetchall())
    assert events.status()["unprotected"] is None
    if mode == "off":
        backup.run(config)
    lose_data(where)
    bring(config)
    assert (len(rows(where)), names(where)) == (4, ["t"])
    assert define.run(config, "DROP TABLE t").status == "verified"
    SqliteEvents(config).add("goes on")
    assert names(where) == []


def test_what_the_refusal_of_a_table_advises_works(config, where, events):
    events.add("first")
    rewrite(where, "CREATE TABLE t(a)")
    with pytest.raises(Damaged, match="cannot follow") as refused:
        events.add("refused")
    assert "python -m pra define" in refused.value.next_step
    define.run(config, "DROP TABLE t")
    events.add("goes on")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE TABLE", UsageError),
        ("COMMIT", UsageError),
        ("CREATE TABLE t(id INTEGER PRIMARY KEY); COMMIT", UsageError),
        ("ATTACH ':memory:' AS other", UsageError),
        ("CREATE TABLE t(a)", Refused),
        ("CREATE TABLE pra_t(id INTEGER PRIMARY KEY)", Refused),
        ("DROP TABLE events", Refused),
        ("DROP TABLE pra_position", Refused),
        ("UPDATE pra_position SET seq = 100", Refused),
    ],
)
def test_what_cannot_be_lived_with_is_refused_and_changes_nothing(
    config, where, events, sql, error
):
    add(events, 3)
    known = catalogue.scan(where)
    with pytest.raises(error):
        define.run(config, sql)
    assert (catalogue.scan(where), names(where), len(rows(where))) == (known, [], 3)
    events.add("goes on")


def test_a_mass_delete_by_this_way_is_suspect_as_any_other(config, where, events):
    add(events, 10)
    backup.run(config)
    assert define.run(config, "DELETE FROM events").status == "quarantined"
    events.add("goes on")


def test_the_command_says_which_point_it_made(environment, config, where, events):
    events.add("one")
    done = pra(environment, "define", "CREATE TABLE t(id INTEGER PRIMARY KEY)", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["point"]["status"] == "verified"
    wrong = pra(environment, "define", "CREATE TABEL t")
    assert (wrong.returncode, wrong.stdout) == (2, "")
