"""The restore as a job does it: what to restore comes from the environment."""

import json

import pytest
from conftest import pra

from pra.protect import backup


def restored(environment, target, force="no"):
    environment = {**environment, "PRA_RESTORE_POINT": target, "PRA_RESTORE_FORCE": force}
    answer = pra(environment, "restore", "--json")
    return answer.returncode, json.loads(answer.stdout)


def test_each_kind_of_target(environment, config, where, events):
    events.add("first")
    point = backup.run(config)
    events.add("second")
    newest = json.loads(pra(environment, "log", "--json").stdout)["transactions"][0]
    code, report = restored(environment, point.name)
    assert (code, report["rows"]) == (0, 1)
    code, report = restored(environment, "undo")
    assert (code, report["rows"]) == (0, 2)
    code, report = restored(environment, "before:2")
    assert (code, report["rows"]) == (0, 1)
    code, report = restored(environment, "undo")
    assert (code, report["rows"]) == (0, 2)
    code, report = restored(environment, newest["time"])
    assert (code, report["rows"]) == (0, 2)
    code, report = restored(environment, "latest")
    assert (code, report["rows"]) == (0, 2)


@pytest.mark.parametrize("target", ["", "../app-1.db", "before:", "before:-1", "--force", "Today"])
def test_what_is_no_target_is_refused(environment, where, target):
    code, report = restored(environment, target)
    assert code == 2
    assert report["status"] == "error"


def test_a_quarantined_point_needs_the_word(environment, config, where, events):
    for number in range(4):
        events.add(f"row {number}")
    backup.run(config)
    events._database.write("deleting", lambda conn: conn.execute("DELETE FROM events"))
    suspect = backup.run(config)
    assert suspect.status == "quarantined"
    code, _ = restored(environment, suspect.name)
    assert code == 1
    code, report = restored(environment, suspect.name, force="yes")
    assert (code, report["rows"]) == (0, 0)
