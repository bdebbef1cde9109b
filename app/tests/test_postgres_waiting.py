"""Who waits for a connection, for how long, and which primary is not gone back to."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from postgres_servers import (
    Forwarder,
    config_of,
    end_sessions,
    events_of,
    free_port,
    rows_of,
    together,
    wait_for,
)

from pra.base.errors import OutcomeUnknown, Refused
from pra.events.postgres import PostgresEvents
from pra.postgres import failures, pool
from pra.postgres.failures import Away
from pra.postgres.primaries import Met, Primaries
from pra.postgres.session import Server


@pytest.fixture
def line(primary):
    forwarder = Forwarder(primary.port)
    yield forwarder
    forwarder.close()


def test_one_attempt_that_fails_is_not_the_answer_where_the_next_one_succeeds(
    primary, line, monkeypatch
):
    # Of a machine that is busy with other things.
    monkeypatch.setattr(pool, "PATIENCE", 10)
    monkeypatch.setattr(pool, "WAIT", 20)
    events = events_of(primary, line.port)
    line.target = free_port()
    with ThreadPoolExecutor(1) as waiting:
        counted = waiting.submit(events.count)
        wait_for(lambda: line.refused)
        line.target = primary.port
        assert counted.result(60) == 0


def test_attempts_that_fail_are_made_with_pauses_and_are_the_answer_in_the_end(primary, line):
    line.target = free_port()
    began = time.monotonic()
    with pytest.raises(Away):
        PostgresEvents(config_of(primary, line.port)).count()
    seconds = time.monotonic() - began
    assert seconds > pool.PATIENCE
    assert 2 <= line.refused <= seconds / pool._PAUSE + 1


def test_half_of_the_threads_wait_for_a_primary_that_is_away_and_no_more(primary, line):
    line.target = free_port()
    events = PostgresEvents(config_of(primary, line.port, PRA_THREADS="8"))
    assert isinstance(together(events.count)[0], Away)
    most, connections = [], events._database.pool
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as asking:
        line.target = silent.getsockname()[1]
        answers = asking.submit(together, *(events.count,) * 8)
        while not answers.done():
            with connections.changed:
                most.append(connections._waiting)
        assert all(isinstance(one, Away) for one in answers.result())
    assert 1 <= max(most) <= 4


def test_a_write_that_has_no_connection_as_yet_takes_no_turn(primary):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        events = PostgresEvents(config_of(primary, silent.getsockname()[1], PRA_THREADS="4"))
        answers = together(*(lambda: events.add("x"),) * 4)
    # None is told that too many writes wait: nothing was sent for any.
    assert [type(one) for one in answers] == [Away] * 4


def test_what_a_work_waited_for_its_connection_is_part_of_its_time(primary):
    events = events_of(primary, PRA_THREADS="1")
    connections = events._database.pool
    held = connections.take("holding", time.monotonic() + 60)
    end = time.monotonic() + 60
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(connections.take, "waiting", end)
        wait_for(lambda: connections._waiting)
        given = time.monotonic()
        connections.give(held)
        assert 0 < waiting.result(60).limit <= end - given


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("FATAL:  sorry, too many clients already", failures.Busy),
        ('FATAL:  too many connections for role "app"', failures.Busy),
        ('FATAL:  password authentication failed for user "app"', failures.NotLetIn),
        ("FATAL:  désolé, trop de clients sont déjà connectés", None),
        ("Connection refused", None),
    ],
)
def test_what_a_refused_connection_means(said, meant):
    found = failures.refusal("connecting", failures.psycopg.OperationalError(said), said)
    assert found is None if meant is None else type(found) is meant


def test_which_primary_came_back_and_which_was_only_asked_before():
    a, b, c = Server(7, 2, 10.0), Server(7, 2, 20.0), Server(7, 3, 30.0)
    now = time.monotonic()
    known = Primaries()
    assert known.meet(a, now) is Met.NEXT and known.meet(a, now) is Met.SAME
    later = time.monotonic() + 1
    assert known.meet(b, later) is Met.NEXT
    # An attempt that began while it was the primary.
    assert known.meet(a, now) is Met.LATE
    assert known.meet(a, later + 1) is Met.BACK
    assert known.meet(c, now) is Met.NEXT and known.meet(b, later + 2) is Met.EARLIER
    other = Server(8, 1, 5.0)
    assert known.meet(other, later + 3) is Met.NEXT and known.meet(c, later + 4) is Met.BACK
    # Of two that were asked at once, one of which was started again.
    first = Primaries()
    assert first.meet(b, now) is Met.NEXT and first.meet(a, now - 1) is Met.LATE
    assert first.meet(b, later) is Met.SAME


def test_two_primaries_of_one_timeline_end_the_writing(servers):
    with servers.pair() as (primary, standby):
        forwarder = Forwarder(primary.port)
        events_of(primary).add("before")
        standby.promote()
        # The other one as well, each on its own.
        primary.stop("fast")
        servers._write(f"{primary.data}/standby.signal", "")
        primary.start()
        primary.promote()
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        primary.sql("SELECT pg_reload_conf()")
        events = PostgresEvents(config_of(primary, forwarder.port))
        wait_for(lambda: isinstance(together(lambda: events.add("here", "here"))[0], dict))
        forwarder.target = standby.port
        end_sessions(primary)
        # As after a restart, which it may be.
        wait_for(lambda: isinstance(together(lambda: events.add("there", "there"))[0], dict))
        forwarder.target = primary.port
        end_sessions(standby)
        with pytest.raises(Refused, match="two primaries of timeline 2 answer in turn") as refused:
            events.add("lost")
        assert not isinstance(refused.value, (OutcomeUnknown, Away))
        assert "restart this server" in refused.value.next_step
        # Nor does it begin again by itself with one of them.
        forwarder.target = standby.port
        for call in (events.count, lambda: events.add("lost"), lambda: events.newest(1)):
            with pytest.raises(Refused, match="two primaries"):
                call()
        assert "two primaries" in events.status()["unprotected"]
        assert [row[1] for row in rows_of(primary)] == ["before", "here"]
        assert [row[1] for row in rows_of(standby)] == ["before", "there"]
        forwarder.close()
