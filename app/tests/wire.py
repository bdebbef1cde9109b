"""HTTP as it is on the wire: what no client library would send, and what comes back to it."""

import http.client
import io
import json
import socket
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
#: How long a test waits for an answer at most, in seconds.
PATIENCE = 30


class Said(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        """The body."""
        return json.loads(self.body)


def connect(url: str) -> socket.socket:
    """A connection to a server."""
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE)


def answer(connection: socket.socket, method: str = "GET") -> Said:
    """The next answer on a connection."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Said(response.status, response.headers, response.read())


def ask(url: str, sent: bytes) -> Said:
    """The answer to something sent on a connection of its own."""
    with connect(url) as connection:
        connection.sendall(sent)
        return answer(connection)


def get(url: str, path: str) -> Said:
    """The answer to a plain request, on a connection of its own."""
    return ask(url, head("GET", path) + b"\r\n")


def head(method: str, path: str, *lines: bytes) -> bytes:
    """The header of a request, up to the empty line."""
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\n".encode() + b"".join(lines)


def at_the_end(connection: socket.socket) -> bytes:
    """What still comes on a connection until the server closes it."""
    out = io.BytesIO()
    while piece := connection.recv(65536):
        out.write(piece)
    return out.getvalue()


def asked(url, message=None):
    """What a program gets of the server."""
    data = None if message is None else json.dumps({"message": message}).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return json.loads(answer.read())
