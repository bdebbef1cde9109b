"""The command line as others call it: JSON shapes and exit codes."""

import json

import pytest
from conftest import pra
from helpers import add, lose_data

from pra import cli, errors, fileops, locks, volumes
from pra.errors import Refused


def document(environment, *arguments, code=0):
    done = pra(environment, *arguments, "--json")
    assert done.returncode == code, done
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def test_a_whole_recovery_by_command_line(environment, where, events):
    add(events, 3)
    point = document(environment, "backup")["point"]
    add(events, 3)
    listing = document(environment, "points")
    assert listing["latest"] == point["name"]
    assert listing["journal"]["mode"] == "required"
    assert listing["journal"]["last_seq"] == 6
    assert listing["journal"]["first_seq"] == 0
    lose_data(where)
    restored = document(environment, "restore")
    assert (restored["rows"], restored["replayed"]) == (6, 3)
    assert set(restored["seconds"]) == {"verify", "build", "swap", "total"}


def test_moments_log_plan_and_undo(environment, where, events):
    add(events, 4)
    logged = document(environment, "log", "--limit", "2")["transactions"]
    assert [one["seq"] for one in logged] == [4, 3]
    plan = document(environment, "restore", "--to-before", "3", "--plan")
    assert (plan["rows"], plan["lost"]) == (2, 2)
    assert document(environment, "restore", "--to-before", "3")["rows"] == 2
    plan = document(environment, "undo", "--plan")
    assert (plan["rows"], plan["gained"], plan["left_behind"]) == (4, 2, None)
    assert document(environment, "undo")["rows"] == 4
    assert document(environment, "restore", "--to", logged[0]["time"])["rows"] == 4
    assert document(environment, "points")["journal"]["first_seq"] == 0
    assert document(environment, "prune", "--dry-run")["removed"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("restore", "--to", "yesterday"), 2),
        (("restore", "app-1.db", "--to-before", "3"), 2),
        (("restore", "--to-before", "99"), 1),
        (("restore", "--to-before", "x"), 2),
        (("undo",), 1),
        (("log", "--limit", "x"), 2),
    ],
)
def test_wrong_or_refused_uses(environment, where, events, arguments, code):
    assert document(environment, *arguments, code=code)["status"] == "error"


def test_what_may_pass_has_another_exit_code_than_a_refusal(
    environment, where, events, monkeypatch, capsys
):
    # The jobs' manifests try again after the one and not after the other.
    point = document(environment, "backup")["point"]["name"]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(locks, "MAINTENANCE_WAIT", 0)
    with locks.maintenance(where, "testing"):
        assert cli.main(["restore", point]) == errors.EXIT_TIMEOUT == 5
    monkeypatch.setattr(fileops, "free_bytes", lambda path: 0)
    assert cli.main(["restore", point]) == errors.EXIT_REFUSED == 1
    assert "0 are free" in capsys.readouterr().err


def test_after_a_loss_the_next_step_is_not_the_moment_that_has_the_loss(environment, where, events):
    add(events, 4)
    document(environment, "backup")
    events._database.write("losing", lambda conn: conn.execute("DELETE FROM events") and None)
    said = document(environment, "backup", code=1)["next"]
    assert "restore latest" not in said
    assert said.startswith("python -m pra log --largest")
    found = document(environment, "log", "--largest")["transactions"][0]
    assert document(environment, "restore", "--to-before", str(found["seq"]))["rows"] == 4
    assert document(environment, "backup")["status"] == "ok"


def test_text_output_is_for_people(environment, where, events):
    add(events, 2)
    assert "verified" in pra(environment, "backup").stdout
    assert "any moment from" in pra(environment, "points").stdout
    assert "+1 ~0 -0" in pra(environment, "log").stdout
    assert "nothing was changed" in pra(environment, "restore", "--plan").stdout
    assert "2 rows" in pra(environment, "restore").stdout


def test_a_volume_that_breaks_its_promises_is_refused(where, monkeypatch):
    monkeypatch.setattr(fileops, "try_lock", lambda fd: True)
    with pytest.raises(Refused, match="network file system"):
        volumes.probe(where.backup)
