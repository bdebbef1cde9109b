"""Every answer: JSON, a right status, nothing that is kept, no path of the server."""

import json
import os

import pytest

from pra.base.errors import OutcomeUnknown, StorageError
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.web.common import Names

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
FOUND = ("/", "/health", "/ready", "/add", "/count", "/consultation", "/status")
NOT_FOUND = ("/none", "/add/", "/x//add")


@pytest.mark.parametrize("path", FOUND + NOT_FOUND)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_every_path_answers_in_json(client, method, path):
    answer = client.open(method=method, environ_overrides={"PATH_INFO": path})
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if method != "HEAD":
        json.loads(answer.data)
    if path in NOT_FOUND:
        assert answer.status_code == 404
    elif method in METHODS[3:] or (method == "POST" and path != "/add"):
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]
        assert method not in answer.headers["Allow"]
    else:
        assert answer.status_code == {"/add": 405 if method == "HEAD" else 400}.get(path, 200)


def test_a_bug_is_a_500_in_json_that_says_nothing_of_it(client, monkeypatch):
    def broken(*_):
        raise KeyError("/secret/path")

    monkeypatch.setattr(SqliteEvents, "count", broken)
    answer = client.get("/count")
    assert (answer.status_code, answer.get_json()["error"]) == (500, "unexpected error")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/srv/a is gone", "pra-data is gone"),
        ("ln -s g2/app.db /srv/a/app.db; or", "ln -s g2/app.db pra-data/app.db; or"),
        ("(/srv/a/b/x.json)", "(pra-backup/x.json)"),
        ("no folder (/srv/a).", "no folder (pra-data)."),
        ("see /srv/a.", "see pra-data."),
        ("/srv/ab/c and /srv/a.b/c", "…/c and …/c"),
        ("'/usr/lib/python3/x.so' fails", "'…/x.so' fails"),
        ("GET /consultation, or / and g1/app.db", "GET /consultation, or / and g1/app.db"),
        ("http://127.0.0.1:8080/status", "http://127.0.0.1:8080/status"),
        (["/srv/a", {"x": "/srv/a"}, 7, None], ["pra-data", {"x": "pra-data"}, 7, None]),
    ],
)
def test_folders_have_the_names_that_clients_know(said, told):
    assert Names({"/srv/a": "pra-data", "/srv/a/b": "pra-backup"}).told(said) == told


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        (StorageError("a", "b", "c"), "5"),
        (OutcomeUnknown("a", "b", "c"), None),
    ],
)
def test_what_passes_is_a_503_that_says_when(client, monkeypatch, error, retry):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(SqliteEvents, "add", fail)
    answer = client.post("/add", data={"message": "x"})
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, retry)


def test_an_error_names_the_volume_and_no_folder(client, where):
    def fail(phase, operation, arguments):
        if phase == "before" and operation == "open_lock":
            raise OSError(5, os.strerror(5), f"{where.backup}/.pra/locks/writer")

    files.hook = fail
    said = client.post("/add", data={"message": "x"}).get_json()
    assert "(pra-backup/.pra/locks/writer)" in said["error"]
