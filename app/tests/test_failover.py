"""A primary that dies, hangs or is replaced: nothing acknowledged is lost, nobody waits long."""

import json
import threading
import time

import pytest
from postgres_servers import (
    Forwarder,
    config_of,
    end_sessions,
    events_of,
    rows_of,
    synchronous,
    wait_for,
)

from pra.base.errors import OutcomeUnknown, PraError
from pra.events.postgres import PostgresEvents
from pra.postgres import failures
from pra.postgres.failures import Away, Busy
from pra.postgres.session import Server
from pra.web.routes import create_app

#: Given up within a second or two; the rest is for a machine that is busy with other things.
SOON = 4.0


@pytest.fixture
def pair(servers):
    """A primary and its synchronous standby, to be broken."""
    with servers.pair() as both:
        yield both


@pytest.fixture
def line(pair):
    """What leads to the primary, as a service does."""
    forwarder = Forwarder(pair[0].port)
    yield forwarder
    forwarder.close()


class Load:
    """Writers that go on until they are ended, and what they were told of each message."""

    def __init__(self, events, writers=4):
        self.events, self._over = events, threading.Event()
        self.acknowledged, self.doubtful, self.refused, self.odd = {}, set(), set(), []
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(writers)
        ]
        for one in self._threads:
            one.start()

    def _write(self, writer):
        number = 0
        while not self._over.is_set():
            number += 1
            message = f"{writer}/{number}"
            try:
                added = self.events.add(message, message if number % 2 else None)
                with self._lock:
                    self.acknowledged[message] = added["id"]
            except OutcomeUnknown:
                self.doubtful.add(message)
            except PraError as error:
                self.refused.add(message)
                assert error.retry_after
                time.sleep(0.02)
            except BaseException as error:
                self.odd.append(error)
                raise

    def end(self):
        self._over.set()
        for one in self._threads:
            one.join(60)
        assert self.odd == []

    def compare(self, rows):
        """Compare what they were told with what a server has: (number, message) of each event."""
        there = {}
        for number, message in rows:
            assert message not in there, f"{message} is there twice"
            there[message] = number
        lost = {
            message for message, number in self.acknowledged.items() if there.get(message) != number
        }
        assert lost == set()
        assert there.keys() <= self.acknowledged.keys() | self.doubtful
        assert not there.keys() & self.refused


def timed(call):
    """What a call raises, and how long it took."""
    began = time.monotonic()
    with pytest.raises(PraError) as failed:
        call()
    return failed.value, time.monotonic() - began


def take_over(standby, line):
    """The standby becomes the primary, alone, and the service leads to it."""
    standby.promote()
    line.target = standby.port


def test_no_acknowledged_write_is_lost_when_the_primary_is_killed(pair, line):
    primary, standby = pair
    load = Load(events_of(primary, line.port))
    wait_for(lambda: len(load.acknowledged) > 50)
    primary.kill()
    wait_for(lambda: load.refused)
    take_over(standby, line)
    before = len(load.acknowledged)
    wait_for(lambda: len(load.acknowledged) > before + 50)
    load.end()
    load.compare(rows_of(standby))
    assert load.events.count() == len(rows_of(standby))
    assert load.events.status()["timeline"] == 2


def test_a_primary_that_hangs_is_given_up_and_taken_back(pair, line):
    primary, _ = pair
    events = events_of(primary, line.port)
    events.add("before")
    with primary.frozen():
        error, seconds = timed(lambda: events.add("unknown"))
        assert isinstance(error, OutcomeUnknown) and error.retry_after is None
        assert seconds < SOON
        for call in (events.count, lambda: events.newest(50), lambda: events.add("not sent")):
            error, seconds = timed(call)
            assert isinstance(error, Away) and error.retry_after == 1
            assert seconds < SOON
        status = events.status()
        assert status["count"] is None and "no answer within 1 s" in status["unprotected"]
    wait_for(lambda: _counted(events) is not None)
    assert [one["message"] for one in events.newest(50)][-1] == "before"
    assert "not sent" not in [one["message"] for one in events.newest(50)]


def _counted(events):
    try:
        return events.count()
    except PraError:
        return None


def test_those_who_wait_when_a_primary_hangs_are_freed_together(pair, line):
    primary, _ = pair
    load = Load(events_of(primary, line.port), writers=8)
    wait_for(lambda: len(load.acknowledged) > 20)
    with primary.frozen():
        wait_for(lambda: len(load.doubtful) >= 1, SOON)
        wait_for(lambda: load.refused, SOON)
    load.end()
    load.compare(rows_of(primary))


def test_connections_to_a_lost_node_are_thrown_away_though_none_is_closed(pair, line):
    primary, standby = pair
    events = events_of(primary, line.port)
    held = [threading.Thread(target=events.add, args=(f"first {n}",)) for n in range(4)]
    for one in held:
        one.start()
    for one in held:
        one.join()
    line.lost.add(primary.port)
    primary.kill()
    take_over(standby, line)
    # What was sent into the silence is sent again: it only reads, or has a key.
    began = time.monotonic()
    assert events.count() == 4
    assert events.add("second", "key")["replayed"] is False
    assert time.monotonic() - began < SOON
    assert events.status()["timeline"] == 2


def test_an_unanswered_write_without_a_key_is_not_sent_again(pair, line):
    primary, standby = pair
    events = events_of(primary, line.port)
    events.add("first")
    line.lost.add(primary.port)
    primary.kill()
    take_over(standby, line)
    error, seconds = timed(lambda: events.add("second"))
    assert isinstance(error, OutcomeUnknown)
    assert seconds < SOON
    assert [row[1] for row in rows_of(standby)] == ["first"]


def test_the_way_never_leads_back_to_an_earlier_primary(pair, line):
    primary, standby = pair
    events = events_of(primary, line.port)
    events.add("first")
    # Split: the old one lives on.
    standby.promote()
    line.target = standby.port
    end_sessions(primary)
    assert events.add("second", "key")
    line.target = primary.port
    end_sessions(standby)
    error, _ = timed(events.count)
    assert "an earlier primary answers (timeline 1)" in str(error)
    assert "restart this server" in error.next_step
    line.target = standby.port
    assert events.count() == 2


def test_without_its_standby_nothing_is_acknowledged_and_everybody_answered(pair, line):
    primary, standby = pair
    events = events_of(primary, line.port)
    assert events.add("first", "first")
    standby.kill()
    client = create_app(events).test_client()
    began = time.monotonic()
    answer = client.post("/add", data={"message": "plain"})
    assert (answer.status_code, answer.get_json()["outcome"]) == (503, "unknown")
    assert "Retry-After" not in answer.headers
    assert time.monotonic() - began < SOON + 1
    for _ in range(2):
        # Its retry finds the key, and yet is not told that it lasts.
        answer = _keyed(client)
        while answer.status_code == 503 and "outcome" not in answer.get_json():
            # A machine that is busy opens no connection in time: nothing was sent.
            answer = _keyed(client)
        assert (answer.status_code, answer.get_json()["outcome"]) == (503, "unknown")
        assert answer.headers["Retry-After"] == "1"
    # Reads go on.
    assert client.get("/health").status_code == 200
    status = client.get("/status").get_json()
    assert "0 of 1 synchronous standbys are connected" in status["unprotected"]
    assert client.get("/count").get_json() == {"count": status["count"]}
    standby.start()
    wait_for(lambda: _repeated(client), 30)
    assert [row[1] for row in rows_of(primary)].count("keyed") == 1


def test_writes_that_wait_for_a_standby_leave_connections_to_reads(pair):
    primary, standby = pair
    events = events_of(primary, PRA_THREADS="4")
    events.add("first")
    standby.kill()
    told = []
    writing = [
        threading.Thread(target=lambda: told.append(timed(lambda: events.add("x"))[0]))
        for _ in range(3)
    ]
    for one in writing:
        one.start()
    wait_for(lambda: len(waiting_for_standby(primary)) == 3)
    error, seconds = timed(lambda: events.add("one too many"))
    assert isinstance(error, Busy) and error.retry_after == 1 and seconds < 2
    assert events.count() == 1
    for one in writing:
        one.join(60)
    assert [type(one) for one in told] == [OutcomeUnknown] * 3
    # Nobody is left behind at the server.
    wait_for(lambda: waiting_for_standby(primary) == [])


def waiting_for_standby(server):
    return server.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


def _keyed(client):
    return client.post("/add?message=keyed", headers={"Idempotency-Key": "k"})


def _repeated(client):
    answer = _keyed(client)
    return answer.status_code == 200 and answer.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_no_longer_waits_for_the_standby_is_not_acknowledged(pair, how):
    primary, standby = pair
    events = events_of(primary)
    events.add("first")
    standby.stop("fast")
    raised = []
    writer = threading.Thread(target=lambda: raised.append(timed(lambda: events.add("second"))))
    writer.start()
    wait_for(lambda: waiting_for_standby(primary))
    primary.sql(f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    writer.join(60)
    assert isinstance(raised[0][0], OutcomeUnknown)
    # It is there, and may yet be lost with the primary.
    assert [row[1] for row in rows_of(primary)] == ["first", "second"]


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "silent"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_commit_whose_answer_is_cut_off(pair, line, key, closed):
    primary, _ = pair
    events = events_of(primary, line.port)
    # Both statements are prepared before, so that the first answer is that of the transaction.
    events.add("first")
    events.add("another", "another")
    answers = []

    def cut(data):
        answers.append(data)
        # Of the first one, all but that the transaction is done: 5 bytes and its state.
        return (data[:-6], closed) if len(answers) == 1 else (data, False)

    line.spoil = cut
    if key is None:
        error, seconds = timed(lambda: events.add("second"))
        assert isinstance(error, OutcomeUnknown) and seconds < SOON + 1
    elif closed:
        assert events.add("second", key)["replayed"] is True
    else:
        # The primary is there, so that it is waited for until there is no time for another try.
        error, seconds = timed(lambda: events.add("second", key))
        assert isinstance(error, OutcomeUnknown) and seconds < SOON + 1
        assert events.add("second", key)["replayed"] is True
    assert len(answers) > 0 and answers[0].endswith(b"Z\0\0\0\x05I")
    assert [row[1] for row in rows_of(primary)] == ["first", "another", "second"]


def test_a_restart_in_order_costs_no_request(pair, line):
    primary, _ = pair
    events = events_of(primary, line.port)
    events.add("first")
    primary.stop("fast")
    primary.start()
    wait_for(lambda: synchronous(primary))
    # The dead connection is seen before anything is sent on it.
    assert events.add("second")["id"] > 1
    assert events.count() == 2


def test_what_the_server_says_when_it_ends_counts_as_gone():
    for code in ("57P01", "57P02", "57P03", "08006", "25006"):
        assert failures.gone(failures.psycopg.errors.lookup(code)("x")), code
    for code in ("57014", "55P03", "23505", "42P01"):
        assert not failures.gone(failures.psycopg.errors.lookup(code)("x")), code
    for code, undone in (("08P01", False), ("57P01", False), ("25006", True), ("40001", True)):
        assert failures.undone(failures.psycopg.errors.lookup(code)("x")) is undone, code


def test_which_primary_comes_after_which():
    now = Server(7, 2, 1000.0)
    assert now.replaces(None) and not now.replaces(now)
    assert Server(7, 3, 500.0).replaces(now) and not now.replaces(Server(7, 3, 500.0))
    # Started again, its clock set back; another system, restored from nobody knows what.
    assert Server(7, 2, 900.0).replaces(now)
    assert Server(8, 1, 900.0).replaces(now)


def test_a_standby_is_no_primary(pair):
    primary, standby = pair
    events_of(primary).add("first")
    events = PostgresEvents(config_of(standby))
    error, seconds = timed(events.count)
    assert isinstance(error, Away) and "read-only" in str(error) and seconds < SOON
    assert json.dumps(events.status())
