"""The turns: who writes, who waits, and what is left of a wait that ran out."""

import errno
import gc
import os
import signal
import threading
import time

import pytest
from helpers import add, rows

from pra.base import threads
from pra.base.errors import Locked, Refused
from pra.data.database import Database
from pra.disk import files, locks, look
from pra.events.sqlite import SqliteEvents


def until(holds, seconds=10):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


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
    impatient = locks.writing(where)
    with locks.writer(where, "holding it"):
        with pytest.raises(Locked):
            impatient.take("waiting", seconds=0.05)
        hold, release = os.pipe()
        child = os.fork()
        if not child:
            os.close(release)
            os.read(hold, 1)
            os._exit(0)
    try:
        until(lambda: impatient._place.came)
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
    turn = locks.writing(where)
    for _ in range(2):
        with locks.writer(where, "holding it"), pytest.raises(Locked):
            turn.take("waiting", seconds=0.02)
        with locks.writer(where, "meanwhile"):
            pass
        turn.take("waiting", seconds=5)
        turn.release()
    turn.close()


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
    turn, acted = locks.writing(where), []
    waiting = threading.Thread(
        target=lambda: acted.append(turn.run("waiting", threading.get_ident, 10))
    )
    with locks.writer(where, "holding it"):
        waiting.start()
        until(lambda: turn._place)
    waiting.join()
    assert acted and acted[0] not in (waiting.ident, threading.get_ident())
    assert turn.run("free", threading.get_ident, 0) == threading.get_ident()
    turn.close()


@pytest.mark.parametrize("waits", [True, False])
def test_what_goes_wrong_in_a_turn_is_said_and_ends_it(where, waits):
    turn, said = locks.writing(where), []

    def fail():
        raise Refused("acting", "it went wrong", "do something else")

    def run():
        with pytest.raises(Refused, match="it went wrong"):
            turn.run("waiting", fail, 10)
        said.append(True)

    asking = threading.Thread(target=run)
    if waits:
        with locks.writer(where, "holding it"):
            asking.start()
            until(lambda: turn._place)
    else:
        asking.start()
    asking.join()
    assert said
    with locks.writer(where, "afterwards", seconds=1):
        pass
    assert turn.run("again", lambda: "had", 0) == "had"
    turn.close()


def test_an_act_outlasts_the_wait_for_its_turn(where):
    """The limit is for the waiting: what has begun is not to be left half known."""
    turn, came, done = locks.writing(where), threading.Event(), []
    go_on = threading.Event()

    def act():
        came.set()
        go_on.wait(10)
        return "done"

    asking = threading.Thread(target=lambda: done.append(turn.run("waiting", act, 0.5)))
    with locks.writer(where, "holding it"):
        asking.start()
        until(lambda: turn._place)
    assert came.wait(10)
    asking.join(timeout=0.6)
    assert asking.is_alive()
    go_on.set()
    asking.join()
    assert done == ["done"]
    turn.close()


def run_interrupted(where, turn, act, begun):
    """Wait for a turn, and be interrupted once the act has begun."""
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with locks.writer(where, "holding it"):
            held.set()
            go_on.wait(10)

    def interrupt():
        until(lambda: turn._place)
        go_on.set()
        assert begun.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    holder, interrupter = threading.Thread(target=hold), threading.Thread(target=interrupt)
    holder.start()
    assert held.wait(10)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        turn.run("interrupted", act, 10)
    holder.join()
    interrupter.join()


def test_an_interrupted_act_ends_its_own_turn_and_no_other(where):
    turn = locks.writing(where)
    begun, end = threading.Event(), threading.Event()

    def act():
        begun.set()
        end.wait(10)

    run_interrupted(where, turn, act, begun)
    with pytest.raises(Locked):
        turn.run("again", lambda: None, 0.02)
    taken = turn._line._taken
    end.set()
    until(lambda: turn._place.came)
    assert taken == 1
    with locks.writer(where, "afterwards", seconds=5):
        pass
    assert turn.run("once more", lambda: "had", 5) == "had"
    turn.close()


def test_an_interrupted_act_unlocks_though_the_process_forked(where):
    turn = locks.writing(where)
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
        run_interrupted(where, turn, act, begun)
        end.set()
        with locks.writer(where, "afterwards", seconds=5):
            pass
    finally:
        os.close(release)
        os.waitpid(children[0], 0)


def test_who_is_interrupted_while_it_gets_in_line_acts_no_more(where, monkeypatch):
    turn, acted, start = locks.writing(where), [], threads.Companion.start

    def interrupt(self, work):
        start(self, work)
        raise KeyboardInterrupt

    with locks.writer(where, "holding it"), monkeypatch.context() as patch:
        patch.setattr(threads.Companion, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            turn.run("waiting", lambda: acted.append(True), 5)
    with locks.writer(where, "afterwards", seconds=5):
        pass
    assert not acted


def test_what_went_wrong_while_nobody_wanted_the_turn_is_nobodys_failure(where, monkeypatch):
    turn = locks.writing(where)
    with monkeypatch.context() as patch:
        with locks.writer(where, "holding it"):
            with pytest.raises(Locked):
                turn.run("waiting", lambda: None, 0.02)

            def fail(_):
                raise MemoryError

            patch.setattr(look, "identity", fail)
        until(lambda: turn._place.came)
    assert turn.run("later", lambda: "had", 5) == "had"
    turn.close()


def test_who_does_not_wait_is_not_in_the_way(where):
    turn = locks.writing(where)
    with locks.writer(where, "holding it"), pytest.raises(Locked):
        turn.run("in a hurry", lambda: None, 0)
    with locks.writer(where, "afterwards", seconds=0):
        pass
    turn.close()


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
            until(lambda: not events._database._turns)
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
