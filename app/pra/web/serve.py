"""Serving the application with gunicorn."""

import contextlib
import json
import logging
import os
import sys
import tempfile
import time

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

from pra.base.settings import Settings
from pra.events import choice
from pra.events.interface import Events

#: Longest request line, in bytes; gunicorn has no higher limit than this.
MAX_REQUEST_LINE = 8190
#: How long a worker may take for its last requests once it was asked to stop, in seconds.
GRACE = 7


class Worker(ThreadWorker):
    """gunicorn's threaded worker, with errors below HTTP answered in JSON too."""

    def handle_error(self, req, client, addr, exc):
        """Answer a request that could not even be parsed."""
        if not isinstance(exc, LimitRequestLine):
            super().handle_error(req, client, addr, exc)
            return
        body = json.dumps(
            {
                "status": "error",
                "error": f"adding an event: the request is longer than {MAX_REQUEST_LINE} bytes",
                "next": "shorten the message, or POST it",
            }
        ).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        client.sendall(head.encode() + body)


class _AllEnded(Exception):
    """The last worker has ended while the master was waiting for that."""


def announced() -> float:
    """Seconds until the end of the time that a stop was announced to take; else 0.

    The command before the stop (preStop in k8s/20-deployment.yaml) writes down
    how long new connections may still come, and then waits as long. Deleted by
    force, a pod gets its SIGTERM after one second of that.
    """
    path = os.path.join(tempfile.gettempdir(), "stopping")
    try:
        with open(path) as file:
            seconds = float(file.read())
            passed = time.time() - os.fstat(file.fileno()).st_mtime
    except (OSError, ValueError):
        return 0.0
    # A clock that was set back must not make it longer.
    return max(0.0, seconds - max(0.0, passed))


class Master(Arbiter):
    """gunicorn's master, which ends together with its last worker.

    On its own it looks every 0.1 s whether they have ended, and once more
    afterwards: time that every restart would add to the RTO.
    """

    _stopping = False

    def handle_term(self):
        """Asked to stop: answer until the end of what was announced, then do."""
        time.sleep(announced())
        super().handle_term()

    def stop(self, graceful=True):
        """Stop the workers and return as soon as they are gone."""
        self._stopping = True
        with contextlib.suppress(_AllEnded):
            super().stop(graceful)

    def signal_chld(self, sig, frame):
        """A worker has ended: while stopping, cut the wait short."""
        super().signal_chld(sig, frame)
        if self._stopping:
            self.reap_workers()
            if not self.WORKERS:
                raise _AllEnded


def _leave_at_once(_server, worker) -> None:
    """End a worker that was asked to stop and has answered its last request.

    Taking the interpreter apart would cost each of them tens of milliseconds,
    and its database connections need no good-bye: they have committed. One
    that ends for another reason keeps the exit code that says why.
    """
    if worker.alive or not worker.booted:
        return
    sys.stderr.flush()
    os._exit(0)


class Server(BaseApplication):
    """gunicorn, configured from our settings instead of its command line."""

    def __init__(self, settings: Settings, events: Events):
        self._settings, self._events = settings, events
        super().__init__()

    def load_config(self):
        """Tell gunicorn what our settings mean to it."""
        options = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "worker_class": Worker,
            # Imported once, before the fork. Nothing is opened then.
            "preload_app": True,
            # Each connection one request: load is spread per connection, and a
            # stop never cuts one that is idle.
            "keepalive": 0,
            "limit_request_line": MAX_REQUEST_LINE,
            "graceful_timeout": GRACE,
            "timeout": 60,
            "worker_tmp_dir": "/tmp",
            "control_socket_disable": True,
            "worker_exit": _leave_at_once,
            "proc_name": "pra",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def run(self):
        """Serve until asked to stop."""
        Master(self).run()

    def load(self):
        """Build the WSGI application."""
        from pra.web.routes import create_app

        return create_app(self._events)


def run(settings: Settings) -> int:
    """Serve until asked to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    Server(settings, choice.ready_to_serve(settings)).run()
    return 0
