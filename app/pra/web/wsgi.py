"""One request of the server, as the application is called with it (PEP 3333)."""

import io
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from pra.web import answers
from pra.web.answers import Answer, Headers

Environ = dict[str, Any]
Application = Callable[[Environ, Callable], Iterable[bytes]]

#: What has a name of its own in an environ, or is the server's business: a body
#: arrives here whole, however it was sent.
_NOT_AS_HEADER = ("content-type", "content-length", "transfer-encoding")
#: Header names and what they are called in an environ, as far as they were met.
_names: dict[str, str] = {}
_KNOWN_NAMES = 256


def environ_of(scope, body: bytes) -> Environ:
    """The environ of a request.

    The server hands a path over decoded, with U+FFFD for bytes that are no UTF-8, and
    leaves a header's value out that is not visible ASCII: it is empty here, not absent,
    so that nobody takes the request for one without that header. Of several values of one
    header only the first tells that it was left out.

    Args:
        scope: the request, as RSGI describes it.
        body: the whole of it.
    """
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # As PEP 3333 wants it: the bytes, each as one character.
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": "HTTP/1.0" if scope.http_version == "1" else "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _address(scope.server)
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = _address(scope.client)
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    _add_headers(environ, scope.headers)
    return environ


def _add_headers(environ: Environ, headers) -> None:
    for name, value in headers.items():
        key = _names.get(name)
        if key is None:
            key = _name(name)
        if key in environ:
            between = "; " if name == "cookie" else ", "
            environ[key] += between + value
        elif key:
            environ[key] = value
    for name in headers:
        if not headers[name] and (key := _name(name)):
            others = environ.get(key)
            environ[key] = f", {others}" if others else ""


def _name(header: str) -> str:
    """What a header is called in an environ; empty if it must not be there.

    One with an underscore would pass for another one with a dash.
    """
    if header == "content-type":
        key = "CONTENT_TYPE"
    elif header in _NOT_AS_HEADER or "_" in header:
        key = ""
    else:
        key = "HTTP_" + header.upper().replace("-", "_")
    # Clients choose the names: what is remembered of them has an end.
    if len(_names) < _KNOWN_NAMES:
        _names[header] = key
    return key


def _address(text: str) -> tuple[str, str]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port


def answer(application: Application, scope, body: bytes, method: str | None = None) -> Answer:
    """The application's answer; where it fails, the log says how, and the answer that it did.

    Args:
        scope, body: the request.
        method: another method than the request's.
    """
    try:
        environ = environ_of(scope, body)
        if method:
            environ["REQUEST_METHOD"] = method
        return _called(application, environ)
    except Exception:
        logging.getLogger("pra").exception("the application failed")
        return answers.failed()


def _called(application: Application, environ: Environ) -> Answer:
    started: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status, headers, exc_info=None):
        # Nothing has been sent, so that a later call may take back an earlier one.
        if started and exc_info is None:
            raise AssertionError("the answer was started twice")
        started[:] = [(status, headers)]
        return written.append

    parts = application(environ, start_response)
    try:
        written.extend(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[0]
    code = int(status[:3])
    if not 200 <= code <= 599:
        # The server would abort.
        raise AssertionError(f"{status} is no answer")
    return Answer(code, headers, b"".join(written))
