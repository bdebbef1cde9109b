"""What is answered, and the answers that the server gives without the application."""

import json
from collections.abc import Coroutine, Sequence
from typing import NamedTuple

Headers = list[tuple[str, str]]

#: On every answer. Nothing here is to be kept by anybody, taken for another type, or read
#: by a page of another site.
HEADERS: Headers = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_JSON = [("Content-Type", "application/json"), *HEADERS]
#: After a request whose end was not waited for, nothing else can follow on its connection.
_LAST = ("Connection", "close")


class Answer(NamedTuple):
    """One answer.

    Attributes:
        status: the code, such as 200.
        headers: names and values.
        body: all of it.
    """

    status: int
    headers: Headers
    body: bytes


class Refused(Exception):
    """A request that does not reach the application.

    Attributes:
        answer: to it.
        afterwards: what is still to be done once that is sent; None: nothing.
    """

    def __init__(self, answer: Answer, afterwards: Coroutine | None = None):
        super().__init__(answer.status)
        self.answer, self.afterwards = answer, afterwards


def _error(status: int, error: str, following: str, *headers: tuple[str, str]) -> Answer:
    body = {"status": "error", "error": error, "next": following}
    return Answer(status, [*_JSON, *headers], json.dumps(body).encode() + b"\n")


def failed() -> Answer:
    """The application failed in a way that it does not know itself."""
    return _error(500, "unexpected error", "see the log")


def cut() -> Answer:
    """A body ended before it was whole."""
    return _error(400, "the request's body is not whole", "send all of it", _LAST)


def too_late(seconds: float) -> Answer:
    """A body did not come in time."""
    return _error(
        408, f"the request's body did not come within {seconds:g} s", "send it again", _LAST
    )


def too_large(limit: int) -> Answer:
    """A body is longer than any that is accepted."""
    return _error(
        413, f"the request's body is longer than {limit} bytes", "shorten the message", _LAST
    )


def no_target() -> Answer:
    """What is asked for is no path."""
    return _error(400, "the request's target is no path", "begin it with a slash", _LAST)


def no_host() -> Answer:
    """A request does not say, once and legibly, whom it is for."""
    return _error(400, "the request has no Host, or more than one", "send one", _LAST)


def no_method(method: str) -> Answer:
    """A method that nobody knows."""
    return _error(501, f"there is no method {method}", "write it in capitals", _LAST)


def no_coding() -> Answer:
    """A body is coded in a way that is not taken back."""
    return _error(
        501, "the request's Transfer-Encoding is not just chunked", "send the body as it is", _LAST
    )


def nothing_but(paths: Sequence[str]) -> Answer:
    """A port answers some paths alone."""
    return _error(404, "there is nothing else on this port", f"ask for {' or '.join(paths)}")


def busy() -> Answer:
    """More requests wait for an answer than can be given one soon."""
    return _error(503, "too many requests are waiting", "try again", ("Retry-After", "1"))
