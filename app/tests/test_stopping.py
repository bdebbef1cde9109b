"""How the server ends: at once, or when the time is over that was announced."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import wire
import yaml
from conftest import python, serving
from wire import FORM, head

from pra.base.layout import Layout
from pra.disk import locks
from pra.web import stopping

DEPLOYMENT = Path(__file__).resolve().parents[2] / "k8s" / "20-deployment.yaml"


@pytest.fixture
def notice(tmp_path, monkeypatch):
    """Where a stop is announced."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "stopping"


def before_stop():
    """The command that Kubernetes runs in the pod before it stops it."""
    pod = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return container["lifecycle"]["preStop"]["exec"]["command"]


def answers_until_it_refuses(url):
    """How often it answered, and when it did not."""
    answered = 0
    with contextlib.suppress(OSError):
        while True:
            urllib.request.urlopen(url + "/health", timeout=20).close()
            answered += 1
    return answered, time.time()


def with_grace(seconds):
    """How to start a server that gives what is under way as long."""
    return (
        "-c",
        f"from pra.commands import cli; from pra.web import serve; serve.GRACE = {seconds};"
        " cli.main(['serve'])",
    )


#: More patience with what does not end by itself than any test has.
PATIENT = with_grace(3600)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_connections_do_not_delay_a_stop(environment, number):
    with (
        serving(environment, PATIENT) as (url, process),
        wire.connect(url),
        wire.connect(url) as idle,
    ):
        idle.sendall(head("GET", "/count") + b"\r\n")
        assert wire.answer(idle).status == 200
        process.send_signal(number)
        assert process.wait(timeout=60) == 0


def test_a_request_that_is_under_way_is_answered_and_its_connection_closed(environment):
    where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
    with serving(environment, PATIENT) as (url, process), wire.connect(url) as client:
        with locks.writer(where, "testing"):
            client.sendall(head("GET", "/add?message=x") + b"\r\n")
            while wire.get(url, "/count").json["count"]:
                pass
            process.send_signal(signal.SIGTERM)
            refused(url)
        said = wire.answer(client)
        assert (said.status, said.json["id"]) == (200, 1)
        assert said.headers["Connection"] == "close"
        assert process.wait(timeout=60) == 0


def refused(url):
    """Wait until no connection is accepted any more."""
    with contextlib.suppress(ConnectionError):
        while True:
            wire.connect(url).close()


@pytest.mark.parametrize("half", [b"G", b"GET /count HTTP/1.1\r\nHo"])
def test_a_connection_without_a_whole_header_does_not_delay_a_stop(environment, half):
    with serving(environment, PATIENT) as (url, process), wire.connect(url) as slow:
        slow.sendall(half)
        assert wire.get(url, "/count").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_client_that_never_reads_its_answers_does_not_delay_a_stop(environment):
    """Answers fill what the system keeps of them, and the server waits for room."""
    with serving(environment, PATIENT) as (url, process), socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect((urlsplit(url).hostname, urlsplit(url).port))
        deaf.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                deaf.sendall((head("GET", "/count") + b"\r\n") * 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_half_sent_bodies_delay_a_stop_by_no_more_than_its_grace(environment):
    half = head("POST", "/add", FORM, b"Content-Length: 100\r\n") + b"\r\nmessage="
    with serving(environment, with_grace(0.2)) as (url, process), contextlib.ExitStack() as all_:
        for _ in range(50):
            all_.enter_context(wire.connect(url)).sendall(half)
        assert wire.get(url, "/count").json == {"count": 0}
        process.send_signal(signal.SIGTERM)
        # The time limits of a header and a body are longer.
        began = time.monotonic()
        assert process.wait(timeout=60) == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("attempt", range(4))
def test_a_stop_is_heard_while_all_clients_go_away_at_once(environment, attempt):
    """So much wakes the event loop then that it would lose a signal that does as well."""
    half = head("POST", "/add", FORM, b"Transfer-Encoding: chunked\r\n") + b"\r\n9\r\nm"
    with serving(environment, PATIENT) as (url, process):
        with contextlib.ExitStack() as all_:
            for _ in range(500):
                all_.enter_context(wire.connect(url)).sendall(half)
            assert wire.get(url, "/count").json == {"count": 0}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_client_whose_answer_took_long_is_not_cut_at_its_next_request(environment):
    # A stop that lingers ends with the second signal.
    how = (
        "from pra.commands import cli; from pra.web import serve;"
        " serve.RECENT, serve.LINGER = 1.5, 3600; cli.main(['serve'])"
    )
    where = Layout(environment["PRA_DATA_DIR"], environment["PRA_BACKUP_DIR"])
    with serving(environment, ("-c", how)) as (url, process), wire.connect(url) as client:
        with locks.writer(where, "testing"):
            client.sendall(head("GET", "/add?message=x") + b"\r\n")
            # Longer than that, and less than a writer waits for its lock.
            time.sleep(1.8)
        said = wire.answer(client)
        assert (said.status, said.headers["Connection"]) == (200, None)
        process.send_signal(signal.SIGTERM)
        while wire.get(url, "/health").headers["Connection"] != "close":
            pass
        client.sendall(head("GET", "/count") + b"\r\n")
        said = wire.answer(client)
        assert (said.json, said.headers["Connection"]) == ({"count": 1}, "close")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


class Client(threading.Thread):
    """Writes on one connection as long as it may, and elsewhere when it is told to."""

    def __init__(self, urls):
        super().__init__(daemon=True)
        self.urls, self.moved, self.done = list(urls), threading.Event(), threading.Event()
        self.acknowledged, self.failure = [], None

    def run(self):
        """Write until told to end."""
        try:
            for url in self.urls:
                self._write(url)
                self.moved.set()
        except BaseException as failure:
            self.failure = failure
            self.moved.set()

    def _write(self, url):
        with wire.connect(url) as connection:
            while not self.done.is_set():
                connection.sendall(head("GET", "/add?message=x") + b"\r\n")
                said = wire.answer(connection)
                assert said.status == 200
                self.acknowledged.append(said.json["id"])
                if said.headers.get("Connection") == "close":
                    return


def test_no_request_of_busy_connections_is_cut_by_a_stop(environment):
    with serving(environment) as (one, process), serving(environment) as (two, _):
        clients = [Client((one, two)) for _ in range(8)]
        for client in clients:
            client.start()
        while min(len(client.acknowledged) for client in clients) < 20:
            assert not any(client.failure for client in clients)
        process.send_signal(signal.SIGTERM)
        for client in clients:
            assert client.moved.wait(wire.PATIENCE)
        assert process.wait(timeout=60) == 0
        for client in clients:
            client.done.set()
            client.join(wire.PATIENCE)
        assert [client.failure for client in clients] == [None] * 8
        written = sorted(number for client in clients for number in client.acknowledged)
        assert written == list(range(1, len(written) + 1))
        assert wire.get(two, "/count").json == {"count": len(written)}


def test_an_announced_stop_sends_clients_elsewhere_at_their_next_answer(environment, tmp_path):
    environment = {**environment, "TMPDIR": str(tmp_path)}
    with serving(environment) as (url, _), wire.connect(url) as client:
        client.sendall(head("GET", "/count") + b"\r\n")
        assert "Connection" not in wire.answer(client).headers
        (tmp_path / "stopping").write_text("60\n")
        client.sendall(head("GET", "/count") + b"\r\n")
        assert wire.answer(client).headers["Connection"] == "close"
        assert wire.at_the_end(client) == b""
        assert wire.get(url, "/health").headers["Connection"] == "close"
        # One that was announced to a container that is gone.
        os.utime(tmp_path / "stopping", (0, 0))
        assert "Connection" not in wire.get(url, "/count").headers


def test_a_second_signal_does_not_wait_for_what_was_announced(environment, tmp_path):
    environment = {**environment, "TMPDIR": str(tmp_path)}
    (tmp_path / "stopping").write_text("60\n")
    with serving(environment) as (url, process):
        process.send_signal(signal.SIGTERM)
        assert wire.get(url, "/count").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_third_signal_does_not_wait_for_what_is_under_way(environment, tmp_path):
    environment = {**environment, "TMPDIR": str(tmp_path)}
    with serving(environment, PATIENT) as (url, process), wire.connect(url) as slow:
        slow.sendall(head("POST", "/add", FORM, b"Content-Length: 9\r\n") + b"\r\nm")
        assert wire.get(url, "/count").status == 200
        process.send_signal(signal.SIGTERM)
        refused(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_server_that_ends_by_itself_is_a_failure(environment):
    how = (
        "from pra.commands import cli; from pra.web import serve\n"
        "async def serve_and_fail(self): raise RuntimeError('out of order')\n"
        "serve.Server.serve = serve_and_fail; cli.main(['serve'])"
    )
    process = python(environment, "-c", how)
    assert process.returncode == 1
    assert "the server ended by itself" in process.stderr
    assert "RuntimeError: out of order" in process.stderr
    assert "Listening at" not in process.stderr


def test_a_stop_that_comes_early_waits_for_what_was_announced(environment, tmp_path):
    """A deletion by force: the command before the stop is not waited for."""
    environment = {**environment, "TMPDIR": str(tmp_path)}
    notice = tmp_path / "stopping"
    with serving(environment) as (url, process):
        command = subprocess.Popen(before_stop(), env={**os.environ, **environment})
        while not (notice.exists() and notice.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        answered, refused = answers_until_it_refuses(url)
        assert answered > 0
        assert refused >= notice.stat().st_mtime + float(notice.read_text())
        assert process.wait(timeout=20) == 0
        assert command.wait(timeout=20) == 0


def test_the_command_before_the_stop_waits_as_long_as_it_announces(tmp_path):
    began = time.time()
    subprocess.run(before_stop(), env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    assert time.time() - began >= float((tmp_path / "stopping").read_text()) > 0


def test_what_was_announced_passes(notice):
    notice.write_text("2\n")
    assert 0 < stopping.announced() <= 2
    os.utime(notice, (0, time.time() - 1.5))
    assert 0 < stopping.announced() <= 0.5
    os.utime(notice, (0, time.time() - 60))
    assert stopping.announced() == 0


def test_a_clock_that_was_set_back_makes_it_no_longer(notice):
    notice.write_text("2\n")
    os.utime(notice, (0, time.time() + 3600))
    assert stopping.announced() == 2


@pytest.mark.parametrize("text", ["9999999", "1e308"])
def test_no_announcement_keeps_a_server_for_longer_than_a_minute(notice, text):
    notice.write_text(text)
    assert 0 < stopping.announced() <= 60
    os.utime(notice, (0, time.time() - 61))
    assert stopping.announced() == 0


def test_a_pipe_announces_nothing_and_is_not_waited_for(notice):
    os.mkfifo(notice)
    assert stopping.announced() == 0


@pytest.mark.parametrize("text", [None, "", "soon", "-1", "inf", "nan"])
def test_without_an_announcement_it_ends_at_once(notice, text):
    if text is not None:
        notice.write_text(text)
    assert stopping.announced() == 0
