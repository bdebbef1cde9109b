"""A real server: what it makes of requests, of wrong ones, and of more than it can answer."""

import socket
from urllib.parse import urlsplit

import pytest
import wire
from conftest import APP, pra, serving
from wire import FORM, head

from pra.base.errors import UsageError
from pra.web import listening, serve
from pra.web.routes import MAX_BODY


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A server for the tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("served")
    with serving(volumes_in(folder)) as (url, _):
        yield url


def volumes_in(folder):
    """The environment of a server with volumes in a folder."""
    for name in ("data", "backup"):
        (folder / name).mkdir()
    return {
        "PRA_DATA_DIR": str(folder / "data"),
        "PRA_BACKUP_DIR": str(folder / "backup"),
        "PRA_JOURNAL": "required",
        "HOST": "127.0.0.1",
        "PORT": "0",
    }


def count(url):
    return wire.get(url, "/count").json["count"]


def test_one_connection_carries_many_requests(url):
    with wire.connect(url) as connection:
        before = count(url)
        for number in range(200):
            connection.sendall(head("GET", f"/add?message={number}") + b"\r\n")
            said = wire.answer(connection)
            assert (said.status, said.json["message"]) == (200, str(number))
            assert "Connection" not in said.headers
        assert count(url) == before + 200


def test_requests_sent_at_once_are_answered_in_their_order(url):
    with wire.connect(url) as connection:
        paths = [f"/add?message=p{number}" for number in range(20)]
        last = head("GET", "/count", b"Connection: close\r\n") + b"\r\n"
        connection.sendall(b"".join(head("GET", path) + b"\r\n" for path in paths) + last)
        sent = wire.at_the_end(connection).decode()
    assert [sent.index(f'"p{number}"') for number in range(20)] == sorted(
        sent.index(f'"p{number}"') for number in range(20)
    )


def test_a_large_answer_arrives_whole(url):
    for _ in range(50):
        message = "%01" * 4096
        wire.get(url, "/add?message=" + message)
    listed = wire.get(url, "/consultation")
    assert len(listed.body) > 1_000_000
    assert {len(one["message"]) for one in listed.json} == {4096}


@pytest.mark.parametrize(
    "sent",
    [
        head("POST", "/add", FORM, b"Content-Length: 9\r\n") + b"\r\nmessage=z",
        head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n")
        + b"\r\n4\r\nmess\r\n5\r\nage=z\r\n0\r\n\r\n",
        head("POST", "/add", FORM, b"Content-Length: 9\r\n", b"Expect: 100-continue\r\n")
        + b"\r\nmessage=z",
        b"POST /add HTTP/1.0\r\nContent-Length: 9\r\n" + FORM + b"\r\nmessage=z",
    ],
    ids=["length", "chunked", "expect", "1.0"],
)
def test_a_body_is_read_however_it_is_sent(url, sent):
    assert wire.ask(url, sent).json["message"] == "z"


@pytest.mark.parametrize(
    "sent",
    [
        head("POST", "/add", FORM, b"Content-Length: 100\r\n") + b"\r\nmessage=cut",
        head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n") + b"\r\nb\r\nmessage=cut\r\n",
    ],
    ids=["length", "chunked"],
)
def test_a_client_that_goes_away_in_its_body_writes_nothing(url, sent):
    before = count(url)
    with wire.connect(url) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        # It may be told why, or not: nobody is sure to listen.
        wire.at_the_end(connection)
    assert count(url) == before


@pytest.mark.parametrize(
    "end",
    # The second one has a trailer, which cannot be told from an error.
    [b"no number\r\n", b"0\r\nX-A: b\r\n\r\n"],
    ids=["broken", "trailer"],
)
def test_a_chunked_body_that_is_not_whole_for_certain_writes_nothing(url, end):
    before = count(url)
    sent = head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n")
    said = wire.ask(url, sent + b"\r\nb\r\nmessage=cut\r\n" + end)
    assert (said.status, said.json["status"]) == (400, "error")
    assert said.headers["Connection"] == "close"
    assert count(url) == before


@pytest.mark.parametrize("size", [MAX_BODY + 1, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused_in_json(url, size, chunked):
    content = b"message=" + b"a" * (size - 8)
    if chunked:
        sent = head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n") + b"\r\n"
        sent += b"%x\r\n%b\r\n0\r\n\r\n" % (size, content)
    else:
        sent = head("POST", "/add", FORM, b"Content-Length: %d\r\n" % size) + b"\r\n" + content
    said = wire.ask(url, sent)
    assert (said.status, said.json["status"]) == (413, "error")


def test_a_body_that_is_too_long_is_not_asked_for(url):
    lines = b"Content-Length: %d\r\n" % (MAX_BODY + 1), b"Expect: 100-continue\r\n"
    with wire.connect(url) as connection:
        connection.sendall(head("POST", "/add", FORM, *lines) + b"\r\n")
        assert wire.at_the_end(connection).startswith(b"HTTP/1.1 413 ")


def test_the_longest_message_fits_percent_encoded_and_a_longer_one_is_told(url):
    assert wire.get(url, "/add?message=" + "%61" * 4096).status == 200
    said = wire.get(url, "/add?message=" + "a" * 20_000)
    assert (said.status, said.json["status"]) == (413, "error")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01 no HTTP\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n no: header\r\n\r\n", 400),
        (head("POST", "/add", b"Content-Length: 1\r\n", b"Content-Length: 2\r\n") + b"\r\n", 400),
        (head("POST", "/add", b"Content-Length: -1\r\n") + b"\r\n", 400),
        (head("GET", "/", *[b"X-A: b\r\n"] * 200) + b"\r\n", 431),
        (head("GET", "/", b"X-A: " + b"a" * 2 * serve.MAX_HEADER + b"\r\n") + b"\r\n", 431),
        (head("GET", "/?" + "a" * 2 * serve.MAX_HEADER) + b"\r\n", 431),
    ],
)
def test_what_is_no_request_gets_the_status_without_a_body(url, sent, status):
    """The server's own answers, before there is a request for the application."""
    said = wire.ask(url, sent)
    assert (said.status, said.body) == (status, b"")
    assert said.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("GET", "/%ff%fe") + b"\r\n", 404),
        (head("GET", "/%00/../etc") + b"\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET http://elsewhere/health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a b\r\nX-Caf\xc3\xa9: x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: \xff\xfe\r\nReferer: \xe9\r\n\r\n", 200),
        (head("GET", "/count", b"X-A: b\r\n" * 60) + b"\r\n", 200),
        (b"BLAH /count HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /count HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 200),
    ],
)
def test_odd_requests_get_a_status_of_their_own_and_never_500(url, sent, status):
    assert wire.ask(url, sent).status == status
    assert wire.get(url, "/health").status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET count HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /add//?message=x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 404),
        (b"GET /add/?message=x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 404),
        (b"get /add?message=x HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"Post /add?message=x HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"GET /add?message=x HTTP/1.1\r\n\r\n", 400),
        (b"GET /add?message=x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /add?message=x HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (
            head("POST", "/add", FORM, b"Transfer-Encoding: gzip, chunked\r\n")
            + b"\r\n9\r\nmessage=z\r\n0\r\n\r\n",
            501,
        ),
    ],
)
def test_what_another_server_may_take_otherwise_is_refused_in_json(url, sent, status):
    before = count(url)
    said = wire.ask(url, sent)
    assert (said.status, said.json["status"]) == (status, "error")
    assert "Location" not in said.headers
    assert count(url) == before


def test_a_head_request_gets_the_headers_alone(url):
    for path in ("/health", "/count"):
        with wire.connect(url) as connection:
            connection.sendall(head("HEAD", path, b"Connection: close\r\n") + b"\r\n")
            sent = wire.at_the_end(connection)
        assert sent.startswith(b"HTTP/1.1 200 ")
        assert sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Origin: http://\xc3\xa9vil\r\n", 403),
        (b"Referer: http://\xc3\xa9vil/\r\n", 403),
        (b"Origin: http://\xc3\xa9vil\r\nReferer: http://here/\r\n", 403),
        (b"Sec-Fetch-Site: \xe9\r\nSec-Fetch-Site: same-origin\r\n", 403),
        (b"Idempotency-Key: \xe9\r\n", 400),
        (b"Idempotency-Key: \xe9\r\nIdempotency-Key: k\r\n", 400),
    ],
)
def test_a_header_that_cannot_be_read_is_not_taken_for_none(url, lines, status):
    before = count(url)
    said = wire.ask(url, head("GET", "/add?message=x", lines) + b"\r\n")
    assert (said.status, said.json["status"]) == (status, "error")
    assert count(url) == before


#: An application that says what it was given, behind the same server.
_ECHO = f"""
import json, sys, types
sys.path.insert(0, {str(APP)!r})
from pra.web import routes, serve
from pra.base import settings
from pra.events import choice

def echo(environ, start_response):
    if environ["PATH_INFO"] == "/fail":
        raise RuntimeError("out of order")
    if environ["PATH_INFO"] == "/odd":
        start_response("42 Odd", [])
        return [b""]
    given = {{k: v for k, v in environ.items() if isinstance(v, (str, bool, int))}}
    given["body"] = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Two", "1"), ("X-Two", "2")])
    return [json.dumps(given).encode()]

class Nothing:
    def lost(self):
        return False

choice.ready_to_serve = lambda settings: Nothing()
routes.tasks = lambda events: ()
routes.create_app = lambda events, requests: echo
serve.run(settings.load())
"""


@pytest.fixture
def echo(environment):
    """A server of that application."""
    with serving(environment, ("-c", _ECHO)) as (url, process):
        yield url, process


def test_an_application_is_called_as_wsgi_has_it(echo):
    url, _ = echo
    sent = head(
        "PUT",
        "/caf%C3%A9/%2F?q=%C3%A9&r",
        b"X-Two: a\r\nX-Two: b\r\nCookie: c=1\r\nCookie: d=2\r\n",
        b"X_Two: hidden\r\nX-Bad: \xff\r\nContent-Type: text/x\r\nContent-Length: 2\r\n",
    )
    said = wire.ask(url, sent + b"\r\nhi")
    given = said.json
    assert said.headers.get_all("X-Two") == ["1", "2"]
    assert given["REQUEST_METHOD"] == "PUT"
    # Its bytes, each as one character.
    assert given["PATH_INFO"].encode("latin-1").decode() == "/café//"
    assert given["QUERY_STRING"] == "q=%C3%A9&r"
    assert given["HTTP_X_TWO"] == "a, b"
    assert given["HTTP_COOKIE"] == "c=1; d=2"
    assert given["HTTP_X_BAD"] == ""
    assert (given["CONTENT_TYPE"], given["CONTENT_LENGTH"], given["body"]) == ("text/x", "2", "hi")
    assert "HTTP_CONTENT_LENGTH" not in given
    assert given["HTTP_HOST"] == "here"
    assert given["REMOTE_ADDR"] == given["SERVER_NAME"] == "127.0.0.1"
    assert url.endswith(":" + given["SERVER_PORT"])
    assert given["REMOTE_PORT"].isdigit()
    assert given["SERVER_PROTOCOL"] == "HTTP/1.1"


@pytest.mark.parametrize("path", ["/fail", "/odd"])
def test_an_application_that_fails_is_said_and_logged(environment, path):
    with serving(environment, ("-c", _ECHO)) as (url, process):
        said = wire.get(url, path)
        assert (said.status, said.json["status"]) == (500, "error")
        assert wire.get(url, "/").status == 200
        process.terminate()
        log = process.stderr.read()
    assert "Traceback" in log
    assert "RuntimeError: out of order" in log or "42 Odd is no answer" in log
    assert "experimental" not in log


def test_a_port_that_is_in_use_is_said(environment):
    with serving(environment) as (url, _):
        port = url.rpartition(":")[2]
        second = pra({**environment, "PORT": port}, "serve")
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
    assert "set PORT to another" in second.stderr


def test_a_port_is_reserved_for_one_although_nobody_listens_yet():
    with listening.reserve("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            listening.reserve("127.0.0.1", port)


def test_a_port_is_free_again_though_connections_of_it_have_just_ended(environment):
    with serving(environment) as (url, _):
        # Who closes first is left with the connection.
        wire.ask(url, head("GET", "/count", b"Connection: close\r\n") + b"\r\n")
    address = urlsplit(url).hostname, urlsplit(url).port
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(address)
    with listening.reserve(*address), pytest.raises(UsageError):
        listening.reserve(*address)


def test_two_replicas_start_at_once_and_share_the_database(environment):
    with serving(environment) as (one, _), serving(environment) as (two, _):
        identifiers = [wire.get(url, "/add?message=x").json["id"] for url in (one, two) * 10]
        assert identifiers == list(range(1, 21))
        assert wire.get(one, "/count").json == {"count": 20}
