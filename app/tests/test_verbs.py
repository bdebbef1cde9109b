"""The command line as others call it: JSON shapes and exit codes."""

import json

import pytest
from conftest import pra
from helpers import add, content, last_segment, lose_data, overwrite

from pra.base import errors
from pra.base.errors import Refused
from pra.commands import cli
from pra.disk import files, locks, look
from pra.state import volumes


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


def test_two_empty_volumes_are_told_how_to_begin(environment):
    """Nothing can be restored, so nobody is sent to a restore."""
    for verb in ("backup", "dump", "export"):
        said = pra(environment, verb).stderr
        assert "python -m pra serve begins anew" in said and "restore latest" not in said
    assert said.startswith("pra: exporting: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("restore", "--to", "yesterday"), 2),
        (("restore", "app-1.db", "--to-before", "3"), 2),
        (("restore", "--to-before", "99"), 2),
        (("restore", "--to", "2000-01-01T00:00:00Z"), 2),
        (("restore", "app-1.db"), 2),
        (("dump", "--point", "app-1.db"), 2),
        (("restore", "--to-before", "x"), 2),
        (("undo",), 2),
        (("log", "--limit", "x"), 2),
    ],
)
def test_wrong_or_refused_uses(environment, where, events, arguments, code):
    add(events, 1)
    assert document(environment, *arguments, code=code)["status"] == "error"


def test_what_damage_hides_is_a_broken_promise_and_no_wrong_use(environment, where, events):
    add(events, 4)
    point = document(environment, "backup")["point"]["name"]
    add(events, 3)
    journal = last_segment(where)
    raw = bytearray(content(journal))
    raw[raw.index(b"message 1")] ^= 1
    overwrite(journal, bytes(raw))
    said = document(environment, "restore", "--to-before", "7", code=1)["error"]
    assert "no transaction 7 that can be read: records before 3 are damaged" in said
    with open(where.point(point), "r+b") as file:
        file.write(b"x")
    for word in (point, "latest"):
        assert document(environment, "restore", word, code=1)["exit_code"] == 1
    assert document(environment, "restore", "app-1.db", code=2)["exit_code"] == 2


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
    monkeypatch.setattr(look, "free_bytes", lambda path: 0)
    assert cli.main(["restore", point]) == errors.EXIT_REFUSED == 1
    assert "0 are free" in capsys.readouterr().err


def test_after_a_loss_the_next_step_is_not_the_moment_that_has_the_loss(environment, where, events):
    add(events, 4)
    document(environment, "backup")
    events._database.write("losing", lambda conn: conn.execute("DELETE FROM events") and None)
    refused = document(environment, "backup", code=1)
    said = refused["next"]
    assert refused["exit_code"] == 1
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
    monkeypatch.setattr(files, "try_lock", lambda fd: True)
    with pytest.raises(Refused, match="network file system"):
        volumes.probe(where.backup)
