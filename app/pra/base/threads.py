"""Work in threads beside the one that does the rest: hashing, checking, while a disk writes."""

import os
import queue
import threading
from collections.abc import Callable


class Beside:
    """Work in a thread of its own, for the length of a ``with``.

    Its end waits for the work; then ``result`` is there, or what the work raised
    is raised. SQLite, hashing and the disk leave the other threads running.
    """

    def __init__(self, work: Callable):
        self.result = None
        self._work, self._error = work, None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, kind, *_) -> None:
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self._error = error


class Follower:
    """Does one thing after the other in a thread, behind the one that hands them over.

    Used in a ``with``: its end waits for all of them, or raises what one raised.
    """

    def __init__(self, work: Callable):
        self._given: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = Beside(lambda: [work(one) for one in iter(self._given.get, None)])

    def __enter__(self) -> "Follower":
        self._thread.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._given.put(None)
        self._thread.__exit__(*error)

    def give(self, one) -> None:
        """Hand over the next, which is not None."""
        self._given.put(one)


class Companion:
    """A thread that stands ready for one piece of work at a time: what each write needs.

    Starting one for each would cost more than the work. It begins with its first work,
    and anew in a process that was forked since: no thread survives that.
    """

    def __init__(self):
        self._desk: _Desk | None = None
        self._pid = 0

    def __del__(self):
        self.dismiss()

    def start(self, work: Callable[[], object]) -> None:
        """Begin a piece of work; the one before must be over, as ``wait`` said.

        Raises:
            RuntimeError: no thread can be started.
        """
        desk = self._desk
        if desk is None or self._pid != os.getpid():
            desk = _Desk()
            threading.Thread(target=desk.serve, daemon=True).start()
            self._desk, self._pid = desk, os.getpid()
        desk.work = work
        desk.wanted.release()

    def wait(self, seconds: float = -1) -> bool:
        """Wait for the end of the work; False if it is not done after so many seconds.

        Then it goes on, and can be waited for again.

        Raises:
            BaseException: what the work raised.
        """
        desk = self._desk
        try:
            if not desk.done.acquire(timeout=seconds):
                return False
        except BaseException:
            self.dismiss()
            raise
        error, desk.error = desk.error, None
        if error is not None:
            try:
                raise error
            finally:
                # The frame and the traceback would keep each other, and files that others hold.
                del error
        return True

    def dismiss(self) -> None:
        """Let the thread end once it has done what it is at."""
        desk, self._desk = self._desk, None
        if desk is not None and self._pid == os.getpid():
            desk.closed = True
            # Not locked: it has not even begun, and ends after that.
            if desk.wanted.locked():
                desk.wanted.release()


class _Desk:
    """Where a companion and its owner hand each other the work and its outcome."""

    def __init__(self):
        # Bare locks pass the turn: all that is above them costs several times as much.
        self.wanted, self.done = threading.Lock(), threading.Lock()
        self.wanted.acquire()
        self.done.acquire()
        self.work: Callable[[], object] | None = None
        self.error: BaseException | None = None
        self.closed = False

    def serve(self) -> None:
        """Do one piece of work after the other."""
        while not self.closed:
            self.wanted.acquire()
            work, self.work = self.work, None
            if work is None:
                return
            try:
                work()
            except BaseException as error:
                self.error = error
            # What it holds, files for instance, is not to wait for the next work.
            del work
            self.done.release()
