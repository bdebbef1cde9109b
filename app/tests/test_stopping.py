"""How the server ends: at once, or when the time is over that was announced."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from conftest import serving

from pra.web import serve

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
    assert 0 < serve.announced() <= 2
    os.utime(notice, (0, time.time() - 1.5))
    assert 0 < serve.announced() <= 0.5
    os.utime(notice, (0, time.time() - 60))
    assert serve.announced() == 0


def test_a_clock_that_was_set_back_makes_it_no_longer(notice):
    notice.write_text("2\n")
    os.utime(notice, (0, time.time() + 3600))
    assert serve.announced() == 2


@pytest.mark.parametrize("text", [None, "", "soon", "-1"])
def test_without_an_announcement_it_ends_at_once(notice, text):
    if text is not None:
        notice.write_text(text)
    assert serve.announced() == 0
