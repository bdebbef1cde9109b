"""What a verb loads before it works: in a recovery, users wait for it."""

import json
import subprocess
import sys

import pytest
from conftest import APP, pra
from helpers import add, lose_data

from pra.commands import cli
from pra.protect import backup

#: Each takes longer to load than a restore of a small database takes to do.
SLOW = {"dataclasses", "inspect", "shutil", "tarfile", "flask", "psycopg", "boto3", "pyrage"}
#: Needed where threads copy and check whole files; it brings ``logging`` along.
THREADS = {"concurrent.futures", "logging"}
_LOADED = """
import json, sys
from pra.commands.cli import main
code = main(sys.argv[1:])
print(json.dumps([code, *sys.modules]))
"""


def loaded(environment, *arguments):
    """The modules that a verb loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments],
        cwd=APP,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, *modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout
    return set(modules)


@pytest.mark.parametrize("verb", [["restore", "latest"], ["points"], ["backup"]])
def test_a_verb_loads_nothing_slow(environment, config, where, events, verb):
    add(events, 3)
    backup.run(config)
    if verb[0] == "restore":
        lose_data(where)
    modules = loaded(environment, *verb)
    assert "pra.points.catalogue" in modules
    assert not modules & SLOW
    assert verb != ["points"] or not modules & THREADS
    # Only who copies whole files, or writes, needs it.
    assert verb[0] == "restore" or "ctypes" not in modules


def test_the_help_lists_every_verb_and_an_unknown_one_is_told_of_all(environment):
    everything = pra(environment, "--help").stdout
    unknown = json.loads(pra(environment, "frobnicate", "--json").stdout)["error"]
    for verb in cli._VERBS:
        assert f"\n    {verb} " in everything
        assert repr(verb) in unknown
        assert pra(environment, verb, "--help").stdout.startswith(f"usage: python -m pra {verb} ")
