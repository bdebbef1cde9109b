"""Works on the database: on which connection, how often they are tried, what failures mean."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NoReturn, TypeVar

import psycopg

from pra.base.database_url import DatabaseUrl
from pra.base.errors import PraError
from pra.postgres import failures, migrations
from pra.postgres.pool import Pool
from pra.postgres.session import Session
from pra.postgres.target import STATEMENT_MS, Target

T = TypeVar("T")
Work = Callable[[psycopg.Connection], T]
Reading = Callable[[psycopg.Connection], AbstractContextManager[Iterator[T]]]
#: How long a work is waited for, a second try included, in seconds. The server ends a
#: statement earlier by itself, and a COMMIT when it is asked to.
LIMIT = STATEMENT_MS / 1000 + 1
#: With less time than this left, there is no second try, in seconds.
_TOO_LATE = 0.5


class _Failed(Exception):
    """A work failed on a connection."""

    def __init__(self, error: psycopg.Error, meaning: PraError, worth_another: bool):
        super().__init__(str(meaning))
        self.error, self.meaning, self.worth_another = error, meaning, worth_another


class Database:
    """The database that a URL leads to, for the threads of one process."""

    def __init__(self, url: DatabaseUrl, threads: int):
        """Connect to nothing yet; at most ``threads`` connections later."""
        self.pool = Pool(Target(url), threads, migrations.refuse_unfit)

    def reached(self) -> bool:
        """Whether this process was connected to it, and could use it, at any time."""
        return self.pool.reached()

    def read(self, doing: str, work: Work[T]) -> T:
        """Do what changes nothing; a second time where a connection turns out to be dead.

        Raises:
            PraError: it could not be done.
        """
        end = time.monotonic() + LIMIT
        try:
            return self._done(doing, work, end)
        except _Failed as first:
            if not first.worth_another or _too_late(end):
                raise first.meaning from first.error
        try:
            return self._done(doing, work, end)
        except _Failed as second:
            raise second.meaning from second.error

    def stream(self, doing: str, reading: Reading[T]) -> Iterator[T]:
        """What a long reading brings, piece by piece, however long somebody takes for each.

        Raises:
            PraError: it could not be done.
        """
        used = self.pool.take(doing, time.monotonic() + LIMIT)
        try:
            with reading(used.connection) as pieces:
                for piece in pieces:
                    used.rest()
                    yield piece
                    used.begin(LIMIT)
        except psycopg.Error as error:
            raise self._failed(doing, used, error).meaning from error
        finally:
            self.pool.give(used)

    def write(self, doing: str, work: Work[T], repeatable: bool) -> T:
        """Do one statement that is a transaction of its own; it lasts when this returns.

        It is done a second time where the first one was not done for certain, or may be
        repeated, and a connection turns out to be dead.

        Args:
            repeatable: it does nothing where it was done before, and says the same.

        Raises:
            OutcomeUnknown: it may or may not have been done.
            PraError: it was not.
        """
        end = time.monotonic() + LIMIT
        try:
            return self._done(doing, work, end, writes=True)
        except _Failed as first:
            undone = failures.undone(first.error)
            again = first.worth_another and (undone or repeatable) and not _too_late(end)
            if not again:
                self._give_up(doing, first, undone)
        try:
            return self._done(doing, work, end, writes=True)
        except _Failed as second:
            self._give_up(doing, second, undone and failures.undone(second.error))
        except PraError as error:
            if undone:
                raise
            raise failures.unknown(doing, error.happened) from error

    def _give_up(self, doing: str, failed: _Failed, undone: bool) -> NoReturn:
        if undone:
            raise failed.meaning from failed.error
        raise failures.unknown(doing, failed.meaning.happened) from failed.error

    def _done(self, doing: str, work: Work[T], end: float, writes: bool = False) -> T:
        used = self.pool.take(doing, end, writes)
        try:
            result = work(used.connection)
        except psycopg.Error as error:
            raise self._failed(doing, used, error) from None
        except BaseException:
            self.pool.give(used)
            raise
        unconfirmed = writes and used.unconfirmed
        self.pool.give(used)
        if unconfirmed:
            raise failures.unknown(
                doing, "it is on the primary, but no standby said in time that it has it"
            )
        return result

    def _failed(self, doing: str, used: Session, error: psycopg.Error) -> _Failed:
        meaning = failures.translated(doing, error, used.cut or self.pool.said(error))
        gone = failures.gone(error)
        if gone:
            self.pool.drop(used)
        else:
            self.pool.give(used)
        # Where it was cut since nobody answers, that is known already.
        return _Failed(error, meaning, gone and not (used.cut and self.pool.trouble))


def _too_late(end: float) -> bool:
    return time.monotonic() > end - _TOO_LATE
