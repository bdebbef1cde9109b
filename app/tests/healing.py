"""Starts on a data volume that may be lost, and what is said where it is not restored."""

import os

from pra.base import sealing
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.web.routes import create_app


def started(config):
    """The events of a server that started, and did all that it does before its first request."""
    events = SqliteEvents(start.prepare(config), serving=True)
    if events.lost():
        events.bring_back()
    return events


def refused(config, caplog):
    """Why a start restores nothing, as the log, /status and /health have it."""
    caplog.clear()
    events = started(config)
    assert not os.path.lexists(config.layout.link)
    client = create_app(events).test_client()
    status, health = client.get("/status").get_json(), client.get("/health").get_json()
    told = health["auto_restore"]
    assert {**status["auto_restore"], "done": None} == {**told, "done": None}
    assert {"what": told["what"], "next": told["next"]} in status["notices"]
    assert told["next"]
    (line,) = [one.getMessage() for one in caplog.records if "is not restored" in one.getMessage()]
    assert "; next: " in line
    assert client.get("/ready").status_code == 200
    return told


def note(where, seen):
    """Leave this as what the last backup saw of the data volume."""
    noted = {"kind": "pra-data-volume", "format": 1, **seen._asdict()}
    files.write_replacing(where.data_volume, sealing.seal(noted))
