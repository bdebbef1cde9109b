"""The HTTP routes. Every answer is JSON, errors too."""

from urllib.parse import parse_qsl

from flask import Flask, Request, jsonify, request
from werkzeug.exceptions import HTTPException

from pra.base.errors import NeedsRestore, PraError, UsageError, from_os_error
from pra.base.settings import Settings
from pra.web.events import Events

#: Largest request body, in bytes: the longest message, percent-encoded, and some room.
MAX_BODY = 16 << 10


def create_app(settings: Settings) -> Flask:
    """Build the WSGI application. It opens no database before the first request."""
    app = Flask("pra", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = False
    app.json.sort_keys = False
    events = Events(settings)
    _routes(app, events)
    _error_answers(app)
    return app


def _routes(app: Flask, events: Events) -> None:
    @app.get("/")
    def hello():
        return {"status": "Bonjour tout le monde !"}

    @app.get("/health")
    def health():
        return {"status": "ok", "needs_restore": events.needs_restore()}

    @app.route("/add", methods=["GET", "POST"])
    def add():
        return {"status": "added", **events.add(message_of(request))}

    @app.get("/count")
    def count():
        try:
            return {"count": events.count()}
        except NeedsRestore:
            return {"count": 0, "needs_restore": True}

    @app.get("/consultation")
    def consultation():
        try:
            return jsonify(events.newest())
        except NeedsRestore:
            answer = jsonify([])
            answer.headers["X-Needs-Restore"] = "true"
            return answer

    @app.get("/status")
    def status():
        return events.status()


def message_of(incoming: Request) -> str:
    """The message of a request: from the query, a form, or a JSON object.

    Raises:
        UsageError: there is none, or it is not UTF-8.
    """
    doing = "adding an event"
    if incoming.is_json:
        body = incoming.get_json(silent=True)
        found = body.get("message") if isinstance(body, dict) else None
    else:
        # Not incoming.args: it replaces what is not UTF-8 instead of refusing it.
        found = _fields(incoming).get("message")
    if not isinstance(found, str):
        raise UsageError(doing, "there is no message", "give one: /add?message=hello")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise UsageError(doing, "the message is not Unicode text", "send UTF-8") from None
    return found


def _fields(incoming: Request) -> dict[str, str]:
    raw = incoming.query_string
    if incoming.method == "POST" and incoming.mimetype == "application/x-www-form-urlencoded":
        raw += b"&" + incoming.get_data(cache=False)
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise UsageError(
            "adding an event", "the message is not UTF-8", "percent-encode its UTF-8 bytes"
        ) from None
    return dict(pairs)


def _error_answers(app: Flask) -> None:
    @app.errorhandler(PraError)
    def expected(error: PraError):
        body = {"status": "error", "error": str(error), "next": error.next_step}
        if isinstance(error, NeedsRestore):
            body["needs_restore"] = True
        answer = jsonify(body)
        if error.retry_after is not None:
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer, error.http_status

    @app.errorhandler(OSError)
    def system(error: OSError):
        return expected(from_os_error(f"answering {request.path}", error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException):
        answer = jsonify({"status": "error", "error": error.description, "next": "GET /"})
        if "Allow" in (headers := dict(error.get_headers())):
            answer.headers["Allow"] = headers["Allow"]
        return answer, 400 if error.code == 413 else error.code

    @app.errorhandler(Exception)
    def unexpected(error: Exception):
        app.logger.exception("unexpected error")
        return jsonify({"status": "error", "error": "unexpected error", "next": "see the log"}), 500
