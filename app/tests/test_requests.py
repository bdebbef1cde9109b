"""A restore that is tried again by the same request is carried out once."""

import json
from unittest.mock import ANY

import pytest
from conftest import pra
from helpers import add, bring, crash_at, lose_data, rows

from pra.base import settings
from pra.base.errors import Refused, UsageError
from pra.disk import files
from pra.events.sqlite import SqliteEvents
from pra.lineage import timelines
from pra.pitr import targets
from pra.protect import backup, export
from pra.recovery import plan, restore
from pra.state import volumes


@pytest.fixture
def ask(environment, where):
    """Ask for a restore as an attempt of the job of that name does."""

    def act(job, choose, target):
        config = settings.load({**environment, "PRA_REQUEST": job})
        return restore.run(config, choose, target=target)

    return act


def before(seq):
    return lambda where, known: targets.just_before(where, seq)


def messages(where):
    return [row[2] for row in rows(where)]


def die_behind_the_swap(where, act):
    """Run until the link leads to another generation, and no step further."""
    at = volumes.current(where)
    died = []

    class Died(BaseException):
        pass

    def hook(phase, operation, arguments):
        if volumes.current(where) != at and not died:
            died.append(operation)
            raise Died

    files.hook = hook
    with pytest.raises(Died):
        act()
    files.hook = None


def test_an_undo_that_is_tried_again_is_no_redo(config, where, events, ask):
    add(events, 3)
    point = backup.run(config)
    add(events, 3)
    bring(config, point.name)
    die_behind_the_swap(where, lambda: ask("job-1", targets.undo, "undo"))
    assert len(rows(where)) == 6
    events.add("a user wrote in between")
    again = ask("job-1", targets.undo, "undo")
    assert (again["already"], again["rows"]) == (True, 6)
    assert len(rows(where)) == 7
    # Another request is another undo.
    assert ask("job-2", targets.undo, "undo")["already"] is False
    assert len(rows(where)) == 3


def test_what_users_wrote_between_two_attempts_stays(config, where, events, ask):
    add(events, 5)
    events.add("BAD")
    die_behind_the_swap(where, lambda: ask("job-1", before(6), "before:6"))
    events.add("a user wrote in between")
    again = ask("job-1", before(6), "before:6")
    assert again["already"] is True
    assert again["rows"] == 5
    assert messages(where)[-1] == "a user wrote in between"
    assert "BAD" not in messages(where)


def test_an_attempt_that_died_before_the_swap_did_nothing(config, where, events, ask):
    add(events, 3)
    with crash_at("symlink"):
        ask("job-1", before(2), "before:2")
    events.add("a user wrote in between")
    done = ask("job-1", before(2), "before:2")
    assert (done["already"], done["rows"]) == (False, 1)
    assert ask("job-1", before(2), "before:2") == {**done, "already": True, "seconds": ANY}


def test_the_first_answer_is_told_although_more_was_restored_since(config, where, events, ask):
    add(events, 4)
    first = ask("job-1", before(4), "before:4")
    ask("job-2", before(2), "before:2")
    live = rows(where)
    again = ask("job-1", before(4), "before:4")
    assert again == {**first, "already": True, "seconds": ANY}
    assert rows(where) == live


def test_without_a_name_each_call_is_a_request_of_its_own(config, where, events):
    add(events, 3)
    generations = {bring(config)["generation"] for _ in range(2)}
    assert len(generations) == 2


def test_one_name_for_two_requests_is_refused(config, where, events, ask):
    add(events, 4)
    ask("job-1", before(4), "before:4")
    with pytest.raises(UsageError, match="has asked for before:4 before, not for undo"):
        ask("job-1", targets.undo, "undo")
    assert len(rows(where)) == 3


def test_what_was_brought_back_and_lost_again_is_not_called_done(config, where, events, ask):
    add(events, 3)
    lose_data(where)
    ask("job-1", targets.latest, "latest")
    lose_data(where)
    with pytest.raises(Refused, match="the database was lost since"):
        ask("job-1", targets.latest, "latest")
    assert ask("job-2", targets.latest, "latest")["rows"] == 3


def test_an_undo_undoes_the_restore_that_died_behind_its_swap(config, where, events):
    """Its timeline has no mark yet: the one before it must not be taken for the last."""
    add(events, 5)
    restore.run(config, before(5))
    die_behind_the_swap(where, lambda: restore.run(config, before(3)))
    assert len(rows(where)) == 2
    assert timelines.live(where).number != volumes.current(where)
    with pytest.raises(Refused, match="killed right after its swap"):
        plan.run(config, targets.undo)
    assert timelines.live(where).number != volumes.current(where)
    restore.run(config, targets.undo)
    assert len(rows(where)) == 4


def test_a_copy_that_is_adopted_again_by_the_same_request(
    environment, config, where, events, tmp_path
):
    add(events, 3)
    copy = tmp_path / "copy.tar"
    with open(copy, "wb") as file:
        export.run(config, file)
    named = {**environment, "PRA_REQUEST": "by-hand-1"}
    first = json.loads(pra(named, "adopt", "--json", str(copy)).stdout)
    SqliteEvents(config).add("a user wrote in between")
    again = json.loads(pra(named, "adopt", "--json", str(copy)).stdout)
    assert again == {**first, "already": True, "seconds": ANY}
    assert len(rows(where)) == 4
    said = pra(named, "adopt", str(copy)).stdout
    assert "an earlier attempt of this request did it; nothing was changed now" in said


def test_a_job_tells_its_identity_through_the_environment(environment, where, events):
    add(events, 3)
    job = {**environment, "PRA_REQUEST": "0b7c2f7e-6a43", "PRA_RESTORE_POINT": "before:3"}
    first = json.loads(pra(job, "restore", "--json").stdout)
    assert first["already"] is False
    again = json.loads(pra(job, "restore", "--json").stdout)
    assert again == {**first, "already": True, "seconds": ANY}
    assert pra({**job, "PRA_REQUEST": "a b"}, "restore").returncode == 2


def test_an_answer_that_names_many_unfit_points_is_kept_whole(where):
    skipped = [{"name": f"app-{number}.db", "reason": "x" * 100} for number in range(500)]
    answer = timelines.Request("job-1", "latest", {"skipped": skipped})
    opened = timelines.read(where, 1)._replace(number=2, request=answer)
    timelines.register(where, opened)
    assert timelines.read(where, 2) == opened._replace(active=False)
