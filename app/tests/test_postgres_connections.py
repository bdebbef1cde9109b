"""What is told of PostgreSQL, who is refused, and what becomes of connections."""

import functools
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from conftest import pra
from postgres_servers import (
    PASSWORD,
    Forwarder,
    config_of,
    end_sessions,
    events_of,
    free_port,
    rows_of,
    together,
    wait_for,
)

from pra.base import errors, settings
from pra.base.errors import OutcomeUnknown, PraError
from pra.commands import cli
from pra.events.postgres import PostgresEvents
from pra.postgres import migrations, standbys
from pra.postgres.addresses import Addresses
from pra.postgres.failures import Away, Busy, NoTables, NotLetIn
from pra.postgres.target import Target
from pra.web.routes import create_app


@pytest.fixture
def events(primary):
    return events_of(primary)


# Status.


def test_status_tells_of_replicas_and_of_what_it_may_not_see(primary, events):
    events.add("x")
    status = events.status()
    assert (status["count"], status["protection"], status["unprotected"]) == (
        1,
        "replication",
        None,
    )
    (replica,) = status["replicas"]
    assert (replica["name"], replica["state"], replica["sync_state"]) == (
        "b",
        "streaming",
        "quorum",
    )
    assert replica["lag_bytes"] >= 0
    assert status["synchronous"] == {"names": "ANY 1 (b)", "confirmations": 1}
    assert (status["timeline"], status["is_standby"]) == (1, False)
    assert status["archiver"] == {"mode": "off"}
    assert any("nothing is archived" in one["what"] for one in status["notices"])
    primary.sql("REVOKE pg_monitor FROM app")
    try:
        status = PostgresEvents(config_of(primary)).status()
        assert status["replicas"] is None and status["unprotected"] is None
        assert any("GRANT pg_monitor TO app" in one["next"] for one in status["notices"])
    finally:
        primary.sql("GRANT pg_monitor TO app")


def test_a_primary_without_a_synchronous_standby_is_called_unprotected(servers):
    with servers.pair(standby=False) as (alone, _):
        events = events_of(alone)
        assert events.add("x")["id"] == 1
        assert "no synchronous standby is configured" in events.status()["unprotected"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [("", 0), ("*", 1), ("a, b", 1), ("ANY 2 (a, b)", 2), ('first 1 ("x-1")', 1), ("2 (a,b)", 2)],
)
def test_how_many_confirm_is_read_as_postgresql_does(names, wanted):
    assert standbys.confirmations(names) == wanted


# The tables.


def test_a_database_without_its_tables_is_refused_with_the_command(primary):
    events = PostgresEvents(config_of(primary))
    for call in (events.count, lambda: events.add("x"), lambda: events.newest(1)):
        with pytest.raises(NoTables) as refused:
            call()
        assert "python -m pra migrate" in refused.value.next_step
    answer = create_app(events).test_client().get("/add?message=x")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    migrations.run(Target(config_of(primary).database_url))
    assert events.add("x")["id"] == 1


def test_two_migrations_at_once_are_one(primary):
    target = Target(config_of(primary).database_url)
    done = together(*(lambda: migrations.run(target) for _ in range(4)))
    assert sorted(len(one["applied"]) for one in done) == [0, 0, 0, migrations.newest()]
    assert {one["version"] for one in done} == {migrations.newest()}


def test_a_program_goes_on_with_newer_tables_unless_they_say_otherwise(primary, events):
    primary.sql("UPDATE pra_schema SET version = 7", "app")
    assert PostgresEvents(config_of(primary)).add("x")["id"] == 1
    assert migrations.run(Target(config_of(primary).database_url))["applied"] == []
    primary.sql("UPDATE pra_schema SET needs = 7", "app")
    fresh = PostgresEvents(config_of(primary))
    for call in (fresh.count, lambda: migrations.run(Target(config_of(primary).database_url))):
        with pytest.raises(PraError, match="for programs of 7 and newer"):
            call()
    assert primary.sql("SELECT version FROM pra_schema", "app") == [(7,)]
    primary.sql("UPDATE pra_schema SET version = 0, needs = 0", "app")
    with pytest.raises(NoTables, match="of version 0, this program wants"):
        fresh.count()


# Who is not there.


def away(url, why=Away):
    events = PostgresEvents(settings.load({"PRA_DATABASE_URL": url}))
    began = time.monotonic()
    with pytest.raises(why) as refused:
        events.add("x")
    assert time.monotonic() - began < 4
    status = json.dumps(events.status())
    assert PASSWORD not in status and PASSWORD not in str(refused.value)
    return str(refused.value)


def test_who_is_not_there_or_refuses_is_told_without_the_password(primary, caplog):
    assert "refused" in away(primary.url(free_port()))
    wrong = primary.url(password=PASSWORD + "x")
    assert "PostgreSQL does not let this user in" in away(wrong, NotLetIn)
    assert '"none" does not exist' in away(primary.url(database="none"))
    unknown = primary.url().replace("127.0.0.1", "no-such-host.invalid")
    assert "no-such-host.invalid" in away(unknown) or "no answer" in away(unknown)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no answer within 1 s" in away(primary.url(silent.getsockname()[1]))
    assert caplog.records and PASSWORD not in caplog.text


def test_a_name_that_is_no_longer_resolved_has_the_address_that_it_had(monkeypatch):
    addresses, asked, over = Addresses(), threading.Event(), threading.Event()
    found = addresses.of("localhost", 5432)
    assert "127.0.0.1" in found

    def hang(*_, **__):
        asked.set()
        over.wait(60)
        raise socket.gaierror(-2, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    assert addresses.of("localhost", 5432) == found
    assert addresses.of("localhost", 5432) == found
    assert asked.is_set() and time.monotonic() - began < 2
    over.set()

    def fail(*_, **__):
        raise socket.gaierror(-2, "nobody knows it")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(OSError, match="nobody knows it"):
        addresses.of("other", 5432)


# Connections.


def test_slow_queries_take_the_connections_of_no_one_for_long(primary, events):
    few = events_of(primary, PRA_THREADS="2")
    few.add("x")
    sleeping = [
        threading.Thread(
            target=lambda: together(
                lambda: few._database.read("sleeping", lambda c: c.execute("SELECT pg_sleep(9)"))
            )
        )
        for _ in range(2)
    ]
    began = time.monotonic()
    for one in sleeping:
        one.start()
    time.sleep(0.2)
    with pytest.raises(Busy, match="all 2 connections") as refused:
        few.count()
    assert refused.value.retry_after == 1 and time.monotonic() - began < 3
    for one in sleeping:
        one.join(60)
    # The server ended them itself.
    assert time.monotonic() - began < 5
    assert few.count() == 1


def test_a_server_that_takes_nobody_more_interrupts_nobody(primary, events):
    held = []
    try:
        while len(held) < 60:
            held.append(psycopg.connect(primary.url()))
    except psycopg.OperationalError:
        pass
    assert 10 < len(held) < 60
    with pytest.raises(Busy, match="PostgreSQL takes no more connections"):
        PostgresEvents(config_of(primary)).count()
    # One place, which one connection has; the others wait for it, or are told.
    held.pop().close()
    assert events.add("x")["id"] == 1
    answers = together(*(lambda: events.add("y") for _ in range(6)))
    assert any(isinstance(one, dict) for one in answers)
    assert not any(isinstance(one, OutcomeUnknown) for one in answers)
    for one in held:
        one.close()
    assert events.count() == len(rows_of(primary))


def test_connections_that_were_ended_meanwhile_cost_no_request(primary, events):
    for _ in range(3):
        together(*(lambda: events.add("x") for _ in range(4)))
        end_sessions(primary)
        # Each is seen to be dead before anything is sent, so that even this is not in doubt.
        added = together(*(lambda: events.add("y") for _ in range(4)))
        assert all("id" in one for one in added)


def test_a_connection_that_became_read_only_is_given_up_for_another(primary, events):
    events.add("first")
    become = "SET default_transaction_read_only = on"
    events._database.read("becoming", lambda conn: conn.execute(become))
    # Refused for certain, so that it is tried again also without a key.
    assert events.add("second")["id"] > 1
    primary.sql("ALTER DATABASE app SET default_transaction_read_only = on")
    try:
        end_sessions(primary)
        with pytest.raises(Away, match="read-only"):
            events.add("third")
    finally:
        primary.sql("ALTER DATABASE app RESET default_transaction_read_only")
    assert [row[1] for row in rows_of(primary)] == ["first", "second"]


def test_a_fork_has_connections_of_its_own(primary, events):
    events.add("parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            events.add("child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert events.add("parent again")
    assert [row[1] for row in rows_of(primary)] == ["parent", "child", "parent again"]


# The command line.


def test_the_verbs_of_volumes_say_what_is_used_instead(primary):
    environment = {"PRA_DATABASE_URL": primary.url()}
    arguments = {"define": ["SELECT 1"], "offsite": ["list"]}
    for verb in cli._VERBS.keys() - cli._ANYWHERE:
        done = pra(environment, verb, *arguments.get(verb, []))
        assert done.returncode == 2, verb
        assert "python -m pra status" in done.stderr and PASSWORD not in done.stderr


def test_a_migration_waits_for_a_database_that_is_away_as_long_as_it_is_told(primary):
    forwarder = Forwarder(free_port())
    environment = {"PRA_DATABASE_URL": primary.url(forwarder.port)}
    assert pra(environment, "migrate").returncode == errors.EXIT_IO
    waiting = threading.Thread(
        target=lambda: done.append(pra(environment, "migrate", "--wait", "60", "--json"))
    )
    done = []
    waiting.start()
    # It has been refused at least once.
    wait_for(lambda: forwarder.refused)
    forwarder.target = primary.port
    waiting.join(60)
    assert json.loads(done[0].stdout)["version"] == migrations.newest()
    forwarder.close()


def test_a_migration_waits_for_no_wrong_password_to_become_right(primary):
    wrong = {"PRA_DATABASE_URL": primary.url(password=PASSWORD + "x")}
    # It would be ended after 60 s.
    done = pra(wrong, "migrate", "--wait", "600")
    assert done.returncode == errors.EXIT_REFUSED
    assert "PostgreSQL does not let this user in" in done.stderr and PASSWORD not in done.stderr


def test_a_migration_is_begun_again_where_the_database_goes_away_during_a_step(primary):
    migrate = functools.partial(migrations.run, Target(config_of(primary).database_url))

    def ended_in_its_step(wait):
        """What a migration says whose server ends it while it makes a table."""
        with psycopg.connect(primary.url()) as other, ThreadPoolExecutor(1) as pool:
            other.execute("CREATE TABLE events (id integer)")
            done = pool.submit(migrate, wait)
            waits = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'app'"
            wait_for(lambda: primary.sql(f"SELECT pid {waits}", "app"))
            primary.sql(f"SELECT pg_terminate_backend(pid) {waits}", "app")
            other.rollback()
            return done.result(60)

    with pytest.raises(Away):
        ended_in_its_step(0)
    assert primary.sql("SELECT to_regclass('pra_schema')", "app") == [(None,)]
    assert ended_in_its_step(60)["applied"] == [one.name for one in migrations.steps()]
    assert migrate()["applied"] == []


def test_migrating_volumes_is_wrong_use(environment):
    done = pra(environment, "migrate")
    assert done.returncode == 2 and "PRA_DATABASE_URL" in done.stderr


def test_about_names_the_database_without_its_password(primary, events):
    done = pra({"PRA_DATABASE_URL": primary.url()}, "about", "--json")
    known = json.loads(done.stdout)
    assert known["database"] == f"postgresql://app@127.0.0.1:{primary.port}/app"
    assert known["postgresql"].startswith("1") and "apsw" not in known
    assert PASSWORD not in done.stdout
