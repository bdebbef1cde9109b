"""A server that starts on a lost data volume restores by itself, or says why it does not."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

import format_jobs
import format_notes
import pytest
from conftest import APP, pra, serving
from healing import refused, started
from helpers import as_rows, bring, crash_at, failing, lose_data, rows

from pra.base import settings
from pra.base.errors import DiskFull, Locked, Refused, Unknown
from pra.disk import files, locks
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.lineage import timelines
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import automatic, doubts, restore
from pra.state import attempts, volumes
from pra.web.routes import create_app


def test_all_that_was_acknowledged_is_back_before_anybody_is_served(healing, healer, lost):
    with serving(healing) as (url, process):
        assert "were restored by itself" in process.said
        assert urllib.request.urlopen(url + "/count").read() == b'{"count":5}\n'
        with urllib.request.urlopen(url + "/status") as answer:
            told = json.load(answer)["auto_restore"]
        with urllib.request.urlopen(url + "/add?message=after") as answer:
            assert json.load(answer)["id"] == 6
    # Until the next backup: what is lost twice in a row is looked at.
    assert told["state"] == "disarmed" and "no backup was made since timeline 2" in told["what"]
    assert (told["done"]["rows"], told["done"]["replayed"], told["done"]["generation"]) == (5, 2, 2)
    assert told["done"]["warnings"] == []
    where = healer.layout
    assert rows(where)[:5] == lost
    assert timelines.live(where).request.name == "automatic-1"
    assert format_notes.auto_restore(where.backup) is None


def test_it_is_off_unless_somebody_wants_it(healing, where, lost):
    without = {name: value for name, value in healing.items() if name != "PRA_AUTO_RESTORE"}
    for one in (without, {**without, "PRA_AUTO_RESTORE": "off"}):
        events = started(settings.load(one))
        assert events.needs_restore() and events.unrestored() is None
        assert events.status()["auto_restore"] is None
    assert os.listdir(where.data) == []


def test_of_two_that_start_at_once_one_restores_and_both_serve(healing, where, lost):
    with serving(healing) as (one, first), serving(healing) as (other, second):
        for url in (one, other):
            assert urllib.request.urlopen(url + "/count").read() == b'{"count":5}\n'
        assert sum("were restored by itself" in one.said for one in (first, second)) == 1
        assert not any("is not restored" in one.said for one in (first, second))
    threads, found = [], []
    lose_data(where)
    pra({**healing, "PRA_AUTO_RESTORE": "off"}, "restore", "latest")
    pra(healing, "backup")
    lose_data(where)
    healer = settings.load(healing)
    for _ in range(3):
        threads.append(threading.Thread(target=lambda: found.append(automatic.run(healer))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer is not None for answer in found) == 1
    assert rows(where) == lost


def test_what_another_server_did_while_one_looked_is_no_refusal(
    healer, where, lost, caplog, monkeypatch
):
    """The one that looks finds the volume filled, and it is not lost any more."""
    original = doubts.refuse

    def late(*arguments, **more):
        monkeypatch.setattr(doubts, "refuse", original)
        other.append(automatic.run(healer))
        return original(*arguments, **more)

    other = []
    monkeypatch.setattr(doubts, "refuse", late)
    assert automatic.run(healer) is None
    assert other[0]["rows"] == 5 and rows(where) == lost
    lose_data(where)
    bring(healer)
    backup.run(healer)
    lose_data(where)
    monkeypatch.setattr(doubts, "refuse", late)
    assert automatic.told(healer, automatic.Looked()).state == "disarmed"
    assert [one.getMessage() for one in caplog.records if "is not restored" in one.message] == []


def test_what_another_server_is_doing_while_one_looks_is_waited_for(
    healer, where, lost, caplog, monkeypatch
):
    original = doubts.refuse

    def late(*_):
        monkeypatch.setattr(doubts, "refuse", original)
        attempts.begin(where, timelines.live(where))
        raise Refused("looking", "the volume is half filled", "wait")

    monkeypatch.setattr(doubts, "refuse", late)
    assert automatic.run(healer)["rows"] == 5
    assert "is not restored" not in caplog.text and rows(where) == lost


def test_probes_say_that_it_works_and_may_not_be_asked_yet(healing, where, lost):
    """A restore may take longer than a liveness probe waits, and clients are not for it yet."""
    events = SqliteEvents(start.prepare(settings.load(healing)), serving=True)
    client = create_app(events).test_client()
    assert client.get("/health").status_code == 200
    asked = client.get("/ready")
    assert (asked.status_code, asked.get_json()["needs_restore"]) == (503, True)
    assert events.lost()
    events.bring_back()
    assert client.get("/ready").status_code == 200
    assert not events.lost()


def test_it_can_be_stopped_while_it_restores(healing, where, lost, tmp_path):
    """The lock is held by somebody: whoever asks it to stop does not wait for that."""
    with locks.maintenance(where, "testing"):
        process = subprocess.Popen(
            [sys.executable, "-m", "pra", "serve"],
            cwd=APP,
            env={**os.environ, **healing, "PRA_PROBE_PORT": "0"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert "Probes are answered at" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        process.stderr.close()


def test_a_volume_that_comes_back_late_is_refused_and_mixed_with_nothing(
    healer, where, added, caplog
):
    away = f"{where.data}.away"
    os.rename(where.data, away)
    os.mkdir(where.data)
    started(healer).add("on the new one")
    new = rows(where)
    os.rename(where.data, f"{where.data}.new")
    os.rename(away, where.data)
    events = started(healer)
    assert "restored by itself" in caplog.text
    with pytest.raises(Refused, match="the database is on timeline 1.*the live one is 2"):
        events.add("on the old one")
    assert rows(where) == as_rows(added)
    bring(healer)
    assert rows(where) == new


def test_a_volume_that_is_lost_twice_without_a_backup_is_looked_at(healer, where, lost, caplog):
    started(healer)
    lose_data(where)
    assert "no backup was made since timeline 2 began" in refused(healer, caplog)["what"]
    bring(healer)
    backup.run(healer)
    lose_data(where)
    started(healer)
    assert rows(where) == lost


def test_what_failed_is_tried_once_and_says_so_to_all_who_come_later(healer, where, lost, caplog):
    tries = []
    with failing("symlink", errno.EIO):
        told = refused(healer, caplog)
    assert told["state"] == "failed" and "Input/output error" in told["what"]
    noted = format_notes.auto_restore(where.backup)
    assert (noted["state"], noted["times"]) == ("failed", 1)
    files.hook = lambda phase, name, arguments: tries.append(name)
    again = refused(healer, caplog)
    files.hook = None
    assert "is not tried again" in again["what"] and "symlink" not in tries
    # What comes next is what it says; then all is as before.
    bring(healer)
    assert rows(where) == lost
    assert format_notes.auto_restore(where.backup) is None
    backup.run(healer)
    assert started(healer).status()["auto_restore"]["state"] == "armed"


def test_what_is_killed_is_begun_again_and_not_for_ever(healer, where, lost, caplog):
    for number in range(attempts.TIMES):
        with crash_at("symlink"):
            started(healer)
        assert format_notes.auto_restore(where.backup)["times"] == number + 1
    assert volumes.current(where) is None
    told = refused(healer, caplog)
    assert "begun 3 times" in told["what"]
    bring(healer)
    assert rows(where) == lost


def test_what_was_killed_is_finished_by_the_next_start(healer, where, lost):
    with crash_at("symlink"):
        started(healer)
    assert started(healer).count() == 5
    assert rows(where) == lost
    assert [name for name in os.listdir(where.data) if name.startswith(("g", "new"))] == ["g3"]


def test_what_a_person_begins_stays_theirs(healer, where, lost, caplog):
    """An attempt is killed, then the restore of somebody who wants another moment."""
    with crash_at("symlink"):
        started(healer)
    with crash_at("symlink"):
        bring(healer, catalogue.scan(where)[0].name)
    told = refused(healer, caplog)
    assert told["state"] == "refused" and "somebody began to restore" in told["what"]
    bring(healer, catalogue.scan(where)[0].name)
    assert len(rows(where)) == 3


@pytest.mark.parametrize("attempted", [False, True])
def test_a_persons_restore_that_fails_leaves_it_to_them(healer, where, lost, caplog, attempted):
    if attempted:
        with crash_at("symlink"):
            started(healer)
    with failing("symlink", errno.EIO), pytest.raises(OSError):
        bring(healer, catalogue.scan(where)[0].name)
    assert volumes.current(where) is None
    assert "somebody began to restore" in refused(healer, caplog)["what"]
    bring(healer)
    assert rows(where) == lost
    assert format_notes.auto_restore(where.backup) is None


def test_who_asks_for_what_is_not_there_takes_nothing_over(healer, where, lost):
    with crash_at("symlink"):
        started(healer)
    with pytest.raises(Unknown):
        bring(healer, "app-1.db")
    assert format_notes.auto_restore(where.backup)["times"] == 1
    started(healer)
    assert rows(where) == lost


def test_an_attempt_ends_with_its_loss(healer, where, added, caplog):
    """The volume comes back, backups go on, and later it is lost for good."""
    away = f"{where.data}.away"
    os.rename(where.data, away)
    os.mkdir(where.data)
    with failing("symlink", errno.EIO):
        assert refused(healer, caplog)["state"] == "failed"
    lose_data(where)
    os.rmdir(where.data)
    os.rename(away, where.data)
    events = started(healer)
    told = events.status()["auto_restore"]
    assert told["state"] == "disarmed" and "is not tried again" in told["what"]
    assert "would not be restored" in caplog.text
    events.add("6")
    backup.run(healer)
    assert events.status()["auto_restore"]["state"] == "armed"
    there = rows(where)
    events._database.pool.drop()
    lose_data(where)
    started(healer)
    assert rows(where) == there


@pytest.mark.parametrize("error", [DiskFull, Locked])
def test_what_passes_by_itself_is_tried_again_and_not_for_ever(
    healer, where, lost, caplog, monkeypatch, error
):
    original, tries = restore._run, []

    def hindered(*arguments):
        tries.append(1)
        raise error("restoring", "it is held, or full", "wait")

    monkeypatch.setattr(restore, "_run", hindered)
    for number in range(1, attempts.TIMES + 1):
        events = started(healer)
        assert "it is held, or full" in caplog.text
        assert format_notes.auto_restore(where.backup)["state"] == "begun"
        if number < attempts.TIMES:
            assert events.unrestored()["state"] == "next start"
    assert "or full each time" in refused(healer, caplog)["what"]
    assert len(tries) == attempts.TIMES
    monkeypatch.setattr(restore, "_run", original)
    bring(healer)
    assert rows(where) == lost


def test_it_is_being_restored_only_while_somebody_does(healer, where, lost):
    with crash_at("symlink"):
        started(healer)
    server = SqliteEvents(start.prepare(healer), serving=True)
    assert server.unrestored()["state"] == "next start"
    with locks.maintenance(where, "testing"):
        assert server.unrestored()["state"] == "restoring"


@pytest.mark.parametrize("mode", ["best-effort", "off"])
def test_who_would_not_be_restored_is_told_before_the_loss(healing, where, added, caplog, mode):
    events = started(settings.load({**healing, "PRA_JOURNAL": mode}))
    told = events.status()["auto_restore"]
    assert told["state"] == "disarmed" and f"with PRA_JOURNAL={mode}" in told["what"]
    assert "PRA_JOURNAL=required" in told["next"] and "would not be restored" in caplog.text
    assert events.unrestored()["what"] == told["what"]


def test_it_is_a_job_like_any_other_restore(healer, where, lost):
    started(healer)
    done, running = format_jobs.record(where.backup)
    assert done["restore"]["runs"] == {"ok": 1} and running == []
    backup.run(healer)
    lose_data(where)
    with failing("symlink", errno.EIO):
        started(healer)
    assert format_jobs.record(where.backup)[0]["restore"]["runs"] == {"ok": 1, "failed": 1}


def test_a_persons_restore_that_runs_is_waited_for(healer, where, lost):
    held, go = threading.Event(), threading.Event()
    original = restore._run

    def slow(work, force):
        held.set()
        go.wait(20)
        return original(work, force)

    found = []
    try:
        restore._run = slow
        person = threading.Thread(target=lambda: bring(healer))
        person.start()
        assert held.wait(20)
        restore._run = original
        server = threading.Thread(target=lambda: found.append(automatic.run(healer)))
        server.start()
        go.set()
        person.join()
        server.join()
    finally:
        restore._run = original
    assert found == [None]
    assert timelines.numbers(where) == [1, 2]
    assert timelines.live(where).request is None
    assert rows(where) == lost


def test_an_attempt_that_cannot_be_read_is_no_leave_to_try(healer, where, lost, caplog):
    with open(where.auto_restore, "w") as file:
        file.write("no attempt")
    assert "auto-restore.json is damaged" in refused(healer, caplog)["what"]
    bring(healer)
    assert rows(where) == lost


def test_an_unexpected_error_ends_no_server(healer, where, lost, caplog, monkeypatch):
    def broken(*_):
        raise ValueError("never thought of")

    monkeypatch.setattr(restore, "_swap", broken)
    told = refused(healer, caplog)
    assert told["state"] == "failed" and "ValueError: never thought of" in told["what"]
