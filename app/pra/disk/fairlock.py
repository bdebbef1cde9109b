"""A lock on a volume that one thread of one process at a time has, given in the order of asking.

The system keeps that order (``flock``), and knows no deadline for one who waits.
"""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from pra.base.errors import Locked
from pra.disk.lockfiles import LockFiles

T = TypeVar("T")


class FairLock:
    """A lock made of one lock file, or of several that are taken hand over hand.

    Who holds the last of the files has the lock. They stay open from one use to the next,
    which spares each write the system calls for opening them. One thread at a time may
    use it, and no fork of its process: either would share the lock instead of waiting.
    """

    def __init__(self, *paths: str):
        self._files = LockFiles(paths)
        self._waiter = _Waiter(self._files)

    def __del__(self):
        self._waiter.end()

    def run(self, doing: str, act: Callable[[], T], seconds: float) -> T:
        """Wait for the lock, act, release it, and return what the act returned.

        Where the lock is not free, the thread that waits for it runs the act: to wake
        this one first would keep all others waiting meanwhile.

        Raises:
            Locked: it did not come within ``seconds``; the act is not run.
            VolumeGone, OSError: the volume of the lock failed.
        """

        def act_and_release() -> T:
            try:
                return act()
            finally:
                self._files.release()

        return self._when_held(doing, act_and_release, seconds)

    def acquire(self, doing: str, seconds: float) -> None:
        """Wait for the lock, and hold it until it is released.

        Raises:
            Locked, VolumeGone, OSError: as ``run`` does.
        """
        self._when_held(doing, self._waiter.keep, seconds)

    def release(self) -> None:
        """Let the next one have it; without effect where it is not held."""
        if self._waiter.kept:
            with self._waiter.using:
                self._waiter.kept = False
                self._files.release()

    def close(self) -> None:
        """Release it and close the files; where its thread still waits, once it has the lock."""
        self._waiter.end()
        self._waiter.if_idle(self._files.close)

    def _when_held(self, doing: str, act: Callable[[], T], seconds: float) -> T:
        try:
            if self._waiter.using.acquire(blocking=False):
                try:
                    if self._files.take(doing, wait=False):
                        return act()
                finally:
                    self._waiter.using.release()
            if seconds <= 0:
                raise locked(doing)
            return self._waiter.run(doing, act, seconds)
        except BaseException:
            self._waiter.if_idle(self._files.release)
            raise


class _Request:
    """Something to be done with the lock, which either side can decide about, and one does.

    Attributes:
        doing, act: what is to be done.
    """

    def __init__(self, doing: str, act: Callable[[], object]):
        self.doing, self.act = doing, act
        self._decided, self._answered = threading.Lock(), threading.Lock()
        self._answered.acquire()
        self._answer: tuple = None, None

    def wait(self, seconds: float = -1) -> tuple | None:
        """What the act returned, and what it raised; None if that takes longer.

        By a lock: a queue's own limit can be lost where the clock passes it at the
        wrong moment (CPython 3.11), and then nothing ends the wait.

        Args:
            seconds: without limit by default.
        """
        if not self._answered.acquire(timeout=seconds):
            return None
        # What was raised refers to a frame that refers to this: they would keep each other.
        answer, self._answer = self._answer, (None, None)
        return answer

    def answer(self, result: object, error: BaseException | None) -> None:
        """Let ``wait`` return this."""
        self._answer = result, error
        self._answered.release()

    def decide(self) -> bool:
        """Decide to do it, or to give it up; False if the other side has decided before."""
        return self._decided.acquire(blocking=False)

    def carry_out(self) -> None:
        """Act, and answer."""
        try:
            result, raised = self.act(), None
        except BaseException as error:
            result, raised = None, error
        self.answer(result, raised)
        # What was raised refers to this frame: the two would keep each other.
        del result, raised


class _Waiter:
    """A thread that waits for lock files, begun when somebody first has to wait.

    Where a request is given up, the thread goes on waiting. When it has the lock it
    serves the request that came after, or releases it at once: however often somebody
    gives up, one thread is all that is left of it, and its place in the system's queue is
    that of the next request. It is no executor of the library: the end of the process
    would wait for it.

    Attributes:
        using: held by the thread that uses the files at the moment.
        begun: the thread runs.
        kept: the lock is held, and stays so until it is released: whatever was asked
            for before was given up.
    """

    def __init__(self, lock_files: LockFiles):
        self.using, self.begun, self.kept = threading.Lock(), False, False
        self._files = lock_files
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()

    def run(self, doing: str, act: Callable[[], T], seconds: float) -> T:
        """Have it done by the thread; the limit is for the waiting, and not for the act.

        Raises:
            Locked: the lock did not come within ``seconds``.
            RuntimeError: no thread can be started.
        """
        request = _Request(doing, act)
        try:
            if not self.begun:
                threading.Thread(target=self._serve, daemon=True).start()
                self.begun = True
            self._requests.put(request)
            answer = request.wait(seconds)
            if answer is None:
                if request.decide():
                    raise locked(doing)
                answer = request.wait()
            result, error = answer
        except BaseException:
            request.decide()
            raise
        if error is None:
            return result
        try:
            raise error
        finally:
            # What was raised refers to this frame: the two would keep each other.
            del error, answer, request

    def keep(self) -> None:
        """Go on holding the lock; by who holds it."""
        self.kept = True

    def if_idle(self, act: Callable[[], object]) -> None:
        """Give the lock up by doing something with the files, unless the thread uses them."""
        if self.using.acquire(blocking=False):
            try:
                self.kept = False
                act()
            finally:
                self.using.release()

    def end(self) -> None:
        """Let the thread end, and close the files, once it has done what it is at."""
        if self.begun:
            self._requests.put(None)

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            # Where it cannot be released, the next request finds it held.
            with self.using, contextlib.suppress(OSError):
                if not self.kept:
                    self._answer(request)
            # What it holds, files for instance, is not to wait for the next one.
            del request
        with self.using:
            self._files.close()

    def _answer(self, request: _Request) -> None:
        try:
            self._files.take(request.doing, wait=True)
        except BaseException as error:
            if request.decide():
                request.answer(None, error)
            return
        wanted = self._first_wanted(request)
        if wanted is None:
            self._files.release()
        else:
            wanted.carry_out()

    def _first_wanted(self, request: _Request | None) -> _Request | None:
        """The first request, from this one on, that nobody gave up; nobody can any more."""
        while request is not None and not request.decide():
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return None
            if request is None:
                # The end was asked for: it comes once the lock is released.
                self._requests.put(None)
        return request


def locked(doing: str) -> Locked:
    """The error for a lock that did not come in time."""
    return Locked(doing, "somebody else holds the lock", "try again in a moment")
