"""The HTTP routes. Every answer is JSON, errors too; but for the page at /, and /metrics."""

from flask import Flask, Response, jsonify, request

from pra.base.errors import NeedsRestore, PraError
from pra.events.interface import Events
from pra.web import common, idempotency, metrics
from pra.web.counting import Requests
from pra.web.message import message_of
from pra.web.origin import refuse_unasked
from pra.web.page import Page, or_back

#: How many events one answer lists.
LISTED = 50
#: Largest request body, in bytes: the longest message, percent-encoded, and some room.
MAX_BODY = 16 << 10


def create_app(events: Events, requests: Requests | None = None) -> Flask:
    """Build the WSGI application.

    Args:
        requests: counts them, and is told at /metrics with all else; None: there is no such route.
    """
    app = Flask("pra", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    names = common.Names(events.places)
    common.apply(app, names, requests.refused if requests else lambda path, error: None)
    _routes(app, events, names)
    if requests:
        _metrics(app, events, requests)
        requests.know(rule.rule for rule in app.url_map.iter_rules())
    return app


def tasks(events: Events) -> tuple[str, ...]:
    """The paths whose views wait for nothing but where the events pause."""
    return ("/add",) if events.add_pauses else ()


def _routes(app: Flask, events: Events, names: common.Names) -> None:
    page = Page()

    @app.get("/")
    def hello():
        return page.or_json(app, request, {"status": "Bonjour tout le monde !"})

    @app.get("/health")
    def health():
        missing = _needs_restore(events)
        answer = {"status": "ok", "needs_restore": missing}
        unrestored = events.unrestored() if missing else None
        return names.told({**answer, "auto_restore": unrestored} if unrestored else answer)

    @app.get("/ready")
    def ready():
        events.ready()
        return {"status": "ok"}

    @app.route("/add", methods=["GET", "POST"])
    def add():
        refuse_unasked(request)
        key = idempotency.key_of(request)
        answer = idempotency.answer(events.add(message_of(request), key), key)
        return or_back(request, *answer)

    common.refuse_head(app, "add")

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
        return names.told(events.status())


def _metrics(app: Flask, events: Events, requests: Requests) -> None:
    exposition = metrics.Exposition(events, requests)

    @app.get(metrics.PATH)
    def told():
        body, kind = exposition.answer(request.headers.get("Accept", ""))
        return Response(body, content_type=kind)


def _needs_restore(events: Events) -> bool | None:
    """Whether the database is missing; None where that cannot be told, and /status says why."""
    try:
        return events.needs_restore()
    except (PraError, OSError):
        return None
