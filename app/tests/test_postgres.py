"""The events in PostgreSQL: what is promised of numbers, keys and the count, and who is refused."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from postgres_servers import config_of, events_of, rows_of, together

from pra.base.errors import KeyReused, OutcomeUnknown, Refused, RuleBroken, UsageError
from pra.events.postgres import PostgresEvents
from pra.postgres import database, statements


@pytest.fixture
def events(primary):
    return events_of(primary)


# Numbers and times.


def test_whoever_begins_after_another_was_answered_has_a_higher_number(primary):
    replicas = [events_of(primary), events_of(primary)]
    stop, seen, wrong = threading.Event(), [0], []
    lock = threading.Lock()

    def write(events):
        while not stop.is_set():
            with lock:
                before = max(seen)
            number = events.add("x")["id"]
            if number <= before:
                wrong.append((number, before))
            with lock:
                seen.append(number)

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, replicas[n % 2]) for n in range(6)]
        time.sleep(1)
        stop.set()
        [one.result(60) for one in writing]
    assert wrong == []
    assert len(seen) > 20 and len(set(seen)) == len(seen)


def test_a_time_is_that_of_the_database_in_utc_to_the_millisecond(primary, events):
    primary.sql("ALTER DATABASE app SET timezone = 'Asia/Tokyo'")
    try:
        added = PostgresEvents(config_of(primary)).add("x")
    finally:
        primary.sql("ALTER DATABASE app RESET timezone")
    ((moment,),) = primary.sql(
        "SELECT to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') FROM events", "app"
    )
    assert added["timestamp"] == moment.replace(" ", "T") + "Z"
    ((age, same),) = primary.sql(
        "SELECT extract(epoch FROM clock_timestamp() - ts), ts = date_trunc('milliseconds', ts)"
        " FROM events",
        "app",
    )
    assert 0 <= age < 60 and same


FORWARD = "SELECT setval(pg_get_serial_sequence('events', 'id'), max(id)) FROM events"


@pytest.mark.parametrize(
    "wrong",
    [
        "ALTER TABLE events ALTER COLUMN id RESTART WITH 2",
        # A number that is free, and below those of others.
        "DELETE FROM events WHERE id = 2; ALTER TABLE events ALTER COLUMN id RESTART WITH 2",
        "INSERT INTO events (id, message) VALUES (1000, 'by hand')",
    ],
    ids=["taken", "free", "given"],
)
@pytest.mark.parametrize("key", [None, "k"])
def test_no_event_gets_a_number_that_is_not_above_all_others(primary, events, wrong, key):
    for message in ("a", "b", "c"):
        events.add(message)
    primary.sql(wrong, "app")
    before = rows_of(primary)
    with pytest.raises(Refused, match="the sequence of the events' numbers is behind") as refused:
        events.add("d", key)
    assert FORWARD in refused.value.next_step and refused.value.http_status == 503
    assert rows_of(primary) == before and events.count() == len(before)
    primary.sql(FORWARD, "app")
    assert events.add("d", key)["id"] == before[-1][0] + 1
    assert events.newest(1)[0]["message"] == "d"


# Keys.


def test_a_retry_gets_the_first_answer_and_adds_nothing(primary, events):
    first = events.add("one", "k")
    assert first.pop("replayed") is False
    for again in (events, PostgresEvents(config_of(primary))):
        assert again.add("one", "k") == {**first, "replayed": True}
    assert [row[1] for row in rows_of(primary)] == ["one"]


def test_a_key_is_for_one_message(primary, events):
    events.add("one", "k")
    with pytest.raises(KeyReused, match="event 1") as refused:
        events.add("other", "k")
    assert refused.value.http_status == 422
    assert len(rows_of(primary)) == 1


def test_of_two_replicas_at_the_same_moment_one_adds_and_both_get_its_answer(primary):
    replicas = [events_of(primary) for _ in range(2)]
    for key in map(str, range(30)):
        answers = together(*(lambda one=one, key=key: one.add("x", key) for one in replicas * 3))
        assert sorted(answer["replayed"] for answer in answers) == [False] + [True] * 5
        assert len({(answer["id"], answer["timestamp"]) for answer in answers}) == 1
    assert len(rows_of(primary)) == 30
    assert replicas[0].count() == 30


def test_a_retry_that_overtakes_the_first_request_waits_for_it_and_not_long(primary, events):
    with psycopg.connect(primary.url()) as other:
        statements.add_once(other, "x", "k")
        began = time.monotonic()
        # The first one may yet be carried out, so that this is no "nothing was written".
        with pytest.raises(OutcomeUnknown, match="may or may not") as refused:
            events.add("x", "k")
        assert "same key" in refused.value.next_step
        assert refused.value.retry_after == 1
        assert 0.9 < time.monotonic() - began < 3
    assert events.add("x", "k")["replayed"] is True
    with psycopg.connect(primary.url()) as other:
        statements.add_once(other, "y", "k2")
        other.rollback()
    assert events.add("y", "k2")["replayed"] is False


@pytest.fixture
def forgetful(events, monkeypatch):
    """Few keys are kept, and those beyond are forgotten with each write."""
    monkeypatch.setattr(statements, "KEPT", 10)
    monkeypatch.setattr(statements, "PRUNED_EVERY", 1)
    return events


def add_and_forget(events, message, key):
    added = events.add(message, key)
    events._forgetting.join(60)
    return added


def keys_of(server):
    return {key for (key,) in server.sql("SELECT key FROM idempotency_keys", "app")}


def test_the_newest_keys_are_kept_and_older_ones_forgotten(primary, forgetful):
    for number in range(1, 24):
        add_and_forget(forgetful, "x", f"k{number}")
    assert keys_of(primary) == {f"k{number}" for number in range(14, 24)}
    assert forgetful.add("x", "k14")["replayed"] is True
    assert forgetful.add("x", "k1")["replayed"] is False


def test_keys_are_forgotten_also_where_every_other_event_has_none(primary, forgetful, monkeypatch):
    monkeypatch.setattr(statements, "PRUNED_EVERY", 2)
    for number in range(100):
        assert forgetful.add("x", f"k{number}")["id"] % 2 == 1
        forgetful.add("x")
    if forgetful._forgetting:
        forgetful._forgetting.join(60)
    # That none was forgotten with the last 60 is as likely as 60 times heads.
    assert 10 <= len(keys_of(primary)) < 70


def test_nobody_waits_until_old_keys_are_forgotten(forgetful, monkeypatch):
    begun, over = threading.Event(), threading.Event()

    def prune(connection):
        begun.set()
        assert over.wait(60)

    monkeypatch.setattr(statements, "prune", prune)
    assert forgetful.add("x", "k")["replayed"] is False
    assert begun.wait(60)
    # Nor are more begun meanwhile.
    first = forgetful._forgetting
    assert forgetful.add("x", "k2")["replayed"] is False
    assert forgetful._forgetting is first
    over.set()
    first.join(60)


def test_a_key_is_known_whatever_becomes_of_the_numbers_of_events(primary, forgetful):
    for number in range(12):
        add_and_forget(forgetful, "x", f"old {number}")
    primary.sql("TRUNCATE events RESTART IDENTITY", "app")
    for number in range(5):
        assert add_and_forget(forgetful, "y", f"new {number}")["id"] == number + 1
    kept = {f"old {number}" for number in range(7, 12)} | {f"new {number}" for number in range(5)}
    assert keys_of(primary) == kept
    # Each answers what its first request was answered, also of an event that somebody removed.
    assert forgetful.add("y", "new 0")["id"] == 1
    assert forgetful.add("x", "old 11")["id"] == 12
    assert [row[0] for row in rows_of(primary)] == [1, 2, 3, 4, 5]


def test_a_hundred_thousand_are_kept(monkeypatch):
    assert statements.KEPT == 100_000
    sent = []

    class Connection:
        def execute(self, text, parameters):
            sent.append(parameters)

    statements.prune(Connection())
    assert sent == [(99_999,)]


# The count.


def counted(server):
    """The number of events, and of parts that it is kept in."""
    return server.sql("SELECT (SELECT count(*) FROM events), count(*) FROM event_counts", "app")[0]


def test_the_count_is_exact_whoever_adds_or_removes(primary, events):
    for _ in range(3):
        events.add("x")
    primary.sql("INSERT INTO events (message) SELECT 'y' FROM generate_series(1, 500)", "app")
    assert events.count() == 503
    primary.sql("DELETE FROM events WHERE id % 2 = 0", "app")
    assert events.count() == counted(primary)[0] < 503
    with psycopg.connect(primary.url()) as other:
        other.execute("INSERT INTO events (message) VALUES ('taken back')")
        other.rollback()
    primary.sql("UPDATE events SET message = 'z'", "app")
    assert events.count() == counted(primary)[0]
    primary.sql("TRUNCATE events", "app")
    assert events.count() == 0
    events.add("x")
    assert events.count() == 1


def test_the_count_is_exact_under_writers_and_none_waits_for_another(primary, events):
    holding = [psycopg.connect(primary.url()) for _ in range(20)]
    try:
        for one in holding:
            # More at once than there are parts, and none of them ends.
            one.execute("INSERT INTO events (message) VALUES ('held')")
        began = time.monotonic()
        events.add("x")
        assert time.monotonic() - began < 1
        assert events.count() == 1
        for number, one in enumerate(holding):
            one.commit() if number % 2 else one.rollback()
    finally:
        for one in holding:
            one.close()
    assert events.count() == counted(primary)[0] == 11
    together(*(lambda: [events.add("x") for _ in range(20)] for _ in range(8)))
    assert events.count() == counted(primary)[0] == 171
    assert counted(primary)[1] < 40


def test_counting_reads_no_events(primary, events):
    primary.sql("INSERT INTO events (message) SELECT 'y' FROM generate_series(1, 5000)", "app")
    plan = "\n".join(row[0] for row in primary.sql(f"EXPLAIN {statements._COUNT}", "app"))
    assert "event_counts" in plan and "on events" not in plan


# What a dump is.


def test_a_dump_is_of_one_moment_and_in_the_order_of_numbers(primary, events, tmp_path):
    primary.sql(
        "INSERT INTO events (message) SELECT n::text FROM generate_series(1, 2500) n", "app"
    )

    class Slow:
        """Somebody who writes while it is read."""

        def __init__(self):
            self.lines = []

        def write(self, line):
            if not self.lines:
                events.add("meanwhile")
                time.sleep(database.LIMIT + 0.5)
            self.lines.append(json.loads(line))

    out = Slow()
    events.dump(out)
    assert [one["message"] for one in out.lines] == [str(n) for n in range(1, 2501)]
    with pytest.raises(UsageError, match="no restore points"):
        events.dump(out, "app-1.db")


# What somebody's rules and settings do.


def test_a_rule_of_the_database_refuses_for_good(primary, events):
    primary.sql("ALTER TABLE events ADD CHECK (message <> 'bad')", "app")
    for key in (None, "k"):
        with pytest.raises(RuleBroken) as refused:
            events.add("bad", key)
        assert refused.value.http_status == 422
    primary.sql(
        "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER out BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION leave_out()",
        "app",
    )
    for key in (None, "k"):
        with pytest.raises(RuleBroken, match="leaves that event out"):
            events.add("good", key)
    assert primary.sql("SELECT count(*) FROM idempotency_keys", "app") == [(0,)]
    primary.sql(
        "DROP TRIGGER out ON events;"
        " CREATE TRIGGER out BEFORE INSERT ON idempotency_keys"
        " FOR EACH ROW EXECUTE FUNCTION leave_out()",
        "app",
    )
    for _ in range(3):
        with pytest.raises(RuleBroken, match="leaves that event out"):
            events.add("good", "k")
    assert events.count() == 0 and rows_of(primary) == []


def test_no_setting_of_a_role_or_a_database_weakens_a_commit(primary, events):
    weak = {"synchronous_commit": "off", "statement_timeout": "0"}
    for name, value in weak.items():
        primary.sql(f"ALTER ROLE app SET {name} = '{value}'")
        primary.sql(f"ALTER DATABASE app SET {name} = '{value}'")
    try:
        fresh = PostgresEvents(config_of(primary))
        held = fresh._database.read(
            "looking",
            lambda conn: [conn.execute(f"SHOW {name}").fetchone()[0] for name in weak],
        )
        assert held == ["on", "3s"]
        with psycopg.connect(primary.url()) as other:
            assert other.execute("SHOW synchronous_commit").fetchone() == ("off",)
    finally:
        for name in weak:
            primary.sql(f"ALTER ROLE app RESET {name}")
            primary.sql(f"ALTER DATABASE app RESET {name}")
