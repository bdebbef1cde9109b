"""Random sequences of everything against a plain model of what must be there."""

import os
import shutil
import tempfile

from helpers import Crash
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pra.base import settings as pra_settings
from pra.base.errors import Refused
from pra.base.layout import Layout
from pra.data import transaction
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.pitr import bounds, targets
from pra.points import catalogue
from pra.protect import backup, retention
from pra.recovery import restore
from pra.state import volumes

NUMBERS = strategies.integers(0, 1000)


class Model(RuleBasedStateMachine):
    """The application on real volumes beside a dictionary of rows.

    ``past`` holds the numbers of the transactions that led to ``rows``, ``states``
    the rows after each transaction by its number; ``points`` holds rows and past
    of each restore point, ``before`` those that undo brings back.
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
        volumes.ensure_initialised(self.where)
        self.events = SqliteEvents(self.config)
        self.rows, self.highest = {}, 0
        self.states, self.seq, self.past = {}, 0, []
        self.points, self.before, self.lost = {}, None, False

    def teardown(self):
        segments.SIZE = self.size
        shutil.rmtree(self.folder)

    def _committed(self):
        self.seq += 1
        self.past = [*self.past, self.seq]
        self.states[self.seq] = dict(self.rows)

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
        self.points[point.name] = dict(self.rows), self.past

    @rule()
    def lose_the_data_volume(self):
        shutil.rmtree(self.where.data)
        os.mkdir(self.where.data)
        self.lost = True

    def _restored(self, choose, rows, past):
        before = None if self.lost else (dict(self.rows), self.past)
        restore.run(self.config, choose)
        self.before, self.lost = before, False
        self.rows, self.past = dict(rows), past

    @rule()
    def restore_latest(self):
        if volumes.restorable(self.where):
            self._restored(targets.latest, self.rows, self.past)

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
        rows = self.states[self.past[at - 1]] if at else {}
        reached = bounds.summary(self.where, catalogue.scan(self.where))
        try:
            self._restored(
                lambda where, _: targets.just_before(where, chosen), rows, self.past[:at]
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
    def the_rows_are_the_models(self):
        if self.lost:
            return
        with self.events._database.read("comparing") as conn:
            found = dict(conn.execute("SELECT id, message FROM events").fetchall())
        assert found == self.rows


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=int(os.environ.get("PRA_MODEL_EXAMPLES", "25")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
