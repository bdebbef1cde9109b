"""The proof that writes are journaled: it is one, and it leaves the data alone."""

import json
import shutil

import pytest
from conftest import pra
from helpers import add, bring, crash_before_commit, journaled, lose_data, rows

from pra.base import settings
from pra.base.errors import Refused
from pra.data import proof
from pra.pitr import targets
from pra.protect import backup
from pra.recovery import plan


def prove(config):
    return proof.run(config)["seq"]


def test_it_is_a_transaction_of_the_journal_and_changes_nothing(config, where, events):
    assert prove(config) == 1
    added = add(events, 2)
    assert [one["id"] for one in added] == [1, 2]
    before = rows(where)
    assert prove(config) == 4
    assert rows(where) == before
    assert journaled(where) == [1, 2, 3, 4]
    assert events.add("the next id")["id"] == 3


def test_what_it_wrote_can_be_replayed(config, where, events):
    add(events, 3)
    backup.run(config)
    seq = prove(config)
    before = rows(where)
    lose_data(where)
    assert bring(config)["seq"] == seq
    assert rows(where) == before
    # The timeline that this opened is proven as well.
    assert prove(config) > seq


def test_a_write_that_was_cut_off_is_rolled_forward_first(config, where, events, monkeypatch):
    add(events, 1)
    crash_before_commit(events, monkeypatch)
    assert prove(config) == 3
    assert len(rows(where)) == 2


def test_a_plan_does_not_call_it_a_write_that_would_be_missed(config, where, events):
    add(events, 2)
    point = backup.run(config)
    prove(config)
    bring(config, point.name)
    prove(config)
    assert plan.run(config, targets.undo)["left_behind"] is None
    add(events, 1)
    assert plan.run(config, targets.undo)["left_behind"]["transactions"] == 1


def test_a_write_that_went_past_the_journal_is_no_proof(environment, where, events):
    best_effort = settings.load({**environment, "PRA_JOURNAL": "best-effort"})
    add(events, 1)
    assert proof.run(best_effort)["status"] == "journaled"
    shutil.rmtree(where.journal)
    with pytest.raises(Refused):
        proof.run(best_effort)
    assert events.count() == 1


def test_a_transaction_without_a_record_is_no_proof(config, where, events, monkeypatch):
    add(events, 1)
    monkeypatch.setattr(proof, "_come_and_go", proof.schema.position)
    with pytest.raises(Refused, match="not in the journal"):
        proof.run(config)


def test_by_command_line(environment, where, events):
    add(events, 1)
    said = json.loads(pra(environment, "prove", "--json").stdout)
    assert said == {"status": "journaled", "timeline": 1, "seq": 2}
    assert "transaction 3 is in the journal" in pra(environment, "prove").stdout
    off = {**environment, "PRA_JOURNAL": "off"}
    assert json.loads(pra(off, "prove", "--json").stdout) == {"status": "off"}
    lose_data(where)
    done = pra(environment, "prove", "--json")
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (1, 1)
