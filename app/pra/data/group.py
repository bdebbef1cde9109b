"""Group commit: threads that write at the same time share one transaction and its syncs.

Who comes while nobody writes leads: it waits for the writer lock, and runs its own work
and that of all who came meanwhile in one transaction, with one record in the journal. Then
the lock is free, and the next leads a group of its own while the disks are at this one. All
of a group are answered together, when both disks have it. A lone writer waits for nobody.

A work may be run twice: where one of several fails, all of its group is rolled back, and
each is run again in a transaction of its own.
"""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import apsw

from pra.base import tasks
from pra.data.changes import TooLarge
from pra.data.pending import Pending
from pra.data.transaction import Work
from pra.disk import fairlock, locks

log = logging.getLogger("pra")
#: How many writes one transaction takes at most.
MAX_MEMBERS = 64


class Store(Protocol):
    """What the transactions of a group are made on."""

    def locked(self, doing: str, act: Callable[[], None], seconds: float) -> None:
        """Act while holding the writer lock, for which it waits so long."""

    def commit(self, doing: str, work: Work) -> object:
        """Run a work in a transaction that is committed and not yet durable; needs the lock."""

    def settle(self, doing: str, committed: object) -> None:
        """Make durable what ``commit`` returned."""

    def full(self) -> bool:
        """Whether the transaction under way has changed enough for one."""


class GroupCommit:
    """The writes of one process that are under way, in the order in which they came.

    Attributes:
        of: the process; a fork of it begins with none.
    """

    def __init__(self):
        self.of = os.getpid()
        self._guard = threading.Lock()
        self._waiting: deque[Pending] = deque()
        # Where nobody leads, nobody waits.
        self._leader: Pending | None = None

    @property
    def waiting(self) -> int:
        """How many wait to be taken along, or for the lead; the leader is not among them."""
        return len(self._waiting)

    def write(self, store: Store, doing: str, work: Work) -> object:
        """Run a work in a durable transaction, its own or a common one; returns its result.

        Raises:
            Locked: its turn did not come within ``locks.WRITE_WAIT``.
            Exception: what the work raised, or what its transaction failed with.
        """
        mine = Pending(doing, work, time.monotonic() + locks.WRITE_WAIT)
        try:
            self._enter(mine)
            # Those of the same thread come too before it waits, and share what follows.
            tasks.pause()
            if self._leader is not mine:
                self._wait(mine)
            if self._leader is mine:
                self._lead(store, mine)
        except BaseException:
            self._leave(mine)
            raise
        return mine.outcome()

    def _enter(self, mine: Pending) -> None:
        with self._guard:
            if self._leader is None:
                self._leader = mine
            else:
                mine.queue()
                self._waiting.append(mine)

    def _wait(self, mine: Pending) -> None:
        """Wait to be answered, or for the lead.

        Raises:
            Locked: neither came in time, and nobody is at it.
        """
        if mine.wait(mine.left()):
            return
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise fairlock.locked(mine.doing)
        # Somebody took it along, or gave it the lead, at that very moment.
        mine.wait()

    def _leave(self, mine: Pending) -> None:
        with self._guard, contextlib.suppress(ValueError):
            self._waiting.remove(mine)
        self._pass_on(mine)

    def _pass_on(self, mine: Pending) -> None:
        """Let the next one lead, where this one still does."""
        with self._guard:
            if self._leader is not mine:
                return
            following = self._leader = self._waiting.popleft() if self._waiting else None
        if following:
            following.wake()

    def _lead(self, store: Store, mine: Pending) -> None:
        group = _Group(mine)
        try:
            store.locked(mine.doing, lambda: self._commit(store, group), mine.left())
            self._pass_on(mine)
            for part in group.parts:
                _settle(store, part)
        except BaseException as error:
            with self._guard:
                # Where this thread was interrupted, the lock's own may still be at it.
                group.given_up = True
            if group.parts and isinstance(error, Exception):
                # Committed: what nobody was told by now is unknown, to the leader as well.
                log.exception("it is unknown what came of writes")
                self._pass_on(mine)
                return
            if not group.parts:
                for one in group.members[1:]:
                    one.fail(error, mine.doing)
            raise
        finally:
            for one in group.members[1:]:
                one.wake()

    def _commit(self, store: Store, group: "_Group") -> None:
        """Commit what waits: together, or each alone where that cannot be."""
        leader = group.members[0]
        answers: list[_Answer] = []

        def work(conn: apsw.Connection) -> None:
            # If its own fails, the leader is the only one who is there yet.
            answers.append(_Answer(leader, leader.work(conn)))
            while one := self._take(store, group):
                answers.append(_run(one, conn))

        try:
            group.parts.append(_Part(answers, store.commit(leader.doing, work)))
        except (_WorkFailed, TooLarge, apsw.ConstraintError):
            if len(group.members) == 1:
                raise
            for one in group.members:
                group.parts.append(_alone(store, one))

    def _take(self, store: Store, group: "_Group") -> Pending | None:
        """The next one for the transaction under way; None where it has enough."""
        if not self._waiting or len(group.members) == MAX_MEMBERS or store.full():
            return None
        with self._guard:
            if group.given_up or not self._waiting:
                return None
            group.members.append(self._waiting.popleft())
            return group.members[-1]


class _Group:
    """Who shares a transaction.

    Attributes:
        members: their writes, the leader's first.
        parts: the transactions that came of it; none before the first is committed.
        given_up: it takes nobody any more.
    """

    def __init__(self, leader: Pending):
        self.members, self.given_up = [leader], False
        self.parts: list[_Part] = []


class _Answer(NamedTuple):
    """What the work of a write came to: told once its transaction is durable."""

    write: Pending
    result: object
    error: Exception | None = None


class _Part(NamedTuple):
    """A transaction that was committed, None if there is none; the answers that are in it."""

    answers: list[_Answer]
    committed: object | None


class _WorkFailed(Exception):
    """A work failed, and what it changed cannot be told from what others did."""


def _run(one: Pending, conn: apsw.Connection) -> _Answer:
    """Run the work of one among others.

    Raises:
        _WorkFailed: it failed. That it changed nothing cannot be told for sure: SQLite
            counts rows, and neither definitions nor numbers of the file's header.
    """
    try:
        return _Answer(one, one.work(conn))
    except Exception as error:
        raise _WorkFailed from error


def _alone(store: Store, one: Pending) -> _Part:
    """Commit one write in a transaction of its own, or have its error for an answer."""
    result = None

    def work(conn: apsw.Connection) -> None:
        nonlocal result
        result = one.work(conn)

    try:
        committed = store.commit(one.doing, work)
        return _Part([_Answer(one, result)], committed)
    except Exception as error:
        return _Part([_Answer(one, None, error)], None)


def _settle(store: Store, part: _Part) -> None:
    """Make a transaction durable, and let its writes know what came of them."""
    doing = part.answers[0].write.doing
    try:
        if part.committed is not None:
            store.settle(doing, part.committed)
    except Exception as error:
        for one in part.answers:
            one.write.fail(error, doing)
    else:
        for one in part.answers:
            one.write.finish(one.result, one.error)
