"""A fresh pair of volumes for each test, and a real server where one is needed."""

import contextlib
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from unittest import mock

import pytest

from pra.base import settings
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.state import volumes
from pra.web.routes import create_app

APP = Path(__file__).resolve().parent.parent


@pytest.fixture
def environment(tmp_path):
    """The environment of a pod, its volumes being two empty folders."""
    for name in ("data", "backup"):
        (tmp_path / name).mkdir()
    return {
        "PRA_DATA_DIR": str(tmp_path / "data"),
        "PRA_BACKUP_DIR": str(tmp_path / "backup"),
        "PRA_JOURNAL": "required",
        "HOST": "127.0.0.1",
        "PORT": "0",
    }


@pytest.fixture
def config(environment):
    """The settings of that environment, before the first start."""
    return settings.load(environment)


@pytest.fixture
def where(config):
    """The paths on the two volumes, initialised."""
    layout = config.layout
    volumes.ensure_initialised(layout)
    return layout


@pytest.fixture
def events(config, where):
    """The application's events on initialised volumes."""
    return SqliteEvents(config)


@pytest.fixture
def client(config, where):
    """An HTTP client without a server."""
    return create_app(SqliteEvents(config)).test_client()


@pytest.fixture(autouse=True)
def _no_hook_left():
    yield
    files.hook = None


@pytest.fixture
def unsynced():
    """Nothing waits for a disk: what is tried is no matter of durability."""
    with mock.patch.multiple(
        files,
        sync_data=lambda fd: None,
        fsync=lambda fd: None,
        fsync_directory=lambda path: None,
        begin_writing_out=lambda *part: None,
    ):
        yield


def pra(environment, *arguments, **options):
    """Run ``python -m pra`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pra", *arguments],
        cwd=APP,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@contextlib.contextmanager
def serving(environment, how=("-m", "pra", "serve")):
    """A real server on a free port, started by Python ``how``; yields (base URL, process)."""
    process = subprocess.Popen(
        [sys.executable, *how],
        cwd=APP,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            found = re.search(r"Listening at: (http://\S+)", line)
            if found:
                break
        else:
            raise AssertionError("the server did not start:\n" + "".join(lines))
        # The socket listens already: a request waits until a worker takes it.
        urllib.request.urlopen(found[1] + "/health", timeout=60).close()
        yield found[1], process
    finally:
        process.terminate()
        process.stderr.read()
        process.wait(timeout=60)
        process.stderr.close()
