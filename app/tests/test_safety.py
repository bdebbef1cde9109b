"""What a restore replaces is really kept before it goes: nothing stands for it unread."""

import os

import pytest
from helpers import add, as_rows, bring, content, crash_at, overwrite, rewrite, rows

from pra.base import settings
from pra.base.errors import Damaged
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import catalogue, verify
from pra.protect import backup
from pra.recovery import plan, restore


def kept_by_a_restore(config, where):
    """Restore the latest moment; returns the point that keeps what was there."""
    name = bring(config)["safety_point"]
    return catalogue.find(catalogue.scan(where), name)


def lose_a_page(path, holding):
    """One page of zeros in the place of the one with these bytes; the size stays."""
    data = bytearray(content(path))
    start = data.index(holding) // 4096 * 4096
    data[start : start + 4096] = bytes(4096)
    overwrite(path, data)


@pytest.mark.parametrize("mode", ["off", "required"])
def test_a_point_that_went_bad_is_not_taken_for_what_is_there(environment, where, mode):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    events = SqliteEvents(config)
    added = add(events, 3)
    older = backup.run(config)
    added += [events.add("the last row")]
    newest = backup.run(config)
    lose_a_page(where.point(newest.name), b"the last row")

    result = bring(config, older.name)
    assert result["safety_point"] != newest.name
    (skipped,) = result["skipped"]
    assert skipped["name"] == newest.name
    assert "SHA-256" in skipped["reason"]
    restore.run(config, targets.undo)
    assert rows(where) == as_rows(added)


def test_a_point_that_cannot_be_read_is_no_safety_point_either(config, where, events):
    add(events, 2)
    older = backup.run(config)
    add(events, 1)
    newest = backup.run(config)

    def hook(phase, operation, arguments):
        if (phase, operation) == ("before", "open_read") and arguments == (
            where.point(newest.name),
        ):
            raise OSError(5, os.strerror(5))

    files.hook = hook
    result = bring(config, older.name)
    files.hook = None
    assert result["safety_point"] not in (newest.name, None)
    assert "cannot be read" in result["skipped"][0]["reason"]


def test_a_safety_point_of_a_try_that_was_killed_is_read_before_it_counts(config, where, events):
    add(events, 3)
    older = backup.run(config)
    events.add("the last row")
    # Without guards no position proves what it holds: only its bytes do.
    rewrite(where, "DROP TRIGGER pra_guard_insert")
    with crash_at("symlink"):
        bring(config, older.name)
    (bad,) = [one for one in catalogue.scan(where) if one.status == "safety"]
    lose_a_page(where.point(bad.name), b"the last row")
    kept = bring(config, older.name)["safety_point"]
    assert kept != bad.name
    # A sound one of these bytes, whose unproven position is no fault of it.
    assert verify.check_all(where, [kept])["ok"]
    restore.run(config, targets.undo)
    assert [row[2] for row in rows(where)][-1] == "the last row"


def break_the_database(where):
    live = os.path.realpath(where.link)
    with open(live, "r+b") as file:
        file.write(b"garbage" * 100)
    overwrite(f"{live}-wal", b"the only copy of some rows")


def test_a_log_that_was_kept_and_went_bad_is_kept_anew(config, where, events):
    add(events, 3)
    backup.run(config)
    break_the_database(where)
    with crash_at("symlink"):
        bring(config)
    (bad,) = [one for one in catalogue.scan(where) if one.status == "safety"]
    assert verify.check_all(where, [bad.name])["ok"]
    overwrite(where.raw_wal(bad.wal), b"gone bad")
    (checked,) = verify.check_all(where, [bad.name])["points"]
    assert checked["reason"] == "the -wal that was kept with it was changed"
    raw = kept_by_a_restore(config, where)
    assert content(where.raw_wal(raw.wal)) == b"the only copy of some rows"
    os.unlink(where.raw_wal(raw.wal))
    (checked,) = verify.check_all(where, [raw.name])["points"]
    assert checked["reason"] == "the -wal that was kept with it is missing"


@pytest.mark.parametrize("emptied", [True, False])
def test_the_log_beside_an_empty_or_missing_database_is_kept(config, where, events, emptied):
    """SQLite deletes it where it opens such a database; it may hold every row."""
    add(events, 3)
    live = os.path.realpath(where.link)
    del events
    log = b"the only copy of some rows"
    if emptied:
        overwrite(live, b"")
    else:
        os.unlink(live)
    files.remove(f"{live}-wal")
    files.write_new(f"{live}-wal", log)
    planned = plan.run(config, targets.latest)
    assert planned["gained"] is None
    assert "its log (-wal) may hold all of its rows" in planned["unreadable"]
    raw = kept_by_a_restore(config, where)
    assert content(where.raw_wal(raw.wal)) == log
    assert "missing or empty" in raw.reason
    assert len(rows(where)) == 3


def test_a_database_that_cannot_be_read_is_still_kept_byte_by_byte(config, where, events):
    add(events, 3)
    backup.run(config)
    break_the_database(where)
    damaged = content(os.path.realpath(where.link))
    raw = bring(config)["safety_point"]
    assert content(where.point(raw)) == damaged
    with pytest.raises(Damaged):
        bring(config, raw, force=True)


def test_a_quarantined_point_that_went_bad_is_not_taken_for_the_next_one(config, where, events):
    add(events, 5)
    backup.run(config)
    rewrite(where, "DROP TRIGGER pra_guard_delete")
    rewrite(where, "DELETE FROM events WHERE id > 1")
    suspect = backup.run(config)
    assert suspect.status == "quarantined"
    assert backup.run(config).name == suspect.name, "the same bytes are kept once"
    lose_a_page(where.point(suspect.name), b"message 0")
    again = backup.run(config)
    assert (again.status, again.name != suspect.name) == ("quarantined", True)
    assert verify.check_all(where, [again.name])["ok"]
