"""What all answers have in common: JSON with the right status, errors too, and headers."""

import re
from collections.abc import Callable, Mapping

from flask import Flask, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from pra.base.errors import NeedsRestore, OutcomeUnknown, PraError, from_os_error
from pra.web.answers import HEADERS

#: Characters that command a terminal, turn the direction of a line or cannot be encoded.
#: JSON may have them as they are, but also as an escape, which stays the same text.
_ACTING = re.compile(
    "[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
#: A path from the root, of at least two parts: no route of ours has as many.
_PATH = re.compile(r"(?<![\w/.:-])/[^\s'\"(),;/]+(?:/[^\s'\"(),;/]+)+")


class Json(DefaultJSONProvider):
    """JSON that can be shown on any terminal; fields in the order in which they are said."""

    ensure_ascii = False
    sort_keys = False

    def dumps(self, obj, **options) -> str:
        """As JSON text."""
        return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", super().dumps(obj, **options))


class Names:
    """Says folders of the server by the names that clients know, and nothing else of its files."""

    def __init__(self, places: Mapping[str, str]):
        """``places``: absolute folders, each with its name for clients."""
        self._places = {folder: name for folder, name in places.items() if folder != "/"}
        # The longest first: one may lie in another.
        folders = "|".join(re.escape(one) for one in sorted(self._places, key=len, reverse=True))
        self._folders = re.compile(rf"(?<![\w/.-])(?:{folders})(?=/|$|[^\w.-]|\.(?:\s|$))")

    def told(self, said):
        """What is said, with every text in it told by those names."""
        if isinstance(said, dict):
            return {key: self.told(value) for key, value in said.items()}
        if isinstance(said, list):
            return [self.told(value) for value in said]
        return self._text(said) if isinstance(said, str) else said

    def _text(self, text: str) -> str:
        if self._places:
            text = self._folders.sub(lambda found: self._places[found[0]], text)
        return _PATH.sub(lambda found: "…/" + found[0].rpartition("/")[2], text)


def apply(app: Flask, names: Names, refused: Callable[[str, PraError], None]) -> None:
    """Give an application the errors and the headers that all of its answers share.

    Args:
        refused: told each time that a request is, with its path and why.
    """
    app.json = Json(app)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # It would lead to an address on the client's own Host.
    app.url_map.merge_slashes = False

    app.wsgi_app = _with_headers(app.wsgi_app)
    _errors(app, names, refused)


def _with_headers(application: Callable) -> Callable:
    """Put the headers on every answer where it leaves; in Flask they would cost ten times that."""

    def answer(environ, start_response):
        def start(status, headers, *more):
            return start_response(status, headers + HEADERS, *more)

        return application(environ, start)

    return answer


def refuse_head(app: Flask, endpoint: str) -> None:
    """Take HEAD from a route that writes on GET: who asks for a head wants nothing done."""
    for rule in app.url_map.iter_rules(endpoint):
        rule.methods.discard("HEAD")


def _errors(app: Flask, names: Names, refused: Callable[[str, PraError], None]) -> None:
    @app.errorhandler(PraError)
    def expected(error: PraError):
        refused(request.path, error)
        body = {"status": "error", "error": str(error), "next": error.next_step}
        if isinstance(error, NeedsRestore):
            body["needs_restore"] = True
        if isinstance(error, OutcomeUnknown):
            body["outcome"] = "unknown"
        answer = jsonify(names.told(body))
        if error.http_status == 503 and error.retry_after is not None:
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer, error.http_status

    @app.errorhandler(OSError)
    def system(error: OSError):
        return expected(from_os_error(f"answering {request.path}", error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException):
        allow = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        routes = ", ".join(sorted({rule.rule for rule in app.url_map.iter_rules()}))
        following = f"use {allow}" if allow else f"there are {routes}"
        if error.code == 413:
            following = f"send {app.config['MAX_CONTENT_LENGTH']} bytes at most"
        answer = jsonify({"status": "error", "error": error.description, "next": following})
        if allow:
            answer.headers["Allow"] = allow
        return answer, error.code

    @app.errorhandler(Exception)
    def unexpected(error: Exception):
        app.logger.exception("unexpected error")
        return jsonify({"status": "error", "error": "unexpected error", "next": "see the log"}), 500
