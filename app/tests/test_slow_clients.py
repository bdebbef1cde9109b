"""Clients that hold a server up: what they hold is a connection, and no thread."""

import contextlib
import re
import time

import pytest
import wire
from conftest import serving
from wire import FORM, head

from pra.base.layout import Layout
from pra.disk import locks
from pra.web.routes import MAX_BODY

MANY = 500
#: An answer that waited for one of them would take longer, in seconds.
SOON = 5
HALVES = {
    "nothing": b"",
    "half a header": b"GET /add?message=half HTTP/1.1\r\nHo",
    "half a body": head("POST", "/add", FORM, b"Content-Length: 100\r\n") + b"\r\nmessage=",
    "half a chunk": head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n") + b"\r\n9\r\nm",
}


@contextlib.contextmanager
def held(url, sent, many=MANY):
    """Connections on which something was sent, and nothing follows."""
    with contextlib.ExitStack() as open_ones:
        found = []
        for _ in range(many):
            one = open_ones.enter_context(wire.connect(url))
            one.sendall(sent)
            found.append(one)
        yield found


def soon(url, path):
    """An answer that does not wait."""
    began = time.monotonic()
    said = wire.get(url, path)
    assert time.monotonic() - began < SOON
    return said


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_half_sent_requests_hold_nobody_up_and_write_nothing(environment, sent):
    with serving(environment) as (url, _), held(url, sent):
        for number in range(1, 21):
            assert soon(url, "/health").status == 200
            assert soon(url, "/add?message=whole").json["id"] == number
        assert soon(url, "/count").json == {"count": 20}


def test_probes_are_answered_though_clients_hold_every_connection(environment):
    environment = {**environment, "PRA_PROBE_PORT": "0"}
    with serving(environment, impatient("serve.MAX_CONNECTIONS = 20")) as (url, process):
        [probes] = re.findall(r"Probes are answered at: (http://\S+)/health", process.said)
        with held(url, HALVES["half a header"], 60) as connections:
            assert soon(probes, "/health").json["status"] == "ok"
            # There is indeed no room: who asks now is answered once somebody leaves.
            with wire.connect(url) as late:
                late.sendall(head("GET", "/health") + b"\r\n")
                late.settimeout(1)
                with pytest.raises(TimeoutError):
                    late.recv(1)
                late.settimeout(wire.PATIENCE)
                for one in connections:
                    one.close()
                assert wire.answer(late).status == 200
        said = wire.get(probes, "/add?message=x")
        assert (said.status, said.json["status"]) == (404, "error")
        assert wire.get(url, "/count").json == {"count": 0}


def test_clients_that_send_byte_by_byte_hold_nobody_up_and_are_served(environment):
    request = head("POST", "/add", FORM, b"Content-Length: 9\r\n", b"Connection: close\r\n")
    request += b"\r\nmessage=s"
    with serving(environment) as (url, _), held(url, request[:-20]) as slow:
        for position in range(-20, -1):
            for one in slow:
                one.sendall(request[position : position + 1])
            assert soon(url, "/health").status == 200
            assert soon(url, "/add?message=whole").status == 200
        for one in slow:
            one.sendall(request[-1:])
        assert [wire.answer(one).status for one in slow] == [200] * MANY
        assert wire.get(url, "/count").json == {"count": MANY + 19}


def impatient(limit):
    """How to start a server with another limit, given as in ``body.SECONDS = 1``."""
    module = limit.partition(".")[0]
    how = f"from pra.commands import cli; from pra.web import {module}; {limit};"
    return ("-c", how + " cli.main(['serve'])")


def test_a_body_that_does_not_come_is_told_so_and_the_connection_closed(environment):
    with serving(environment, impatient("body.SECONDS = 0.1")) as (url, _):
        for half in ("half a body", "half a chunk"):
            with held(url, HALVES[half], 1) as [connection]:
                said = wire.answer(connection)
                assert (said.status, said.json["status"]) == (408, "error")
                assert said.headers["Connection"] == "close"
                assert wire.at_the_end(connection) == b""
        assert wire.get(url, "/count").json == {"count": 0}


def test_a_body_that_is_too_long_is_refused_before_it_comes(environment):
    """Its length alone is enough, or its beginning; the time that a body has is not waited for."""
    how = impatient("body.SECONDS = body.DISCARDING = 3600")
    with serving(environment, how) as (url, _):
        announced = head("POST", "/add", FORM, b"Content-Length: %d\r\n" % (MAX_BODY + 1))
        begun = head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n")
        begun += b"\r\n%x\r\n" % (MAX_BODY + 100) + b"a" * (MAX_BODY + 1)
        for sent in (announced + b"\r\n", announced + b"\r\nmess", begun):
            with held(url, sent, 1) as [connection]:
                said = wire.answer(connection)
                assert (said.status, said.json["status"]) == (413, "error")
                assert said.headers["Connection"] == "close"
        assert wire.get(url, "/count").json == {"count": 0}


def test_what_follows_a_body_that_is_too_long_is_read_for_a_moment_only(environment):
    with serving(environment, impatient("body.DISCARDING = 0.1")) as (url, _):
        sent = head("POST", "/add", FORM, b"Content-Length: %d\r\n" % (MAX_BODY + 1))
        with held(url, sent + b"\r\n", 1) as [connection]:
            assert wire.answer(connection).status == 413
            assert wire.at_the_end(connection) == b""


def test_a_header_that_does_not_come_ends_its_connection(environment):
    with serving(environment, impatient("serve.HEADER_MS = 100")) as (url, _):
        for half in ("nothing", "half a header"):
            with held(url, HALVES[half], 1) as [connection]:
                assert wire.at_the_end(connection) == b""


@pytest.fixture
def locked(environment):
    """A server whose writers all have to wait, and the lock that they wait for."""
    with serving(environment) as (url, _):
        where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
        with locks.writer(where, "testing"):
            yield url


def test_health_answers_while_every_thread_waits_for_the_writer_lock(locked):
    with held(locked, head("GET", "/add?message=x") + b"\r\n") as waiting:
        assert soon(locked, "/health").status == 200
        for one in waiting:
            one.close()


def test_health_answers_while_it_is_asked_by_all_at_once(environment):
    asked = head("GET", "/health") + b"\r\n"
    with serving(environment) as (url, _), held(url, asked * 20) as flood:
        assert soon(url, "/health").status == 200
        for one in flood:
            assert {wire.answer(one).status for _ in range(1)} == {200}


def test_more_than_can_wait_are_told_to_come_again(environment):
    """Each is told at once, although nobody is answered for as long as the lock is held."""
    environment = {**environment, "PRA_THREADS": "1"}
    with serving(environment, impatient("gateway.WAITING = 2")) as (url, _):
        where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
        with locks.writer(where, "testing"), held(url, b"", 3) as first:
            for one in first:
                one.sendall(head("GET", "/add?message=x") + b"\r\n")
            said = wire.get(url, "/add?message=x")
            while said.status != 503:
                said = wire.get(url, "/add?message=x")
            assert said.headers["Retry-After"] == "1"
            assert said.json["status"] == "error"
            assert wire.get(url, "/health").status == 200
