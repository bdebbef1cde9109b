"""A fixed number of threads that do what they are given, in its order.

What only waits at its pauses (``pra.base.tasks``) shares a thread with what comes at the same
time: all of it begins, and then all of it waits. To wake a thread for each takes longer than
what most of them do.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from pra.base.tasks import Lane

Work = Callable[[], None]
#: How many tasks one thread takes on together: as many as share a transaction.
TOGETHER = 64
#: What a thread is woken with instead of work of its own: it begins the tasks that there are.
_TASKS = object()


class Threads:
    """Threads that end with the process; what they are given never ends them.

    Of those that are free the last one is taken: its memory is still at hand.
    """

    def __init__(self, name: str, count: int):
        self._guard = threading.Lock()
        self._work: deque[Work] = deque()
        self._tasks: deque[Work] = deque()
        # A thread begins tasks, or was woken to.
        self._gathering = False
        self._free: list[_Free] = []
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def give(self, work: Work) -> None:
        """Have something done by a thread that does nothing else meanwhile; never waits."""
        with self._guard:
            if not self._free:
                self._work.append(work)
                return
            free = self._free.pop()
        free.wake(work)

    def give_task(self, work: Work) -> None:
        """Have something done that only waits where it pauses; never waits."""
        with self._guard:
            self._tasks.append(work)
            if self._gathering or not self._free:
                return
            self._gathering, free = True, self._free.pop()
        free.wake(_TASKS)

    def _run(self) -> None:
        free, lanes = _Free(), _Lanes()
        while True:
            with self._guard:
                work = self._next()
                if work is None:
                    self._free.append(free)
            work = work or free.wait()
            if work is _TASKS:
                self._gather(lanes)
            else:
                _do(work)
            # The last request is not kept until the next one comes.
            del work

    def _next(self) -> Work | object | None:
        # Tasks first: one thread begins them, so they never keep all from the rest.
        if self._tasks and not self._gathering:
            self._gathering = True
            return _TASKS
        return self._work.popleft() if self._work else None

    def _gather(self, lanes: "_Lanes") -> None:
        """Begin all tasks that there are, and then end them in their order."""
        paused: list[Lane] = []
        while work := self._take(len(paused)):
            lane = lanes.take()
            if lane.begin(partial(_do, work)):
                lanes.free.append(lane)
            else:
                paused.append(lane)
            del work
        for lane in paused:
            while not lane.go_on():
                pass
            lanes.free.append(lane)

    def _take(self, begun: int) -> Work | None:
        """The next task to begin; None once others are free to begin the rest."""
        with self._guard:
            if self._tasks and begun < TOGETHER:
                return self._tasks.popleft()
            self._gathering = bool(self._tasks and self._free)
            free = self._free.pop() if self._gathering else None
        if free:
            free.wake(_TASKS)
        return None


class _Free:
    """A thread that waits for something to do."""

    def __init__(self):
        self._awake = threading.Lock()
        self._awake.acquire()
        self._work: Work | object = None

    def wake(self, work: Work | object) -> None:
        self._work = work
        self._awake.release()

    def wait(self) -> Work | object:
        self._awake.acquire()
        work, self._work = self._work, None
        return work


class _Lanes:
    """The lanes of one thread, which no other can use."""

    def __init__(self):
        self.free: list[Lane] = []

    def take(self) -> Lane:
        return self.free.pop() if self.free else Lane()


def _do(work: Work) -> None:
    try:
        work()
    except BaseException:
        logging.getLogger("pra").exception("unexpected error")
