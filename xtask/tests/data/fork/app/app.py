"""The application of a work that is marked in tests: small, and right."""

import contextlib
import datetime
import pathlib
import sqlite3
import time

from flask import Flask, request

DATABASE = "/data/app.db"
BACKUPS = pathlib.Path("/backup")

app = Flask(__name__)


@contextlib.contextmanager
def database():
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS events"
        " (id INTEGER PRIMARY KEY AUTOINCREMENT, ts TEXT NOT NULL, message TEXT NOT NULL)"
    )
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def rows():
    with database() as connection:
        return connection.execute("SELECT count(*) FROM events").fetchone()[0]


@app.get("/")
def home():
    return {"status": "Bonjour tout le monde !"}


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/add")
def add():
    message = request.args.get("message", "")
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    with database() as connection:
        connection.execute("INSERT INTO events (ts, message) VALUES (?, ?)", (now, message))
    return {"status": "added", "timestamp": now, "message": message}


@app.get("/count")
def count():
    return {"count": rows()}


@app.get("/consultation")
def consultation():
    with database() as connection:
        found = connection.execute(
            "SELECT id, ts, message FROM events ORDER BY id DESC LIMIT 50"
        ).fetchall()
    return [{"id": one, "timestamp": ts, "message": message} for one, ts, message in found]


def taken(backup):
    """When a copy was taken: its name says it, whatever became of the file since."""
    return int(backup.stem.removeprefix("app-"))


@app.get("/status")
def status():
    newest = max(BACKUPS.glob("app-*.db"), key=taken, default=None)
    return {
        "count": rows(),
        "last_backup_file": newest.name if newest else None,
        "backup_age_seconds": int(time.time() - taken(newest)) if newest else None,
    }
