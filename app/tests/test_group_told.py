"""Group commit: whatever fails or is interrupted, each of a group is told the truth."""

import contextlib
import os
import random
import threading

import apsw
import pytest
from helpers import bring, lose_data, sync_fails
from together import Asked, adding, insert, messages, together, writing

from pra.base.errors import Locked, OutcomeUnknown, PraError, StorageError
from pra.data import changes, pending, transaction
from pra.data.group import GroupCommit
from pra.data.pending import Pending


def test_a_failing_journal_makes_all_of_a_transaction_unknown(where, events):
    events.add("before")
    acts = [adding(events, f"{n}") for n in range(4)]
    with sync_fails(".seg", times=2), contextlib.ExitStack() as stack:
        asked = stack.enter_context(together(where, events, *acts))
        assert all(isinstance(one.error, OutcomeUnknown) for one in asked)
        assert len({id(one.error) for one in asked}) == 4


@pytest.mark.parametrize("ending", [".seg", "-wal"])
def test_a_sync_that_is_made_good_acknowledges_all(config, where, events, ending):
    events.add("before")
    acts = [adding(events, f"{n}") for n in range(4)]
    with sync_fails(ending), together(where, events, *acts) as asked:
        assert all(one.result for one in asked)
    lose_data(where)
    bring(config)
    assert messages(where) == ["before", "0", "1", "2", "3", "goes on"]


@pytest.mark.parametrize(
    ("error", "told"),
    [(apsw.SQLError, StorageError), (apsw.IOError, OutcomeUnknown)],
    ids=["for sure", "in doubt"],
)
def test_a_commit_that_fails_fails_all(where, events, monkeypatch, error, told):
    commit, failures = transaction._commit, [error("failed")]

    def fail(conn, doing):
        if failures and conn.total_changes():
            if error is apsw.IOError:
                raise OutcomeUnknown(doing, str(failures.pop()), "look")
            raise failures.pop()
        commit(conn, doing)

    monkeypatch.setattr(transaction, "_commit", fail)
    acts = [adding(events, f"{n}") for n in range(3)]
    with together(where, events, *acts) as asked:
        assert [type(one.error) for one in asked] == [told] * 3
    # Rolled forward where it was in doubt, aborted where it was not.
    expected = ["goes on"] if told is StorageError else ["0", "1", "2", "goes on"]
    assert messages(where) == expected


class Interrupted(BaseException):
    """Ctrl-C, or the end of a thread."""


@pytest.mark.parametrize("where_it_strikes", ["in a work", "in a sync"])
def test_an_interrupted_leader_leaves_nobody_waiting(where, events, monkeypatch, where_it_strikes):
    def interrupt(*_):
        monkeypatch.undo()
        raise Interrupted

    work = interrupt if where_it_strikes == "in a work" else (lambda conn: insert(conn, "other"))
    if where_it_strikes == "in a sync":
        monkeypatch.setattr(transaction.Writer, "note_durable", interrupt)
    acts = (adding(events, "0"), writing(events, work), adding(events, "1"))
    with together(where, events, *acts) as asked:
        first, other, last = asked
        assert isinstance(first.error, Interrupted)
        assert isinstance(other.error, OutcomeUnknown) and other.result is None
        if where_it_strikes == "in a sync":
            # Taken along, committed, and told nothing.
            assert isinstance(last.error, OutcomeUnknown) and last.result is None
            assert messages(where) == ["0", "other", "1"]
        else:
            # It had not been taken along, and leads the next.
            assert last.error is None and last.result["message"] == "1"
            assert messages(where) == ["1"]


@pytest.mark.parametrize("committed", [True, False])
def test_who_is_told_nothing_knows_that_it_is_unknown(where, events, monkeypatch, committed):
    """None of them takes that for "nothing was added", as a key's work says by returning None."""
    finish, commit, calls = Pending.finish, transaction._commit, []

    def tell(*told):
        calls.append(told)
        if len(calls) == 2:
            raise MemoryError
        finish(*told)

    def fail(*_):
        monkeypatch.setattr(transaction, "_commit", commit)
        raise apsw.SQLError("failed")

    monkeypatch.setattr(Pending, "finish", tell)
    if not committed:
        monkeypatch.setattr(transaction, "_commit", fail)
    acts = [lambda n=n: events.add(f"{n}", f"key {n}") for n in range(4)]
    with together(where, events, *acts) as asked:
        kinds = [type(one.error) for one in asked]
        if committed:
            assert asked[0].result["message"] == "0"
            assert kinds == [type(None)] + [OutcomeUnknown] * 3
            assert messages(where) == ["0", "1", "2", "3"]
        else:
            assert kinds == [MemoryError, StorageError, OutcomeUnknown, OutcomeUnknown]
            assert messages(where) == []


class Made(Exception):
    """Of a kind that cannot be made from its arguments."""

    def __new__(cls, *, text):
        return super().__new__(cls)

    def __init__(self, *, text):
        super().__init__(text)


class Changed(Exception):
    """Of a kind that says something else when it is made without its ``__init__``."""

    def __init__(self, text):
        self._text = text
        super().__init__()

    def __reduce__(self):
        return OSError, (5, self._text)


@pytest.mark.parametrize("error", [Made(text="full"), Changed("full")], ids=["made", "changed"])
def test_an_error_that_cannot_be_told_to_each_by_itself_is_unknown_to_the_others(
    where, events, monkeypatch, error
):
    def fail(*_):
        monkeypatch.undo()
        raise error

    acts = [adding(events, f"{n}") for n in range(3)]
    monkeypatch.setattr(transaction, "_commit", fail)
    with together(where, events, *acts) as asked:
        assert asked[0].error is error
        assert [type(one.error) for one in asked[1:]] == [OutcomeUnknown] * 2
        assert asked[1].error is not asked[2].error


@pytest.mark.parametrize(
    "error",
    [
        OSError(5, "Input/output error", "app.db-wal"),
        FileNotFoundError(2, "No such file", "one", None, "other"),
        OSError("without a number"),
        ValueError("x", 2),
        StorageError("doing", "happened", "next"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_told_to_each_with_all_that_it_says(error):
    error.add_note("a note")
    error.__cause__ = cause = KeyError("cause")
    twin = pending._twin(error)
    assert twin is not error and type(twin) is type(error)
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
    assert twin.__cause__ is cause
    for name in ("errno", "filename", "filename2", "next_step"):
        assert getattr(twin, name, None) == getattr(error, name, None)


class Fake:
    """A store in memory that fails at random; remembers what became durable."""

    def __init__(self, seed):
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._conn = apsw.Connection(":memory:")
        self._conn.execute("CREATE TABLE events(id INTEGER PRIMARY KEY, ts, message UNIQUE)")
        self.durable, self.commits = set(), 0

    def chance(self, share):
        return self._random.random() < share

    def locked(self, doing, act, seconds):
        if self.chance(0.03) or not self._lock.acquire(timeout=seconds):
            raise Locked(doing, "held", "again")
        try:
            return act()
        finally:
            self._lock.release()

    def commit(self, doing, work):
        conn = self._conn
        conn.execute("BEGIN")
        before = {row[0] for row in conn.execute("SELECT message FROM events")}
        try:
            if self.chance(0.03):
                raise StorageError(doing, "before the work", "again")
            work(conn)
            if self.chance(0.05):
                raise changes.TooLarge(doing, "too large", "split it")
            if self.chance(0.03):
                raise StorageError(doing, "no commit", "again")
        except BaseException:
            conn.execute("ROLLBACK")
            raise
        after = {row[0] for row in conn.execute("SELECT message FROM events")}
        conn.execute("COMMIT")
        self.commits += 1
        return after - before

    def settle(self, doing, committed):
        if self.chance(0.05):
            raise OutcomeUnknown(doing, "a disk failed", "look")
        self.durable |= committed

    def full(self):
        return self.chance(0.05)

    def messages(self):
        return [row[0] for row in self._conn.execute("SELECT message FROM events")]


#: More of them, for a change of the group commit: GROUP_SEEDS=500.
SEEDS = range(int(os.environ.get("GROUP_SEEDS", "3")))
KINDS = ["good"] * 20 + ["bad at once", "bad later", "interrupted"]


def work_of(kind, name):
    def work(conn):
        if kind == "bad at once":
            raise ValueError(name)
        insert(conn, name)
        if kind == "bad later":
            raise ValueError(name)
        if kind == "interrupted":
            raise Interrupted
        return name

    return work


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_fails_everybody_is_told_the_truth(seed):
    store, commit, told = Fake(seed), GroupCommit(), {}

    def client(number):
        chosen = random.Random(f"{seed} {number}")
        for turn in range(40):
            name = f"{number} {turn}"
            try:
                told[name] = commit.write(store, name, work_of(chosen.choice(KINDS), name))
            except BaseException as error:
                told[name] = error

    clients = [Asked(lambda number=number: client(number)) for number in range(8)]
    for one in clients:
        assert one.end().error is None
    assert commit._leader is None and not commit.waiting and len(told) == 320
    there = store.messages()
    assert len(there) == len(set(there)) and store.commits < len(told)
    interrupted = any(isinstance(outcome, Interrupted) for outcome in told.values())
    for name, outcome in told.items():
        check(name, outcome, there, store.durable)
        if isinstance(outcome, OutcomeUnknown):
            # In doubt for a reason: its disk failed, or who wrote it was interrupted.
            assert name in there or interrupted


def check(name, outcome, there, durable):
    """What somebody was told is what is there."""
    if not isinstance(outcome, BaseException):
        assert outcome == name and name in durable
    elif isinstance(outcome, ValueError):
        assert str(outcome) == name and name not in there
    elif isinstance(outcome, (OutcomeUnknown, Interrupted)):
        # Written or not, and durable for sure it is not.
        assert name not in durable
    else:
        assert isinstance(outcome, PraError) and name not in there
        assert outcome.doing == name and str(outcome).startswith(name)
