"""Random sequences of everything against a plain model of what must be there."""

import os
import shutil
import tempfile

import pytest
from helpers import Crash
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pra.base import settings as pra_settings
from pra.base.errors import KeyReused, Refused
from pra.base.layout import Layout
from pra.data import proof, transaction
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import bounds, targets
from pra.points import catalogue
from pra.protect import backup, retention
from pra.recovery import restore
from pra.sql import counting, keys
from pra.state import volumes

NUMBERS = strategies.integers(0, 1000)


class Model(RuleBasedStateMachine):
    """The application on real volumes beside a dictionary of rows.

    ``keys`` holds what was answered to each key, the oldest first. ``past`` holds the numbers
    of the transactions that led to ``rows``, ``states`` what was there after each
    transaction by its number; ``points`` holds that and the past of each restore point,
    ``before`` those that undo brings back.
    """

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="pra-model-")
        for name in ("data", "backup"):
            os.mkdir(f"{self.folder}/{name}")
        self.where = Layout(f"{self.folder}/data", f"{self.folder}/backup")
        self.config = pra_settings.load(
            {
                "PRA_DATA_DIR": self.where.data,
                "PRA_BACKUP_DIR": self.where.backup,
                "PRA_JOURNAL": "required",
                "PRA_SUSPECT_PERCENT": "0",
                "PRA_KEEP_LAST": "3",
            }
        )
        self.size, segments.SIZE = segments.SIZE, 2048
        self.kept, keys.KEPT = keys.KEPT, 4
        volumes.ensure_initialised(self.where)
        self.events = SqliteEvents(self.config)
        self.rows, self.keys, self.highest = {}, {}, 0
        self.states, self.seq, self.past = {}, 0, []
        self.points, self.before, self.lost = {}, None, False

    def teardown(self):
        segments.SIZE, keys.KEPT = self.size, self.kept
        shutil.rmtree(self.folder)

    def _committed(self):
        self.seq += 1
        self.past = [*self.past, self.seq]
        self.states[self.seq] = self._there()

    def _there(self):
        return dict(self.rows), dict(self.keys)

    def _change(self, sql):
        self.events._database.write("testing", lambda conn: conn.execute(sql))

    @precondition(lambda self: not self.lost)
    @rule(text=strategies.text(min_size=1).filter(lambda t: t.strip() and "\0" not in t))
    def add(self, text):
        text = text.encode("utf-8", "ignore").decode() or "x"
        if not text.strip():
            return
        added = self.events.add(text)
        self.highest += 1
        assert added["id"] == self.highest, "ids are never given out twice"
        self.rows[added["id"]] = text
        self._committed()

    @precondition(lambda self: not self.lost)
    @rule(key=strategies.sampled_from("abcdefgh"), text=strategies.sampled_from("xxy"))
    def add_with_key(self, key, text):
        first = self.keys.get(key)
        if first and first["message"] != text:
            with pytest.raises(KeyReused):
                self.events.add(text, key)
            return
        answer = self.events.add(text, key)
        assert answer.pop("replayed") is bool(first)
        if first:
            assert answer == first, "a retry gets the first answer"
            return
        self.highest += 1
        assert answer["id"] == self.highest
        self.rows[answer["id"]], self.keys[key] = text, answer
        while len(self.keys) > keys.KEPT:
            del self.keys[next(iter(self.keys))]
        self._committed()

    @precondition(lambda self: not self.lost)
    @rule()
    def prove(self):
        seq = proof.run(self.config)["seq"]
        self._committed()
        assert seq == self.seq

    @precondition(lambda self: not self.lost and self.rows)
    @rule(number=NUMBERS)
    def delete(self, number):
        chosen = sorted(self.rows)[number % len(self.rows)]
        self._change(f"DELETE FROM events WHERE id={chosen}")
        del self.rows[chosen]
        self._committed()

    @precondition(lambda self: not self.lost and self.rows)
    @rule(number=NUMBERS)
    def update(self, number):
        chosen = sorted(self.rows)[number % len(self.rows)]
        self._change(f"UPDATE events SET message='changed {self.seq}' WHERE id={chosen}")
        self.rows[chosen] = f"changed {self.seq}"
        self._committed()

    @precondition(lambda self: not self.lost)
    @rule()
    def crash_in_commit(self):
        """The record is durable, the COMMIT does not happen: the next writer applies it."""
        commit = transaction._commit

        def die(conn, doing):
            raise Crash

        transaction._commit = die
        try:
            self.events.add("in doubt")
        except Crash:
            pass
        finally:
            transaction._commit = commit
        self.highest += 1
        self.rows[self.highest] = "in doubt"
        self._committed()
        self.add("after the crash")

    @precondition(lambda self: not self.lost)
    @rule()
    def back_up(self):
        point = backup.run(self.config, accept=True)
        self.points[point.name] = self._there(), self.past

    @rule()
    def lose_the_data_volume(self):
        shutil.rmtree(self.where.data)
        os.mkdir(self.where.data)
        self.lost = True

    def _restored(self, choose, there, past):
        before = None if self.lost else (self._there(), self.past)
        restore.run(self.config, choose)
        self.before, self.lost = before, False
        self.rows, self.keys = map(dict, there)
        self.past = past

    @rule()
    def restore_latest(self):
        if volumes.restorable(self.where):
            self._restored(targets.latest, self._there(), self.past)

    @precondition(lambda self: self.points)
    @rule(number=NUMBERS)
    def restore_a_point(self, number):
        listed = {point.name: point for point in catalogue.scan(self.where)}
        known = sorted(name for name in self.points if name in listed)
        if known:
            chosen = listed[known[number % len(known)]]
            self._restored(lambda where, _: targets.exact_point(chosen), *self.points[chosen.name])

    @precondition(lambda self: self.past)
    @rule(number=NUMBERS)
    def restore_to_before(self, number):
        at = number % len(self.past)
        chosen = self.past[at]
        there = self.states[self.past[at - 1]] if at else ({}, {})
        reached = bounds.summary(self.where, catalogue.scan(self.where))
        try:
            self._restored(
                lambda where, _: targets.just_before(where, chosen), there, self.past[:at]
            )
        except Refused:
            # Only what retention let go may be refused, and the listing says so.
            first = reached and reached["first_seq"]
            assert first is None or chosen - 1 < first

    @precondition(lambda self: self.before is not None and not self.lost)
    @rule()
    def undo(self):
        self._restored(targets.undo, *self.before)

    @rule()
    def prune(self):
        retention.run(self.config, dry_run=False)

    @invariant()
    def all_is_as_the_model_says(self):
        if self.lost:
            return
        with self.events._database.read("comparing") as conn:
            found = dict(conn.execute("SELECT id, message FROM events").fetchall())
            kept = counting.kept(conn)
            known = conn.execute(
                "SELECT key, event, ts FROM idempotency_keys ORDER BY number"
            ).fetchall()
        assert found == self.rows
        assert kept == len(self.rows) == self.events.count()
        assert known == [(key, one["id"], one["timestamp"]) for key, one in self.keys.items()]


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=int(os.environ.get("PRA_MODEL_EXAMPLES", "25")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
