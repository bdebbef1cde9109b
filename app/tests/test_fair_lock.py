"""A fair lock: who waits, who acts, and what is left of a wait that ran out or was interrupted."""

import errno
import os
import signal
import threading

import pytest
from helpers import until

from pra.base.errors import Locked, Refused
from pra.disk import fairlock, locks, look


def waiting(lock):
    """Whether the thread of a lock waits for it, or acts."""
    return lock._waiter.begun and lock._waiter.using.locked()


def test_a_wait_that_ran_out_holds_nothing_afterwards_though_the_process_forked(where):
    """Its descriptor lives on in the child, and with it a lock that is not let go by name."""
    impatient = locks.writer_lock(where)
    with locks.writer(where, "holding it"):
        with pytest.raises(Locked):
            impatient.acquire("waiting", seconds=0.05)
        hold, release = os.pipe()
        child = os.fork()
        if not child:
            os.close(release)
            os.read(hold, 1)
            os._exit(0)
    try:
        until(lambda: not waiting(impatient))
        with locks.writer(where, "writing", seconds=1):
            pass
    finally:
        os.close(release)
        os.waitpid(child, 0)


def test_a_lock_that_came_while_nobody_wanted_it_is_asked_for_again(where):
    lock = locks.writer_lock(where)
    for _ in range(2):
        with locks.writer(where, "holding it"), pytest.raises(Locked):
            lock.acquire("waiting", seconds=0.02)
        with locks.writer(where, "meanwhile"):
            pass
        lock.acquire("waiting", seconds=5)
        lock.release()
    lock.close()


def test_a_lock_that_is_held_is_not_released_by_a_wait_that_ran_out_before(where, monkeypatch):
    """Its thread can come late: then the lock is there, and somebody else's."""
    lock, go_on = locks.writer_lock(where), threading.Event()
    serve = lock._waiter._serve

    def serve_late():
        go_on.wait(10)
        serve()

    monkeypatch.setattr(lock._waiter, "_serve", serve_late)
    with locks.writer(where, "holding it"), pytest.raises(Locked):
        lock.acquire("waiting", seconds=0.02)
    lock.acquire("again", seconds=0)
    go_on.set()
    until(lambda: lock._waiter._requests.empty() and not lock._waiter.using.locked())
    with pytest.raises(Locked), locks.writer(where, "beside it", seconds=0):
        pass
    lock.release()
    with locks.writer(where, "afterwards", seconds=0):
        pass
    lock.close()


def test_a_wait_ends_however_short_it_is(where):
    lock = locks.writer_lock(where)

    def hurry():
        for _ in range(3000):
            with pytest.raises(Locked):
                lock.run("in a hurry", lambda: None, 1e-6)

    hurrying = threading.Thread(target=hurry, daemon=True)
    with locks.writer(where, "holding it"):
        hurrying.start()
        hurrying.join(timeout=60)
        assert not hurrying.is_alive()
    assert lock.run("afterwards", lambda: "had", 5) == "had"
    lock.close()


def test_a_lock_that_cannot_be_released_is_had_again(where, monkeypatch):
    lock = locks.writer_lock(where)
    with monkeypatch.context() as patch:

        def fail():
            raise OSError(errno.EIO, "Input/output error")

        with locks.writer(where, "holding it"):
            with pytest.raises(Locked):
                lock.run("waiting", lambda: None, 0.02)
            patch.setattr(lock._files, "release", fail)
        until(lambda: not waiting(lock))
    assert lock.run("later", lambda: "had", 5) == "had"
    with locks.writer(where, "afterwards", seconds=1):
        pass
    lock.close()


def test_who_waited_acts_in_the_thread_that_waited(where):
    """To wake another one first would keep all others waiting."""
    lock, acted = locks.writer_lock(where), []
    asking = threading.Thread(
        target=lambda: acted.append(lock.run("waiting", threading.get_ident, 10))
    )
    with locks.writer(where, "holding it"):
        asking.start()
        until(lambda: waiting(lock))
    asking.join()
    assert acted and acted[0] not in (asking.ident, threading.get_ident())
    assert lock.run("free", threading.get_ident, 0) == threading.get_ident()
    lock.close()


@pytest.mark.parametrize("waits", [True, False])
def test_what_goes_wrong_with_the_lock_held_is_said_and_releases_it(where, waits):
    lock, said = locks.writer_lock(where), []

    def fail():
        raise Refused("acting", "it went wrong", "do something else")

    def run():
        with pytest.raises(Refused, match="it went wrong"):
            lock.run("waiting", fail, 10)
        said.append(True)

    asking = threading.Thread(target=run)
    if waits:
        with locks.writer(where, "holding it"):
            asking.start()
            until(lambda: waiting(lock))
    else:
        asking.start()
    asking.join()
    assert said
    with locks.writer(where, "afterwards", seconds=1):
        pass
    assert lock.run("again", lambda: "had", 0) == "had"
    lock.close()


def test_an_act_outlasts_the_wait_for_its_lock(where):
    """The limit is for the waiting: what has begun is not to be left half known."""
    lock, came, done = locks.writer_lock(where), threading.Event(), []
    go_on = threading.Event()

    def act():
        came.set()
        go_on.wait(10)
        return "done"

    asking = threading.Thread(target=lambda: done.append(lock.run("waiting", act, 0.5)))
    with locks.writer(where, "holding it"):
        asking.start()
        until(lambda: waiting(lock))
    assert came.wait(10)
    asking.join(timeout=0.6)
    assert asking.is_alive()
    go_on.set()
    asking.join()
    assert done == ["done"]
    lock.close()


def run_interrupted(where, lock, act, begun):
    """Wait for a lock, and be interrupted once the act has begun."""
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with locks.writer(where, "holding it"):
            held.set()
            go_on.wait(10)

    def interrupt():
        until(lambda: waiting(lock))
        go_on.set()
        assert begun.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    holder, interrupter = threading.Thread(target=hold), threading.Thread(target=interrupt)
    holder.start()
    assert held.wait(10)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        lock.run("interrupted", act, 10)
    holder.join()
    interrupter.join()


def test_an_interrupted_act_releases_its_own_lock_and_no_other(where):
    lock = locks.writer_lock(where)
    begun, end = threading.Event(), threading.Event()

    def act():
        begun.set()
        end.wait(10)

    run_interrupted(where, lock, act, begun)
    with pytest.raises(Locked):
        lock.run("again", lambda: None, 0.02)
    # Still held, by what was interrupted and goes on.
    with pytest.raises(Locked), locks.writer(where, "beside it", seconds=0):
        pass
    end.set()
    until(lambda: not waiting(lock))
    with locks.writer(where, "afterwards", seconds=5):
        pass
    assert lock.run("once more", lambda: "had", 5) == "had"
    lock.close()


def test_an_interrupted_act_unlocks_though_the_process_forked(where):
    lock = locks.writer_lock(where)
    begun, end = threading.Event(), threading.Event()
    children, (hold, release) = [], os.pipe()

    def act():
        child = os.fork()
        if not child:
            os.close(release)
            os.read(hold, 1)
            os._exit(0)
        children.append(child)
        begun.set()
        end.wait(10)

    try:
        run_interrupted(where, lock, act, begun)
        end.set()
        with locks.writer(where, "afterwards", seconds=5):
            pass
    finally:
        os.close(release)
        os.waitpid(children[0], 0)


def test_who_is_interrupted_while_it_begins_to_wait_acts_no_more(where, monkeypatch):
    lock, acted = locks.writer_lock(where), []

    class Interrupted(fairlock._Request):
        def wait(self, seconds=-1):
            raise KeyboardInterrupt

    with locks.writer(where, "holding it"), monkeypatch.context() as patch:
        patch.setattr(fairlock, "_Request", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.run("waiting", lambda: acted.append(True), 5)
    with locks.writer(where, "afterwards", seconds=5):
        pass
    assert not acted


def test_who_is_interrupted_before_anybody_waits_for_it_holds_nothing(where, monkeypatch):
    lock = locks.writer_lock(where)

    def interrupt(self):
        raise KeyboardInterrupt

    with locks.writer(where, "holding it"), monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lock.run("waiting", lambda: None, 5)
    with locks.writer(where, "afterwards", seconds=0):
        pass
    assert lock.run("again", lambda: "had", 5) == "had"


def test_a_place_in_the_queue_outlasts_a_wait_that_ran_out(where):
    """Who asks again and again comes before who asked later, and does not starve."""
    patient, later, order = locks.writer_lock(where), locks.writer_lock(where), []
    with locks.writer(where, "holding it"):
        with pytest.raises(Locked):
            patient.run("waiting", lambda: None, 0.02)
        one = threading.Thread(target=later.run, args=("x", lambda: order.append("later"), 10))
        one.start()
        until(lambda: waiting(later))
        two = threading.Thread(target=patient.run, args=("x", lambda: order.append("first"), 10))
        two.start()
        until(patient._waiter._requests.qsize)
    one.join()
    two.join()
    assert order == ["first", "later"]


def test_what_went_wrong_while_nobody_wanted_the_lock_is_nobodys_failure(where, monkeypatch):
    lock = locks.writer_lock(where)
    with monkeypatch.context() as patch:
        with locks.writer(where, "holding it"):
            with pytest.raises(Locked):
                lock.run("waiting", lambda: None, 0.02)

            def fail(_):
                raise MemoryError

            patch.setattr(look, "identity", fail)
        until(lambda: not waiting(lock))
    assert lock.run("later", lambda: "had", 5) == "had"
    lock.close()


def test_who_does_not_wait_is_not_in_the_way(where):
    lock = locks.writer_lock(where)
    with locks.writer(where, "holding it"), pytest.raises(Locked):
        lock.run("in a hurry", lambda: None, 0)
    with locks.writer(where, "afterwards", seconds=0):
        pass
    lock.close()
