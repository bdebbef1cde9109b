"""How an answer waits for the disks: both of them, side by side, and nobody for another's."""

import contextlib
import math
import os
import threading

import pytest
from helpers import add, bring, lose_data, rows, sync_fails

from faults.steps import observe, stop
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.journal import durability, segments


def test_without_another_thread_the_disks_are_waited_for_one_after_the_other(events, monkeypatch):
    # No sync was slow yet, so there is no thread.
    monkeypatch.setattr(durability, "_SLOW", math.inf)
    add(events, 1)
    monkeypatch.setattr(durability, "_SLOW", 0.0)
    add(events, 1)

    def no_more(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        assert events.add("acknowledged")["id"] == 3
    # What could not be begun then is not done now: the system tells once of what failed,
    # and nobody would hear it.
    with sync_fails(".seg") as steps:
        assert events.add("the next")["id"] == 4
    written, failed, again, synced = steps
    assert failed == synced == "sync"
    assert b"the next" in written and b"the next" in again


def test_threads_that_wait_together_each_ask_the_system_themselves(events):
    """It tells of a write that failed once for each opening of a file."""
    add(events, 1)
    asked = []

    def hook(phase, operation, arguments):
        if phase != "before" or operation != "sync_data":
            return
        if os.readlink(f"/proc/self/fd/{arguments[0]}").endswith(".seg"):
            asked.append(arguments[0])
            if len(asked) == 1:
                other = threading.Thread(target=events.add, args=("beside it",))
                other.start()
                other.join()

    files.hook = hook
    events.add("waits for the disks")
    assert len(set(asked)) == 2


def test_slow_disks_are_waited_for_side_by_side(events, monkeypatch):
    monkeypatch.setattr(durability, "_SLOW", 0.0)
    add(events, 1)
    begun, together = threading.Event(), []

    def hook(phase, operation, arguments):
        if phase != "before" or operation != "sync_data":
            return
        if os.readlink(f"/proc/self/fd/{arguments[0]}").endswith(".seg"):
            begun.set()
        else:
            together.append(begun.wait(timeout=10))

    files.hook = hook
    add(events, 1)
    assert together == [True]


def test_a_fast_disk_has_both_files_to_write_before_either_is_waited_for(events, monkeypatch):
    monkeypatch.setattr(durability, "_SLOW", 3600.0)
    add(events, 1)
    steps = []

    def note(step, fd):
        steps.append((step, os.readlink(f"/proc/self/fd/{fd}").rpartition("-")[2][-3:]))

    monkeypatch.setattr(files, "begin_writing_out", lambda fd: note("begin", fd))
    monkeypatch.setattr(files, "sync_data", lambda fd: note("sync", fd))
    add(events, 1)
    # The order that the simulated loss of power is about: the log first.
    assert steps == [("begin", "seg"), ("sync", "wal"), ("sync", "seg")]


def test_nobody_waits_for_the_disks_of_another(config, where, events):
    """Between the COMMIT and the answer, where one sync serves many."""
    add(events, 1)
    other, first, done = SqliteEvents(config), ["this one"], []
    other.add("opens what it needs")

    def hook(phase, operation, arguments):
        if phase == "before" and operation == "sync_data":
            with contextlib.suppress(IndexError):
                first.pop()
                done.append(other.add("beside it"))

    files.hook = hook
    events.add("waits for the disks")
    assert [row[2] for row in rows(where)][-2:] == ["waits for the disks", "beside it"]
    assert len(done) == 1
    lose_data(where)
    bring(config)
    assert len(rows(where)) == 4


def test_the_database_is_synced_before_a_segment_is_left(where, events, monkeypatch):
    """So that what it lacks after a loss of power is in the last segment."""
    monkeypatch.setattr(segments, "SIZE", 2048)
    steps = []

    def hook(phase, operation, arguments):
        if phase == "before" and operation == "sync_data":
            steps.append(os.readlink(f"/proc/self/fd/{arguments[0]}").rpartition(".")[2])
        if phase == "before" and operation == "link_new":
            steps.append("next segment")

    add(events, 1)
    files.hook = hook
    with pytest.MonkeyPatch.context() as patch:
        # What the answers wait for is not looked at here.
        patch.setattr(durability, "sync", lambda *_: [None, None])
        while "next segment" not in steps:
            add(events, 1)
    assert steps == ["db-wal", "seg", "next segment"]


def test_what_is_acknowledged_was_synced_on_both_volumes(config, where, events):
    add(events, 1)
    steps = []

    def observer(phase, operation, arguments):
        what = arguments[0] if arguments else ""
        if operation == "sync_data":
            what = os.readlink(f"/proc/self/fd/{what}")
        if phase == "after" and operation in ("sync_data", "xWrite", "xSync"):
            steps.append((operation, str(what).rpartition(".")[2]))

    vfs = observe(observer)
    try:
        SqliteEvents(config).add("acknowledged")
    finally:
        stop(vfs)
    written = max(at for at, step in enumerate(steps) if step == ("xWrite", "db-wal"))
    assert ("sync_data", "db-wal") in steps[written:]
    assert ("sync_data", "seg") in steps[written:]
