"""What looks like an accident: rows that went or were overwritten, at once or step by step."""

import os

import pytest
from helpers import add, bring

from pra.base import settings
from pra.events.sqlite import SqliteEvents
from pra.points import catalogue
from pra.protect import backup, suspicion


@pytest.fixture
def change(events):
    """Runs SQL in a transaction of the application's."""

    def run(sql):
        return events._database.write("testing", lambda conn: conn.execute(sql).fetchall())

    return run


@pytest.fixture(params=["required", "off"])
def config(request, environment):
    """With the journal and without: both go by the points."""
    return settings.load({**environment, "PRA_JOURNAL": request.param})


def test_half_of_what_is_left_each_time_is_found_out(config, where, events, change):
    """None of the steps is half of the point before it."""
    add(events, 100)
    found = [backup.run(config).status]
    for _ in range(4):
        change(
            "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT"
            " (SELECT count(*) * 49 / 100 FROM events))"
        )
        found.append(backup.run(config).status)
    assert found == ["verified", "verified"] + 3 * ["quarantined"]


def test_rows_that_take_their_place_do_not_hide_a_loss(config, where, events, change):
    add(events, 20)
    good = backup.run(config)
    change("DELETE FROM events WHERE id <= 15")
    add(events, 15)
    found = backup.run(config)
    assert found.status == "quarantined"
    assert f"of the 20 rows of {good.name}, 15 are gone" in found.reason


def test_overwriting_every_message_is_found_out(config, where, events, change):
    add(events, 20)
    good = backup.run(config)
    change("UPDATE events SET message = 'oops'")
    add(events, 1)
    found = backup.run(config)
    assert found.status == "quarantined"
    assert "0 are gone and 20 were overwritten" in found.reason
    assert catalogue.latest(catalogue.scan(where)) == good


def test_a_row_that_changes_each_time_counts_once(config, where, events, change):
    add(events, 20)
    for number in range(12):
        change(f"UPDATE events SET message = 'counter {number}' WHERE id <= 6")
        assert backup.run(config).status == "verified"


def test_few_rows_are_never_too_many(config, where, events, change):
    add(events, 3)
    backup.run(config)
    change("DELETE FROM events WHERE id > 1")
    assert backup.run(config).status == "verified"
    change("DELETE FROM events")
    found = backup.run(config)
    assert (found.status, found.reason) == (
        "quarantined",
        "the database became empty; it had 1 rows",
    )


def test_what_lies_before_the_window_does_not_count(environment, where):
    config = settings.load({**environment, "PRA_SUSPECT_BACKUPS": "2"})
    events = SqliteEvents(config)
    added = [one["id"] for one in add(events, 40)]
    backup.run(config)
    for start in range(0, 24, 6):
        ids = ",".join(map(str, added[start : start + 6]))
        events._database.write(
            "testing", lambda conn, ids=ids: conn.execute(f"DELETE FROM events WHERE id IN ({ids})")
        )
        assert backup.run(config).status == "verified"


def test_what_was_accepted_is_where_the_comparison_begins(config, where, events, change):
    add(events, 20)
    backup.run(config)
    change("DELETE FROM events WHERE id > 2")
    assert backup.run(config).status == "quarantined"
    assert backup.run(config, accept=True).status == "verified"
    add(events, 1)
    assert backup.run(config).status == "verified"


def test_thresholds_come_from_the_settings(environment, where):
    events = SqliteEvents(settings.load(environment))
    add(events, 20)
    backup.run(settings.load(environment))
    events._database.write(
        "testing", lambda conn: conn.execute("DELETE FROM events WHERE id > 15").fetchall()
    )
    for changes, status in (
        ({"PRA_SUSPECT_PERCENT": "26"}, None),
        ({"PRA_SUSPECT_PERCENT": "25", "PRA_SUSPECT_ROWS": "6"}, None),
        ({"PRA_SUSPECT_PERCENT": "0"}, None),
        ({"PRA_SUSPECT_PERCENT": "25", "PRA_SUSPECT_ROWS": "5"}, "5 are gone"),
    ):
        config = settings.load({**environment, **changes})
        temporary, content = backup.snapshot(where)
        said = suspicion.reason(config, where, catalogue.scan(where), temporary, content)
        assert said is None if status is None else status in said
        os.unlink(temporary)


def test_a_point_that_cannot_be_read_leaves_its_count(config, where, events, change):
    add(events, 20)
    good = backup.run(config)
    with open(where.point(good.name), "r+b") as file:
        file.write(bytes(good.bytes))
    change("DELETE FROM events WHERE id > 2")
    assert "18 are gone" in backup.run(config).reason


def test_sums_that_fit_do_not_hide_that_everything_was_overwritten(config, where, events, change):
    """As many transactions, ids and rows more, as if each transaction had added one row."""
    add(events, 20)
    backup.run(config)
    change("UPDATE events SET message = 'overwritten'")
    change("INSERT INTO events(ts, message) VALUES('t', 'one'), ('t', 'two')")
    found = backup.run(config)
    assert found.status == "quarantined"
    assert "0 are gone and 20 were overwritten" in found.reason


def test_a_restore_that_replays_overwriting_does_not_make_it_good(environment, where):
    config = settings.load(environment)
    events = SqliteEvents(config)
    add(events, 10)
    backup.run(config)
    events._database.write(
        "testing", lambda conn: conn.execute("UPDATE events SET message = 'oops'").fetchall()
    )
    bring(config)
    assert backup.run(config).status == "quarantined"
