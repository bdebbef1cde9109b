"""Group commit: what shares a transaction is acknowledged together, and fails alone."""

import threading

import apsw
import pytest
from helpers import as_rows, bring, journaled, lose_data, rows, sync_fails, until
from together import Asked, adding, insert, messages, together, writing

from pra.base import clock, moments
from pra.base.errors import Locked, Refused, StorageError
from pra.data import changes, group
from pra.disk import locks
from pra.events.sqlite import SqliteEvents
from pra.journal import log
from pra.pitr import by_time
from pra.recovery import restore


def test_writes_that_wait_together_are_one_transaction_and_survive(config, where, events):
    events.add("before")
    numbers = len(journaled(where))
    acts = [adding(events, f"{n}") for n in range(5)]
    with sync_fails((".seg", "-wal"), times=0) as steps, together(where, events, *acts) as asked:
        assert steps.count("sync") == 2
        assert len(journaled(where)) == numbers + 1
    added = [one.result for one in asked]
    assert [one["id"] for one in added] == list(range(2, 7)), "in the order in which they came"
    assert len({one["timestamp"] for one in added}) == 1
    newest = log.transactions(where, largest=False, limit=2)[1]
    assert (newest["added"], newest["time"]) == (5, added[0]["timestamp"])
    lose_data(where)
    bring(config)
    assert rows(where)[1:-1] == as_rows(added)


def test_a_restore_to_the_moment_that_a_row_shows_includes_all_of_its_transaction(
    config, where, events
):
    with together(where, events, *(adding(events, f"{n}") for n in range(3))) as asked:
        shown = asked[2].result["timestamp"]
        until(lambda: clock.rfc3339(clock.now(), 3) > shown)
    moment = moments.parse(shown)
    restore.run(config, lambda where, known: by_time.at_time(where, known, moment, "--to then"))
    assert messages(where) == ["0", "1", "2"]


@pytest.mark.parametrize("late", [False, True], ids=["before it changed anything", "after that"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_work_that_fails_touches_none_of_the_others(config, where, events, late, place):
    def bad(conn):
        if late:
            insert(conn, "bad")
        raise Refused("testing", "it is bad", "do something else")

    acts = [adding(events, f"{n}") for n in range(3)]
    acts.insert(place, writing(events, bad))
    with together(where, events, *acts) as asked:
        error = asked.pop(place).error
        assert isinstance(error, Refused) and "it is bad" in str(error)
        added = sorted(as_rows(one.result for one in asked))
        assert sorted(rows(where)) == added
    lose_data(where)
    bring(config)
    assert messages(where) == ["0", "1", "2", "goes on"]


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE other(x)", "PRAGMA user_version = 7", "DROP TABLE idempotency_keys"]
)
def test_what_a_failed_work_did_to_definitions_or_the_header_is_not_committed(
    config, where, statement
):
    """Without a journal a work may, and no count of changed rows shows it."""
    events = SqliteEvents(config._replace(journal="off"))

    def header():
        with events._database.read("looking") as conn:
            tables = conn.execute("SELECT name FROM sqlite_schema ORDER BY 1").fetchall()
            return tables, conn.execute("PRAGMA user_version").fetchone()

    def bad(conn):
        conn.execute(statement)
        raise Refused("testing", "it is bad", "do something else")

    before = header()
    acts = (adding(events, "0"), writing(events, bad), adding(events, "1"))
    with together(where, events, *acts) as asked:
        assert isinstance(asked[1].error, Refused)
        assert [asked[0].result["id"], asked[2].result["id"]] == [1, 2]
    assert header() == before and messages(where) == ["0", "1", "goes on"]


def test_what_ends_the_transaction_by_itself_fails_alone(where, events):
    def bad(conn):
        conn.execute("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    acts = (adding(events, "0"), writing(events, bad), adding(events, "1"))
    with together(where, events, *acts) as asked:
        assert isinstance(asked[1].error, StorageError)
        assert messages(where) == ["0", "1"]


def test_what_is_too_large_together_is_written_one_by_one(where, events, monkeypatch):
    monkeypatch.setattr(changes, "MAX_CHANGESET", 3000)
    sizes = [1000, 1000, 5000, 1000]
    with together(where, events, *(adding(events, "x" * size) for size in sizes)) as asked:
        assert isinstance(asked.pop(2).error, changes.TooLarge)
        assert [len(one.result["message"]) for one in asked] == [1000, 1000, 1000]
        assert [len(message) for message in messages(where)] == [1000, 1000, 1000]


@pytest.mark.parametrize("bound", ["members", "bytes"])
def test_a_group_is_bounded_and_the_rest_is_the_next(where, events, monkeypatch, bound):
    if bound == "members":
        monkeypatch.setattr(group, "MAX_MEMBERS", 2)
    else:
        monkeypatch.setattr(changes, "ENOUGH", 1500)
    before = len(journaled(where))
    with together(where, events, *(adding(events, "x" * 1000) for _ in range(6))) as asked:
        assert all(one.result for one in asked)
        assert len(journaled(where)) == before + 3


def test_nobody_waits_longer_than_one_alone_would(where, events, monkeypatch):
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.2)
    with locks.writer(where, "a restore"):
        asked = [Asked(adding(events, f"{n}")) for n in range(6)]
        assert all(isinstance(one.end().error, Locked) for one in asked)
    assert events._database.group._leader is None
    assert events.add("next")["id"] == 1


def test_who_gives_up_lets_those_go_on_who_may_still_wait(where, events, monkeypatch):
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.2)
    waits = events._database.group
    with locks.writer(where, "a restore"):
        first = Asked(adding(events, "gives up"))
        until(lambda: waits._leader)
        leader = waits._leader
        monkeypatch.setattr(locks, "WRITE_WAIT", 30.0)
        later = [Asked(adding(events, f"{n}")) for n in range(3)]
        assert isinstance(first.end().error, Locked)
        until(lambda: waits._leader is not leader and waits.waiting == 2)
    assert sorted(one.end().result["message"] for one in later) == ["0", "1", "2"]
    assert sorted(messages(where)) == ["0", "1", "2"]


def test_threads_and_processes_take_turns(config, where, events):
    """Eight threads of one process do not keep another one waiting."""
    stop = threading.Event()

    def keep_on():
        while not stop.is_set():
            events.add("one of many")

    many = [Asked(keep_on) for _ in range(8)]
    other = SqliteEvents(config)
    try:
        for _ in range(20):
            other.add("another process")
    finally:
        stop.set()
    for one in many:
        assert one.end().error is None
    assert messages(where).count("another process") == 20
