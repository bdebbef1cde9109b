"""The fuzz suite finds what it looks for."""

import time

import pytest

from faults import fuzz
from faults.world import World
from pra.commands import cli


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
