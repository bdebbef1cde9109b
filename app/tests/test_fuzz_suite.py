"""The fuzz suite finds what it looks for."""

import time

import apsw
import pytest

from faults import fuzz
from faults.world import World
from pra.base import sealing
from pra.base.errors import Damaged
from pra.commands import cli
from pra.events.sqlite import SqliteEvents
from pra.points import manifest
from pra.protect import backup
from pra.sql import connect, schema


def crash(arguments):
    raise KeyError("a field")


def say_nothing(arguments):
    return 0


def end_otherwise(arguments):
    print("something")
    return 7


def take_memory(arguments):
    print(len(bytearray(4 * fuzz.MEMORY)))
    return 0


def take_time(arguments):
    time.sleep(60)


def write_elsewhere(arguments):
    with open(fuzz.ELSEWHERE, "w") as file:
        print("written", file=file)
    print("something")
    return 0


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (crash, "KeyError"),
        (say_nothing, "says nothing"),
        (end_otherwise, "ended with 7"),
        (take_memory, "MemoryError"),
        (take_time, "took longer"),
        (write_elsewhere, "outside of the volumes"),
    ],
)
def test_what_a_verb_must_not_do_is_found(tmp_path, monkeypatch, act, told):
    monkeypatch.setattr(cli, "main", act)
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    monkeypatch.setattr(fuzz, "ELSEWHERE", str(tmp_path / "elsewhere"))
    world = World.empty(str(tmp_path / "volumes"))
    assert told in fuzz._examined(world, (("points",),), str(tmp_path))


def test_what_a_verb_may_do_is_no_problem(tmp_path):
    world = World.empty(str(tmp_path / "volumes"))
    assert fuzz._examined(world, (("points",), ("verify",)), str(tmp_path)) is None


@pytest.mark.parametrize("value", [None, "1", 1.5, b"1"])
def test_a_position_of_other_kinds_is_damage(value):
    """SQLite hands on whatever a page has: /status ended in a TypeError."""
    conn = apsw.Connection(":memory:")
    conn.execute("CREATE TABLE pra_position(lineage, timeline, seq, hash, schema, start_rows)")
    conn.execute("INSERT INTO pra_position VALUES ('a', 1, ?, 'b', 'c', 0)", (value,))
    with pytest.raises(Damaged, match="other kinds"), connect.errors("looking"):
        schema.position(conn)


def test_a_text_that_is_none_is_damage():
    conn = apsw.Connection(":memory:")
    with pytest.raises(Damaged, match="UTF-8"), connect.errors("looking"):
        conn.execute("SELECT CAST(x'ff61' AS TEXT)").fetchall()


PLACE = {"lineage": "a", "timeline": 1, "seq": 2, "hash": "ab" * 32}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", {**PLACE, "seq": None}),
        ("position", {**PLACE, "hash": "x" * 64}),
        ("position", {"seq": 1}),
        ("steady_time", []),
        ("clock", 1),
        ("begins", "no"),
        ("accepted", None),
        ("suspect_since", "1"),
        ("lineage", 1),
    ],
)
def test_a_sealed_manifest_of_other_kinds_is_refused(config, where, field, value):
    """Listings, restore and retention take its fields as they are."""
    SqliteEvents(config).add("one")
    content = dict(backup.run(config).manifest)
    name = content["name"]
    assert manifest.decode(sealing.seal(content), name)["rows"] == 1
    with pytest.raises(ValueError, match=f"no valid {field}"):
        manifest.decode(sealing.seal({**content, field: value}), name)
