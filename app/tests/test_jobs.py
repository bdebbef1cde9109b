"""What a job did is known after its pod is gone, however that ended."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import helpers
import pytest
from conftest import APP, pra
from told import Told

from pra.base.errors import Locked, NoRoom, Refused, UsageError
from pra.disk import fairlock, files
from pra.protect import backup
from pra.state import jobs, volumes

#: Begins a run, says so, and waits to be killed.
HANGING = """
import sys, time
from pra.base import settings
from pra.state import jobs
with jobs.recorded(settings.load().layout, "backup"):
    print("began", flush=True)
    sys.stdin.read()
"""


def runs(where, job):
    """How often a job ended in which way."""
    return jobs.seen(where).of(job).runs


def ending(where, error, job="prune"):
    """Run a job that ends by an error."""
    with pytest.raises(type(error)), jobs.recorded(where, job):
        raise error


@pytest.fixture
def hanging(environment, where):
    """A run that is under way, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        cwd=APP,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "began\n"
    yield process
    process.kill()
    process.communicate()


def test_verbs_are_recorded_with_their_outcome(environment, config, where, events, tmp_path):
    helpers.add(events, 3)
    assert pra(environment, "backup").returncode == 0
    assert pra(environment, "restore", "latest").returncode == 0
    assert pra(environment, "restore", "--plan").returncode == 0
    assert pra(environment, "restore", "app-1.db").returncode == 2
    assert pra(environment, "prune", "--dry-run").returncode == 0
    with open(tmp_path / "copy.tar", "wb") as copy:
        done = subprocess.run(
            [sys.executable, "-m", "pra", "export"],
            cwd=APP,
            env={**os.environ, **environment},
            stdout=copy,
            check=False,
        )
    assert done.returncode == 0
    assert runs(where, "backup") == {"ok": 1}
    assert runs(where, "restore") == {"ok": 1, "wrong_use": 1}
    assert runs(where, "prune") == {}
    assert runs(where, "export") == {"ok": 1}
    now = Told(config).now()
    assert now["pra_job_runs_total", "ok", "backup"] == 1
    assert now["pra_job_runs_total", "died", "backup"] == 0
    assert now["pra_restores_total", "ok"] == now["pra_restores_total", "wrong_use"] == 1
    assert 0 < now["pra_restore_last_duration_seconds",] < 60
    assert now["pra_job_running", "restore"] == 0


def test_a_backup_that_is_suspect_is_one_that_ended_so(environment, config, where, events):
    helpers.add(events, 20)
    backup.run(config)
    events._database.write("deleting", lambda conn: conn.execute("DELETE FROM events"))
    done = pra(environment, "backup", "--json")
    assert json.loads(done.stdout)["status"] == "quarantined"
    assert runs(where, "backup") == {"quarantined": 1}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("a", "b", "c"), "refused"),
        (UsageError("a", "b", "c"), "wrong_use"),
        (Locked("a", "b", "c"), "timeout"),
        (NoRoom("a", "b", "c"), "no_room"),
        (OSError(errno.ENOSPC, "full"), "no_room"),
        (OSError(errno.EIO, "broken"), "failed"),
        (ValueError("a fault of our own"), "failed"),
    ],
)
def test_each_error_has_its_outcome(where, unsynced, error, outcome):
    ending(where, error)
    assert runs(where, "prune") == {outcome: 1}


def test_a_full_disk_is_recorded(where, unsynced):
    jobs.prepare(where)

    def full(phase, operation, arguments):
        if phase == "before" and operation in ("open_new", "make_directory", "write_once"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.hook = full
    ending(where, OSError(errno.ENOSPC, "full"), "backup")
    files.hook = None
    assert runs(where, "backup") == {"no_room": 1}


def test_a_run_that_is_under_way_is_told_and_one_that_was_killed_counts(where, config, hanging):
    told = Told(config)
    assert told.one("pra_job_running", "backup") == 1
    assert told.one("pra_job_runs_total", "died", "backup") == 0
    hanging.send_signal(signal.SIGKILL)
    hanging.wait()
    # Nobody has come since, and it is known.
    assert told.one("pra_job_running", "backup") == 0
    assert told.one("pra_job_runs_total", "died", "backup") == 1
    with jobs.recorded(where, "backup"):
        # The next one wrote that down: the same number, and not one more.
        assert runs(where, "backup") == {"died": 1}
    assert runs(where, "backup") == {"died": 1, "ok": 1}
    assert told.one("pra_job_runs_total", "died", "backup") == 1
    assert os.listdir(where.jobs) == ["record"]


def test_a_run_that_is_alive_is_not_counted_by_the_next_one(where, hanging):
    with jobs.recorded(where, "backup"):
        pass
    assert runs(where, "backup") == {"ok": 1}
    assert [one.job for one in jobs.seen(where).running] == ["backup"]
    hanging.communicate("")
    assert runs(where, "backup") == {"ok": 2}
    assert jobs.seen(where).running == []


def test_runs_that_end_at_once_are_all_counted(where, unsynced):
    def run():
        for _ in range(5):
            with jobs.recorded(where, "prune"):
                pass

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs(where, "prune") == {"ok": 20}
    assert os.listdir(where.jobs) == ["record"]


def test_cut_off_at_any_step_the_record_is_whole(where, unsynced):
    with jobs.recorded(where, "prune"):
        pass
    steps = []
    files.hook = lambda phase, operation, _: steps.append((phase, operation))
    with jobs.recorded(where, "prune"):
        pass
    files.hook = None
    assert len(steps) > 10
    ended = 2
    for at in range(len(steps)):
        count = 0

        def stop(phase, operation, arguments, at=at):
            nonlocal count
            count += 1
            if count == at + 1:
                raise helpers.Crash

        files.hook = stop
        try:
            with jobs.recorded(where, "prune"):
                pass
        except helpers.Crash:
            pass
        finally:
            files.hook = None
        found = runs(where, "prune")
        # It counts once at most, and nothing that was counted is lost.
        assert sum(found.values()) - ended in (0, 1), (at, steps[at])
        ended = sum(found.values())


def test_a_half_that_was_being_written_is_left_for_the_other(where, unsynced):
    for _ in range(3):
        with jobs.recorded(where, "prune"):
            pass
    number = jobs.seen(where).number
    with open(where.job_record, "r+b") as file:
        file.seek(number % 2 * jobs.HALF + 20)
        file.write(b"torn")
    assert jobs.seen(where).number == number - 1
    with jobs.recorded(where, "prune"):
        pass
    assert runs(where, "prune")["ok"] >= 3


def test_another_that_holds_the_record_stops_no_job(where, unsynced, monkeypatch, capsys):
    jobs.prepare(where)
    monkeypatch.setattr(jobs, "_WAIT", 0.05)
    lock = fairlock.FairLock(f"{where.locks}/jobs")
    lock.acquire("holding it", 1)
    try:
        with jobs.recorded(where, "prune"):
            pass
    finally:
        lock.close()
    assert "this run is not in the record of jobs" in capsys.readouterr().err


def test_a_volume_without_a_mark_is_not_written_to(config):
    where = config.layout
    ending(where, Refused("a", "b", "c"))
    assert os.listdir(where.backup) == []


def test_a_record_that_is_no_file_fails_its_collector_alone(where, config):
    files.make_directory(where.jobs)
    os.mkdir(where.job_record)
    assert Told(config).failed() == {"jobs"}


def test_a_restore_is_followed_once_a_backup_made_a_point(where, config, events):
    helpers.add(events, 3)
    backup.run(config)
    told = Told(config)
    assert told.one("pra_restore_last_timestamp_seconds") is None
    assert told.one("pra_restore_followed_by_point") is None
    helpers.bring(config)
    assert told.one("pra_restore_followed_by_point") == 0
    assert told.one("pra_restore_last_timestamp_seconds") > 0
    backup.run(config)
    assert told.one("pra_restore_followed_by_point") == 1


def test_a_point_that_a_restore_makes_itself_follows_nothing(where, config, events):
    helpers.add(events, 3)
    made = backup.run(config)
    helpers.bring(config, made.name)
    assert Told(config).one("pra_restore_followed_by_point") == 0


def test_a_start_that_makes_a_base_is_a_backup(where, config, events, monkeypatch):
    from pra.events import start
    from pra.protect import new_base

    helpers.add(events, 2)
    monkeypatch.setattr(new_base, "needed", lambda where: True)
    start.prepare(config)
    assert runs(where, "backup") == {"ok": 1}
    assert volumes.current(where) is not None
