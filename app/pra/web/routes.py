"""The HTTP routes. Every answer is JSON, errors too."""

from flask import Flask, jsonify, request
from werkzeug.exceptions import HTTPException

from pra.base.errors import NeedsRestore, PraError, from_os_error
from pra.events.interface import Events
from pra.web.message import message_of

#: How many events one answer lists.
LISTED = 50
#: Largest request body, in bytes: the longest message, percent-encoded, and some room.
MAX_BODY = 16 << 10


def create_app(events: Events) -> Flask:
    """Build the WSGI application."""
    app = Flask("pra", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = False
    app.json.sort_keys = False
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
            return jsonify(events.newest(LISTED))
        except NeedsRestore:
            answer = jsonify([])
            answer.headers["X-Needs-Restore"] = "true"
            return answer

    @app.get("/status")
    def status():
        return events.status()


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
