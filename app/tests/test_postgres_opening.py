"""Connections that are opened: what does not answer is ended, and one failure cuts nobody."""

import socket
import threading
import time

import pytest
from postgres_servers import (
    Forwarder,
    config_of,
    end_sessions,
    events_of,
    free_port,
    together,
    wait_for,
)

from pra.base.errors import Refused
from pra.events.postgres import PostgresEvents
from pra.postgres import addresses, failures, session, way
from pra.postgres.failures import Away


@pytest.fixture
def events(primary):
    return events_of(primary)


@pytest.fixture
def line(primary):
    forwarder = Forwarder(primary.port)
    yield forwarder
    forwarder.close()


def test_one_attempt_that_fails_cuts_no_write_that_waits_for_its_standby(servers):
    with servers.pair() as (primary, standby):
        forwarder = Forwarder(primary.port)
        events = events_of(primary, forwarder.port)
        assert all("id" in one for one in together(*(lambda: events.add("x") for _ in range(4))))
        with standby.frozen():
            answers = []
            writing = threading.Thread(
                target=lambda: answers.extend(together(*(lambda: events.add("y"),) * 4))
            )
            writing.start()
            forwarder.target = free_port()
            # The probe, after half a second.
            wait_for(lambda: forwarder.refused)
            forwarder.target = primary.port
            time.sleep(0.7)
        writing.join(60)
        assert [type(one) for one in answers] == [dict] * 4
        forwarder.close()


def test_attempts_that_fail_for_a_second_free_those_who_wait(servers):
    with servers.pair() as (primary, standby):
        forwarder = Forwarder(primary.port)
        events = events_of(primary, forwarder.port)
        events.add("x")
        with standby.frozen():
            began = time.monotonic()
            threading.Timer(0.2, lambda: setattr(forwarder, "target", free_port())).start()
            (answer,) = together(lambda: events.add("y"))
            assert "may or may not" in str(answer) and 1.3 < time.monotonic() - began < 2.8
        forwarder.close()


def test_connections_on_which_no_query_is_answered_come_to_an_end(primary, events, line):
    mute = PostgresEvents(config_of(primary, line.port))
    # What follows the authentication begins otherwise.
    line.spoil = lambda data: (data if data[:1] in b"RSKZEN" else b"", False)
    before = threading.active_count()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        with pytest.raises(Away):
            mute.count()
    mine = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
    assert primary.sql(mine)[0][0] < 8
    assert threading.active_count() - before < 24
    wait_for(lambda: not mute._database.pool.opening, 10)
    wait_for(lambda: primary.sql(mine)[0][0] == 0, 10)
    line.spoil = None
    wait_for(lambda: together(mute.count) == [0], 10)


def test_a_cancel_that_hits_the_opening_of_a_connection_costs_nothing(primary, events):
    tries = []

    class Once:
        def __init__(self, real):
            self._real = real

        def execute(self, text):
            tries.append(text)
            if len(tries) == 1:
                self._real.execute("SET statement_timeout = 1")
                self._real.execute("SELECT pg_sleep(1)")
            return self._real.execute(text)

    target = events._database.pool.target
    with way.first(target.ways()) as real:
        assert session._checked(Once(real)).timeline == 1
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("connection failed: connection to server at x failed: FATAL:  sorry", True),
        ("connection failed: connection to server at x failed: ВАЖНО:  извините", True),
        ("connection failed: connection to server at x failed: Connection refused", False),
        ("connection failed: connection to server at x failed: could not: no", False),
    ],
)
def test_a_refusal_is_told_from_silence_in_every_language(said, answered):
    assert failures.answered(failures.psycopg.OperationalError(said)) is answered


def test_an_address_that_hangs_is_not_waited_for(primary, events, monkeypatch):
    with socket.create_server(("127.0.0.2", 0)) as silent:
        real = events._database.pool.target.ways()[0]
        hanging = {**real, "port": str(silent.getsockname()[1]), "hostaddr": "127.0.0.2"}
        monkeypatch.setattr(events._database.pool.target, "ways", lambda: [hanging, real])
        end_sessions(primary)
        began = time.monotonic()
        assert events.add("x")["id"] == 1
        assert time.monotonic() - began < 1
    refused = {**real, "port": str(free_port())}
    with pytest.raises(failures.psycopg.OperationalError, match="refused"):
        way.first([refused, refused])


def test_an_answer_that_nobody_waited_for_is_not_taken_for_that_of_now(monkeypatch):
    names, over, asked = addresses.Addresses(), threading.Event(), []

    def resolve(*_, **__):
        asked.append(over.wait(60))
        if len(asked) == 2:
            raise socket.gaierror(-3, "nobody answers")
        return [(0, 0, 0, "", (f"10.0.0.{len(asked)}", 5432))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(addresses, "UNKNOWN", 0.01)
    with pytest.raises(TimeoutError):
        names.of("db", 5432)
    over.set()
    wait_for(names._asking["db"].answered.is_set)
    monkeypatch.setattr(addresses, "KNOWN", 60)
    # It is asked again, and where that fails, what came too late is better than nothing.
    assert names.of("db", 5432) == ["10.0.0.1"] and len(asked) == 2
    assert names.of("db", 5432) == ["10.0.0.3"]


def test_a_name_that_is_none_is_said_at_once():
    began = time.monotonic()
    with pytest.raises(OSError, match="has no address: it is no name of a host"):
        addresses.Addresses().of("a..b", 5432)
    assert time.monotonic() - began < 1


def test_each_address_of_each_server_is_a_way(primary, monkeypatch):
    target = PostgresEvents(config_of(primary))._database.pool.target
    monkeypatch.setattr(target, "_given", {**target._given, "host": "a,10.0.0.9", "port": "1,"})
    monkeypatch.setattr(target._addresses, "of", lambda host, port: ["10.0.0.1", "10.0.0.2"])
    assert [(one["host"], one.get("hostaddr"), one.get("port")) for one in target.ways()] == [
        ("a", "10.0.0.1", "1"),
        ("a", "10.0.0.2", "1"),
        ("10.0.0.9", None, None),
    ]


def test_a_program_that_runs_is_refused_with_its_next_connection(primary, events):
    events.add("x")
    primary.sql("UPDATE pra_schema SET version = 7, needs = 7", "app")
    end_sessions(primary)
    with pytest.raises(Refused, match="for programs of 7 and newer"):
        events.add("y")
