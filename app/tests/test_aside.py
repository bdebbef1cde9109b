"""Folders for a while: what was decrypted into one does not stay, however that ends."""

import fcntl
import os
import signal
import subprocess
import sys

from conftest import APP
from offsite_helpers import pushed

from pra.disk import aside
from pra.events.sqlite import SqliteEvents

_HOLDS = """
import sys
from pra.disk import aside
with aside.folder("pra-test-", sys.argv[1]) as made:
    print(made, flush=True)
    sys.stdin.read()
"""


def holding(folder):
    """A process that has a folder open, and that folder."""
    command = [sys.executable, "-c", _HOLDS, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=APP, text=True, **pipes)
    return process, process.stdout.readline().strip()


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path):
    killed, left = holding(tmp_path)
    killed.kill()
    killed.wait()
    assert os.path.isdir(left)
    running, used = holding(tmp_path)
    with aside.folder("pra-test-", str(tmp_path)) as made:
        assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, (used, made)))
    running.communicate("")
    assert os.listdir(tmp_path) == []


def test_folders_of_others_stay(tmp_path, monkeypatch):
    """Those of other machines on the same disk, whose locks are not seen, and of other versions."""
    (tmp_path / "pra-test-earlier").mkdir()
    (tmp_path / "pra-test-elsewhere-aside-1").mkdir()
    monkeypatch.setattr("pra.disk.aside._machine", lambda: "here")
    with aside.folder("pra-test-", str(tmp_path)):
        pass
    assert sorted(os.listdir(tmp_path)) == ["pra-test-earlier", "pra-test-elsewhere-aside-1"]


def test_one_that_is_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, seen = fcntl.flock, []

    def removed_first(fd, how):
        if not seen:
            seen.extend(os.listdir(tmp_path))
            os.rmdir(tmp_path / seen[0])
        lock(fd, how)

    monkeypatch.setattr("fcntl.flock", removed_first)
    with aside.folder("pra-test-", str(tmp_path)) as made:
        assert os.listdir(tmp_path) == [os.path.basename(made)] != seen


def test_where_nothing_can_be_listed_a_folder_is_made_all_the_same(tmp_path, monkeypatch):
    def refused(_):
        raise PermissionError

    monkeypatch.setattr("os.scandir", refused)
    with aside.folder("pra-test-", str(tmp_path)) as made:
        assert os.path.isdir(made)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == [], "and it is gone again"


def test_what_is_fetched_goes_when_that_is_ended(copied, added, keys, tmp_path):
    for _ in range(4):
        # More than a pipe holds: nobody reads it, so that the fetch is ended in the middle.
        SqliteEvents(copied).add(os.urandom(32_000).hex())
    pushed(copied)
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        **os.environ,
        "PRA_DATA_DIR": copied.data_dir,
        "PRA_BACKUP_DIR": copied.backup_dir,
        "PRA_OFFSITE": copied.offsite.folder,
    }
    words = ["offsite", "fetch", "--identity", keys.file, "--work", str(work)]
    command = [sys.executable, "-m", "pra", *words]
    process = subprocess.Popen(command, cwd=APP, env=environment, stdout=subprocess.PIPE)
    # Its first byte is there, and more than the pipe holds is still to come.
    assert process.stdout.read(1)
    assert os.listdir(work)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert os.listdir(work) == []
