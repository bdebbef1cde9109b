"""A request with a key is carried out once, whatever happens to its answer."""

import itertools
import json
import sqlite3
import threading
import urllib.error
import urllib.request
from unittest import mock

import earlier
import pytest
from conftest import serving
from helpers import (
    add,
    as_rows,
    bring,
    crash_at,
    crash_before_commit,
    last_segment,
    lose_data,
    rows,
    sync_fails,
)

from pra.base.errors import KeyReused, Locked, NoKeys, OutcomeUnknown
from pra.data import database
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.points import archive, catalogue
from pra.protect import backup, define, export
from pra.recovery import restore
from pra.sql import connect, keys

MODES = ("required", "best-effort", "off")


def known(where):
    """The keys that the current database remembers, the oldest first."""
    conn = connect.open_live(where.link)
    try:
        return [key for (key,) in conn.execute(f"SELECT key FROM {keys.TABLE} ORDER BY number")]
    finally:
        conn.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_retry_gets_the_first_answer_and_adds_nothing(config, where, mode):
    events = SqliteEvents(config._replace(journal=mode))
    first = events.add("one", "k")
    assert first.pop("replayed") is False
    other = events.add("two", "another")
    for again in (events, SqliteEvents(config._replace(journal=mode))):
        assert again.add("one", "k") == {**first, "replayed": True}
    assert events.add("one")["id"] == other["id"] + 1
    assert [row[2] for row in rows(where)] == ["one", "two", "one"]


def test_a_key_is_for_one_message(events, where):
    events.add("one", "k")
    with pytest.raises(KeyReused, match="event 1") as refused:
        events.add("other", "k")
    assert refused.value.http_status == 422
    assert len(rows(where)) == 1


def test_the_first_answer_stands_though_its_row_was_changed_or_removed(events, where):
    first = events.add("one", "k")
    events._database.write("x", lambda c: c.execute("UPDATE events SET message='m'").fetchall())
    assert events.add("one", "k") == {**first, "replayed": True}
    events._database.write("x", lambda c: c.execute("DELETE FROM events").fetchall())
    assert events.add("one", "k") == {**first, "replayed": True}
    assert rows(where) == []


def test_of_many_at_once_one_adds_and_all_get_its_answer(config, where):
    answers, together = [], threading.Barrier(8)
    processes = SqliteEvents(config), SqliteEvents(config)

    def one(events):
        together.wait()
        answers.append(events.add("same", "k"))

    threads = [threading.Thread(target=one, args=(processes[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(where)) == 1
    assert sorted(answer.pop("replayed") for answer in answers) == [False] + [True] * 7
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("ending", [".seg", "app.db-wal"])
def test_a_retry_is_answered_only_once_the_disks_have_what_it_found(config, events, where, ending):
    add(events, 1)
    with mock.patch.object(database.Database, "_make_durable", lambda *_: None):
        # Committed and on no disk yet: another process waits for that.
        first = SqliteEvents(config).add("one", "k")
    # One sync of each fails, which is mended by then.
    with sync_fails(ending) as steps:
        assert events.add("one", "k") == {**first, "replayed": True}
    assert "sync" in steps


def test_a_retry_that_cannot_make_durable_what_it_found_is_in_doubt(config, events, where):
    add(events, 1)
    with mock.patch.object(database.Database, "_make_durable", lambda *_: None):
        first = events.add("one", "k")
    segment = last_segment(where).rpartition("/")[2]
    # Synced, and written again: both fail.
    with sync_fails(segment, times=2), pytest.raises(OutcomeUnknown) as unknown:
        events.add("one", "k")
    assert "with the same key" in unknown.value.next_step
    assert SqliteEvents(config).add("one", "k") == {**first, "replayed": True}


def test_who_has_a_key_is_told_to_send_the_same_again_and_who_has_none_to_look(client, where):
    for headers, following, again in (
        ({"Idempotency-Key": "k"}, "send it again with the same key", "1"),
        ({}, "look before trying again", None),
    ):
        # Makes good what failed before.
        assert client.post("/add", data={"message": "before"}).status_code == 200
        with sync_fails(".seg", times=2):
            answer = client.post("/add", data={"message": "one"}, headers=headers)
        body = answer.get_json()
        assert (answer.status_code, body.get("outcome")) == (503, "unknown"), body
        assert following in body["next"] and answer.headers.get("Retry-After") == again
    answer = client.post("/add", data={"message": "one"}, headers={"Idempotency-Key": "k"})
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_a_crash_leaves_key_and_row_or_neither(config, events, where, monkeypatch):
    events.add("one", "k")
    with crash_at("write_at_once"):
        events.add("two", "before its record")
    with monkeypatch.context() as patch:
        patch.setattr(events, "add", lambda message: SqliteEvents.add(events, message, message))
        crash_before_commit(events, patch, "after its record")
    later = SqliteEvents(config)
    assert not later.add("two", "before its record")["replayed"]
    assert later.add("after its record", "after its record")["replayed"]
    assert len(rows(where)) == 3


def test_the_newest_are_kept_and_each_write_removes_a_few(events, where, monkeypatch):
    monkeypatch.setattr(keys, "KEPT", 5)
    for number in range(12):
        events.add("m", f"k{number}")
        assert known(where) == [f"k{n}" for n in range(max(0, number - 4), number + 1)]
    assert not events.add("m", "k0")["replayed"]
    monkeypatch.setattr(keys, "KEPT", 2)
    events.add("m", "fewer")
    assert known(where) == ["k10", "k11", "k0", "fewer"]
    events.add("m", "k11")
    events.add("m", "and fewer")
    assert known(where) == ["k0", "fewer", "and fewer"]


def test_what_expires_and_comes_again_is_replayed_in_one_batch(config, events, where, monkeypatch):
    monkeypatch.setattr(keys, "KEPT", 3)
    for key in itertools.islice(itertools.cycle("abcd"), 22):
        events.add("m", key)
    before = known(where), rows(where)
    lose_data(where)
    bring(config)
    assert (known(where), rows(where)) == before


def test_a_restore_knows_the_keys_of_the_rows_that_it_brings_back(config, events, where):
    events.add("one", "first")
    point = backup.run(config)
    seq = point.manifest["position"]["seq"]
    second = events.add("two", "second")
    bring(config)
    assert events.add("two", "second") == {**second, "replayed": True}
    bring(config, point.name)
    assert events.add("one", "first")["replayed"]
    assert not events.add("two", "second")["replayed"]
    restore.run(config, targets.undo)
    assert events.add("two", "second") == {**second, "replayed": True}
    restore.run(config, lambda where, _: targets.just_before(where, seq))
    assert not events.add("one", "first")["replayed"]


def test_an_exported_copy_has_them(config, events, where, tmp_path):
    first = events.add("one", "k")
    with open(tmp_path / "copy", "wb") as file:
        export.run(config, file)
    lose_data(where)
    with open(tmp_path / "copy", "rb") as file:
        goal = targets.Goal(targets.COPY, copy=archive.Copy(file))
        restore.run(config, lambda where, known: goal)
    assert events.add("one", "k") == {**first, "replayed": True}


def test_they_are_written_through_the_application_alone(events, where):
    events.add("one", "k")
    conn = sqlite3.connect(where.link)
    for sql in ("DELETE FROM {}", "UPDATE {} SET event = 2"):
        with pytest.raises(sqlite3.OperationalError, match="pra_writer"):
            conn.execute(sql.format(keys.TABLE))
    conn.close()


@pytest.mark.parametrize("mode", MODES)
def test_volumes_of_an_earlier_version_are_served_and_get_the_table_at_the_start(config, mode):
    config = config._replace(journal=mode)
    where = config.layout
    with earlier.version():
        start.prepare(config)
        old = SqliteEvents(config)
        add(old, 3)
        backup.run(config)
        add(old, 2)
    events = SqliteEvents(config)
    with pytest.raises(NoKeys) as refused:
        events.add("one", "k")
    assert (refused.value.http_status, refused.value.retry_after) == (503, 60)
    events.add("without a key")
    before = rows(where)
    start.prepare(config)
    assert earlier.definitions(where)
    assert rows(where) == before
    first = events.add("one", "k")
    # The earlier version goes on beside it, during a rolling update and after a roll-back.
    with earlier.version():
        old.add("by the earlier version")
    assert events.add("one", "k") == {**first, "replayed": True}
    assert events.status()["unprotected"] is None
    if mode == "off":
        backup.run(config)
    before = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == before
    assert SqliteEvents(config).add("one", "k") == {**first, "replayed": True}


def test_where_it_cannot_be_added_now_the_next_backup_does(config, monkeypatch, caplog):
    with earlier.version():
        start.prepare(config)
        add(SqliteEvents(config), 3)
    failing = mock.Mock(side_effect=Locked("a", "b", "c"))
    monkeypatch.setattr(backup, "run", failing)
    start.prepare(config)
    assert "requests with a key are refused: a: b; next: c" in caplog.text
    monkeypatch.undo()
    events = SqliteEvents(config)
    events.add("goes on")
    assert backup.run(config).status == "verified"
    assert not events.add("one", "k")["replayed"]
    assert events.status()["unprotected"] is None


def test_another_table_of_that_name_is_left_alone(config):
    where = config.layout
    with earlier.version():
        start.prepare(config)
        define.run(config, f"CREATE TABLE {keys.TABLE.upper()}(key TEXT PRIMARY KEY) WITHOUT ROWID")
    start.prepare(config)
    backup.run(config)
    events = SqliteEvents(config)
    events.add("goes on")
    with pytest.raises(NoKeys, match="no table for the keys"):
        events.add("one", "k")
    define.run(config, f"ALTER TABLE {keys.TABLE.upper()} RENAME TO other")
    backup.run(config)
    events.add("one", "k")
    bring(config)
    assert events.add("one", "k")["replayed"]
    assert len(rows(where)) == 2


def test_a_restore_to_before_the_table_ends_with_it_and_what_follows_is_replayed(config):
    """Also from a base of before: the way from there to now leads over the change."""
    where = config.layout
    with earlier.version():
        start.prepare(config)
        old = SqliteEvents(config)
        add(old, 3)
        point = backup.run(config)
        add(old, 2)
    bring(config, point.name)
    events = SqliteEvents(config)
    first = events.add("one", "k")
    assert rows(where)[-1] == as_rows([first])[0]
    for lost in ([], [point.name]):
        catalogue.remove(where, lost)
        lose_data(where)
        answer = bring(config)
        assert answer["point"] == (None if lost else point.name)
        assert events.add("one", "k") == {**first, "replayed": True}
        assert len(rows(where)) == 4


@pytest.mark.parametrize("operation", ["link_new", "fsync_directory", "write_new", "write_durably"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_start_that_dies_while_adding_it_is_ended_by_the_next(config, operation, phase):
    where = config.layout
    with earlier.version():
        start.prepare(config)
        added = add(SqliteEvents(config), 3)
    for nth in range(1, 100):
        died = []
        with crash_at(operation, phase, nth):
            died.append(True)
            start.prepare(config)
            died.clear()
        start.prepare(config)
        events = SqliteEvents(config)
        assert rows(where)[:3] == as_rows(added)
        if not died:
            break
    events.add("one", "k")
    lose_data(where)
    bring(config)
    assert rows(where)[:3] == as_rows(added)
    assert events.add("one", "k")["replayed"]


def test_over_http(environment, where):
    def post(base, message, key):
        request = urllib.request.Request(
            f"{base}/add",
            json.dumps({"message": message}).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": key},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer), answer.headers["Idempotency-Replayed"]

    with serving(environment) as (base, _):
        first, replayed = post(base, "one", '"k \\"1\\""')
        assert (first["id"], replayed) == (1, "false")
        assert post(base, "one", '"k \\"1\\""') == (first, "true")
        assert post(base, "bare", "k/1+=")[1] == "false"
        assert post(base, "bare", '"k/1+="')[1] == "true"
        assert post(base, "path", "/srv/a/b")[1] == "false"
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(base, "other", "/srv/a/b")
        said = json.load(refused.value)["error"]
        refused.value.close()
        assert "this key was used before" in said
        assert "…" not in said
        for key, status in (('"k \\"1\\""', 422), ("", 400), ('"open', 400), ("a,b", 400)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                post(base, "other", key)
            assert refused.value.code == status
            assert json.load(refused.value)["next"]
            refused.value.close()
    assert [row[2] for row in rows(where)] == ["one", "bare", "path"]


@pytest.mark.parametrize(
    "key", ["a b", "k;p=1", "é", "a" * 256, '"' + "a" * 256 + '"', '"a" ', '"\\a"', '""', '"a";p']
)
def test_what_can_be_no_key_is_refused(client, where, key):
    answer = client.post("/add?message=m", headers={"Idempotency-Key": key})
    assert answer.status_code == (200 if key == '"a" ' else 400)
