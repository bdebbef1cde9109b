"""The locks: who writes, who waits, and what is left of a wait that ran out."""

import errno
import gc
import os
import signal
import threading
import time

import pytest
from helpers import add, rows

from pra.base.errors import Locked, Refused
from pra.data.database import Database
from pra.disk import fairlock, files, locks, look
from pra.events.sqlite import SqliteEvents


def until(holds, seconds=10):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def waiting(lock):
    """Whether the thread of a lock waits for it, or acts."""
    return lock._waiter.begun and lock._waiter.using.locked()


def test_a_waiting_restore_gets_its_turn_among_busy_writers(config, where, events):
    """Without the turnstile a writer that comes straight back wins every time."""
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with locks.writer(where, "writing"):
                stop.wait(0.001)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    began = time.monotonic()
    for _ in range(10):
        with locks.writer(where, "restoring"):
            pass
    seconds = time.monotonic() - began
    stop.set()
    for writer in writers:
        writer.join()
    assert seconds < 2


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


def test_waits_that_ran_out_do_not_add_up(config, where, events, monkeypatch):
    """Each would keep a thread and a descriptor until the lock is free."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.02)
    with locks.writer(where, "holding it"):
        with pytest.raises(Locked):
            events.add("refused")
        running, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(Locked):
                events.add("refused")
        assert threading.active_count() == running
        assert len(os.listdir("/proc/self/fd")) == descriptors
    assert events.add("goes on")["id"] == 2


def test_a_turn_that_came_while_nobody_wanted_it_is_asked_for_again(where):
    lock = locks.writer_lock(where)
    for _ in range(2):
        with locks.writer(where, "holding it"), pytest.raises(Locked):
            lock.acquire("waiting", seconds=0.02)
        with locks.writer(where, "meanwhile"):
            pass
        lock.acquire("waiting", seconds=5)
        lock.release()
    lock.close()


def test_a_lock_file_that_was_replaced_between_two_writes_is_noticed(where, events, monkeypatch):
    """The old one is still open, and locking a deleted file excludes nobody."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.05)
    for name in ("turnstile", "writer"):
        os.remove(f"{where.locks}/{name}")
    with locks.writer(where, "restoring"), pytest.raises(Locked):
        events.add("beside a restore")
    assert len(add(events, 1)) == 1


def test_a_fork_does_not_share_the_lock_of_its_parent(where, events, monkeypatch):
    """A descriptor that it inherited would give the child the lock that its parent holds."""
    add(events, 1)
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.05)
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.read(told, 1)
        try:
            events.add("beside the parent")
        except Locked:
            os._exit(0)
        os._exit(1)

    def look(conn):
        os.write(tell, b"now")
        return os.waitpid(child, 0)[1]

    assert events._database.write("holding the lock", look) == 0


def test_who_waited_acts_in_the_thread_that_waited(where):
    """To wake another one first would keep all who wait from their turn."""
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
def test_what_goes_wrong_in_a_turn_is_said_and_ends_it(where, waits):
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


def test_an_act_outlasts_the_wait_for_its_turn(where):
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
    """Wait for a turn, and be interrupted once the act has begun."""
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


def test_an_interrupted_act_ends_its_own_turn_and_no_other(where):
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


def test_who_is_interrupted_while_it_gets_in_line_acts_no_more(where, monkeypatch):
    lock, acted = locks.writer_lock(where), []

    class Interrupted(fairlock._Request):
        @property
        def answer(self):
            raise KeyboardInterrupt

        @answer.setter
        def answer(self, queue):
            pass

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


def test_what_went_wrong_while_nobody_wanted_the_turn_is_nobodys_failure(where, monkeypatch):
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


def test_an_act_that_fails_is_not_tried_without_the_lock(config, where):
    """Where the journal is best-effort, a volume whose locks fail is gone without."""
    database, tried = Database(config._replace(journal="best-effort")), []

    def fail(conn):
        tried.append(True)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError):
        database.write("acting", fail)
    assert len(tried) == 1


def the_lock_cannot_be_opened(number):
    """While somebody holds it, a restore for instance."""

    def hook(phase, operation, arguments):
        if (phase, operation) == ("before", "open_lock"):
            raise OSError(number, os.strerror(number))

    return hook


@pytest.mark.parametrize("mode", ["off", "best-effort"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOLCK])
def test_what_fails_in_one_process_alone_lets_it_write_beside_nobody(config, where, mode, number):
    database = Database(config._replace(journal=mode))
    SqliteEvents(config).add("before")
    with locks.writer(where, "restoring"):
        files.hook = the_lock_cannot_be_opened(number)
        with pytest.raises(OSError, match=os.strerror(number)):
            database.write("beside it", lambda conn: conn.execute("DELETE FROM events").fetchall())
    files.hook = None
    assert len(rows(where)) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ENOENT, errno.EROFS])
def test_without_a_journal_a_volume_whose_locks_fail_stops_no_write(config, where, number):
    off = SqliteEvents(config._replace(journal="off"))
    files.hook = the_lock_cannot_be_opened(number)
    off.add("goes on")
    files.hook = None
    assert len(rows(where)) == 1


def test_failures_behind_a_wait_leave_no_descriptor_to_the_garbage_collector(where, events):
    add(events, 1)

    def fail(conn):
        raise Refused("acting", "it went wrong", "do something else")

    def fail_behind_a_wait():
        asking = threading.Thread(target=attempt)
        with locks.writer(where, "holding it"):
            asking.start()
            until(lambda: not events._database._locks)
        asking.join()

    def attempt():
        with pytest.raises(Refused):
            events._database.write("acting", fail)

    fail_behind_a_wait()
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            fail_behind_a_wait()
        assert len(os.listdir("/proc/self/fd")) <= before
    finally:
        gc.enable()
