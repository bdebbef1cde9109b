"""Requests that share a thread: they begin one after the other, wait together, and end in turn."""

import threading

import pytest
from helpers import journaled, rows, until
from together import messages

from pra.base import tasks
from pra.base.errors import Locked
from pra.disk import locks
from pra.web.threads import TOGETHER, Threads


class Log(list):
    """What happened, for any number of threads; with the thread in which it did."""

    def note(self, what):
        self.append((what, threading.current_thread().name))

    def said(self):
        return [what for what, _ in self]

    def threads(self):
        return {thread for _, thread in self}


def pausing(log, name, last=None):
    """A task that pauses once between its beginning and its end."""

    def work():
        log.note(f"{name} begins")
        tasks.pause()
        log.note(f"{name} ends")
        if last:
            last.release()

    return work


@pytest.fixture
def held():
    """One thread, held until told, so that what it is given meanwhile waits together."""
    threads, free, ended = Threads("test", 1), threading.Event(), threading.Semaphore(0)
    threads.give(free.wait)
    yield threads, free, ended
    free.set()


def test_a_pause_outside_of_a_task_returns():
    tasks.pause()


def test_tasks_that_wait_together_begin_before_any_of_them_goes_on(held):
    threads, free, ended = held
    log = Log()
    for name in "abc":
        threads.give_task(pausing(log, name, ended))
    free.set()
    for _ in "abc":
        assert ended.acquire(timeout=10)
    assert log.said() == [
        *("a begins", "b begins", "c begins"),
        *("a ends", "b ends", "c ends"),
    ]
    assert log.threads() == {"test-0"}


def test_a_task_that_fails_leaves_the_others_to_end(held, caplog):
    threads, free, ended = held
    log = Log()

    def early():
        raise ValueError("it fails before it pauses")

    def late():
        tasks.pause()
        raise SystemExit("it fails after it paused")

    for work in (early, pausing(log, "a", ended), late, pausing(log, "b", ended)):
        threads.give_task(work)
    free.set()
    assert ended.acquire(timeout=10) and ended.acquire(timeout=10)
    assert log.said() == ["a begins", "b begins", "a ends", "b ends"]
    until(lambda: len(caplog.records) == 2)
    threads.give(ended.release)
    assert ended.acquire(timeout=10), "the thread goes on"


def test_one_that_waits_long_holds_no_other_work_and_no_task_that_comes_later():
    threads, log, ended = Threads("test", 2), Log(), threading.Semaphore(0)
    begun, free = threading.Event(), threading.Event()

    def long():
        tasks.pause()
        begun.set()
        free.wait()

    threads.give_task(long)
    assert begun.wait(10)
    threads.give_task(pausing(log, "later", ended))
    assert ended.acquire(timeout=10)
    threads.give(ended.release)
    assert ended.acquire(timeout=10)
    free.set()


def test_other_work_never_keeps_tasks_from_their_turn(held):
    threads, free, ended = held
    log = Log()
    threads.give(lambda: log.note("work"))
    threads.give_task(pausing(log, "task", ended))
    free.set()
    assert ended.acquire(timeout=10)
    until(lambda: len(log) == 3)
    assert log.said() == ["task begins", "task ends", "work"]


def test_more_tasks_than_one_thread_takes_are_begun_by_others(held):
    threads, free, ended = held
    log = Log()
    for number in range(TOGETHER + 2):
        threads.give_task(pausing(log, f"{number}", ended))
    free.set()
    for _ in range(TOGETHER + 2):
        assert ended.acquire(timeout=10)
    first = log.said().index("0 ends")
    assert first == TOGETHER, "that many began before the first went on"


def test_of_free_threads_the_last_one_is_taken():
    threads, log = Threads("test", 4), Log()
    until(lambda: len(threads._free) == 4)
    for number in range(20):
        threads.give(lambda: log.note("work"))
        until(lambda number=number: len(log) == number + 1 and len(threads._free) == 4)
    assert len(log.threads()) == 1


def test_a_lane_runs_one_task_after_the_other():
    log, lane = Log(), tasks.Lane()
    for name in "ab":
        assert not lane.begin(pausing(log, name))
        assert lane.go_on()
    assert lane.begin(lambda: log.note("c"))
    assert log.said() == ["a begins", "a ends", "b begins", "b ends", "c"]


def test_writes_of_one_thread_share_a_transaction(where, events):
    events.add("before")
    numbers, added = len(journaled(where)), []
    lanes = [tasks.Lane() for _ in range(8)]
    for number, lane in enumerate(lanes):
        assert not lane.begin(lambda n=number: added.append(events.add(f"{n}")))
    assert messages(where) == ["before"], "each lets the others come"
    assert all(lane.go_on() for lane in lanes)
    assert [one["id"] for one in added] == list(range(2, 10))
    assert len(journaled(where)) == numbers + 1
    assert len(rows(where)) == 9


def test_writes_of_one_thread_give_up_within_the_time_of_one(where, events, monkeypatch):
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.2)
    errors = []

    def add():
        try:
            events.add("too late")
        except Locked as error:
            errors.append(error)

    with locks.writer(where, "holding them up"):
        lanes = [tasks.Lane() for _ in range(8)]
        assert not any(lane.begin(add) for lane in lanes)
        assert all(lane.go_on() for lane in lanes)
    assert len(errors) == 8
    assert events.add("goes on")["id"] == 1
