"""What is in doubt is never acknowledged, whoever hides the reason."""

import threading
import time

import psycopg
import pytest
from postgres_servers import Forwarder, config_of, events_of, rows_of, together

from pra.base.errors import OutcomeUnknown
from pra.events.postgres import PostgresEvents
from pra.postgres import session, statements, target


@pytest.fixture(scope="module")
def lonely(servers):
    """A primary whose standby is gone, and with tables that the standby had seen."""
    with servers.pair() as (primary, standby):
        events_of(primary).add("first")
        standby.stop()
        yield primary


@pytest.fixture
def line(primary):
    """What leads to a primary with its standby, as a service does."""
    forwarder = Forwarder(primary.port)
    yield forwarder
    forwarder.close()


@pytest.mark.parametrize("whose", ["ROLE app", "DATABASE app"])
def test_a_setting_that_hides_the_warning_of_a_commit_is_not_let_hide_it(lonely, whose):
    # A COMMIT of the administrator would wait for the standby, too.
    alone = f"SET synchronous_commit = local; ALTER {whose}"
    lonely.sql(f"{alone} SET client_min_messages = 'error'")
    try:
        events = PostgresEvents(config_of(lonely))
        shown = events._database.read("looking", _shown)
        answers = together(lambda: events.add("x"), lambda: events.add("y", f"key of {whose}"))
    finally:
        lonely.sql(f"{alone} RESET client_min_messages")
    assert shown == "warning"
    assert [type(one) for one in answers] == [OutcomeUnknown] * 2


def _shown(connection):
    return connection.execute("SHOW client_min_messages").fetchone()[0]


def test_a_commit_that_was_asked_to_end_is_in_doubt_whatever_it_says(lonely, monkeypatch):
    monkeypatch.setattr(session.Session, "_noticed", lambda *_: None)
    events = PostgresEvents(config_of(lonely))
    # A machine that is busy may give the answer up before the server says it.
    with pytest.raises(OutcomeUnknown, match="no standby said in time|may or may not"):
        events.add("x")


def test_a_server_that_holds_a_setting_otherwise_is_not_used(lonely, monkeypatch):
    monkeypatch.setitem(target.HELD, "client_min_messages", "notice")
    with pytest.raises(psycopg.OperationalError, match="client_min_messages at warning"):
        session.opened(PostgresEvents(config_of(lonely))._database.pool.target)


def test_status_tells_of_a_standby_that_is_connected_and_does_not_confirm(servers):
    with servers.pair() as (primary, standby):
        events = events_of(primary)
        events.add("x")
        assert events.status()["unprotected"] is None
        with standby.frozen():
            writing = threading.Thread(target=lambda: together(lambda: events.add("y")))
            writing.start()
            time.sleep(1.6)
            assert "no standby confirms" in events.status()["unprotected"]
        writing.join(30)
        assert events.status()["unprotected"] is None


def test_a_retry_waits_for_its_standby_whatever_was_written_before(lonely):
    with session.opened(PostgresEvents(config_of(lonely))._database.pool.target).connection as one:
        alone = "SET synchronous_commit = local"
        one.execute(alone)
        first = statements.add_once(one, "x", "before")
    events = PostgresEvents(config_of(lonely))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            events.add("x", "before")
    assert first.event


def test_what_keeps_triggers_from_running_is_undone_or_said(primary):
    events_of(primary)
    primary.sql("ALTER ROLE app SET session_replication_role = 'replica'")
    try:
        events = PostgresEvents(config_of(primary))
        assert any("not counted" in one["what"] for one in events.status()["notices"])
        primary.sql("ALTER ROLE app SUPERUSER")
        events = PostgresEvents(config_of(primary))
        events.add("x")
        status = events.status()
        assert not any("not counted" in one["what"] for one in status["notices"])
        assert status["count"] == 1
    finally:
        primary.sql("ALTER ROLE app NOSUPERUSER")
        primary.sql("ALTER ROLE app RESET session_replication_role")


def test_a_pooler_that_lost_its_server_after_a_commit_leaves_it_open(primary, line):
    events = events_of(primary, line.port)
    # Prepared before, so that the first answer is that of the transaction.
    events.add("first")
    fields = b"SERROR\0VERROR\0C08P01\0Mserver conn crashed?\0\0"
    said = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields + b"Z\0\0\0\x05I"
    answers = []

    def instead(data):
        answers.append(data)
        return (said if len(answers) == 1 else data), False

    line.spoil = instead
    (error,) = together(lambda: events.add("second"))
    assert isinstance(error, OutcomeUnknown) and "server conn crashed" in str(error)
    # It is there, and once.
    assert [row[1] for row in rows_of(primary)] == ["first", "second"]


@pytest.mark.parametrize("says", ["RAISE 'no'", "RETURN NULL"])
def test_a_second_try_that_a_rule_refuses_says_nothing_of_the_first(primary, line, says):
    events = events_of(primary, line.port)
    events.add("first")
    events.add("another", "another")
    answers = []

    def cut(data):
        answers.append(data)
        if len(answers) > 1:
            return data, False
        # The first one is done. Whoever makes a rule now also forgets its key.
        primary.sql(
            f"CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {says}; END $$;"
            " CREATE TRIGGER rule BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION rule();"
            " DELETE FROM idempotency_keys",
            "app",
        )
        return b"", True

    line.spoil = cut
    (error,) = together(lambda: events.add("second", "key"))
    assert isinstance(error, OutcomeUnknown) and error.retry_after == 1
    assert [row[1] for row in rows_of(primary)] == ["first", "another", "second"]
