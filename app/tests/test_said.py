"""Whatever refuses writes is said by /status, with a way on that works."""

import os
import shutil

import pytest
from helpers import add, rewrite

from pra.base import settings
from pra.base.errors import PraError
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.pitr import targets
from pra.protect import backup, define
from pra.recovery import restore


def put_back(where, wrote):
    """The data volume is put back to before something was written."""
    shutil.copytree(where.data, f"{where.data}-aside", symlinks=True)
    wrote()
    shutil.rmtree(where.data)
    os.rename(f"{where.data}-aside", where.data)


def behind_a_point(config, where):
    def wrote():
        add(SqliteEvents(config), 1)
        backup.run(config)

    put_back(where, wrote)


def behind_the_journal(config, where):
    """Of the time when there was one."""
    journaled = config._replace(journal="required")
    start.prepare(journaled)
    put_back(where, lambda: add(SqliteEvents(journaled), 260))


def no_mark(config, where):
    for folder in (".pra", ".pra-copy"):
        shutil.rmtree(f"{where.data}/{folder}")


def no_locks(config, where):
    shutil.rmtree(where.locks)


def no_journal(config, where):
    shutil.rmtree(where.journal)


def not_followed(config, where):
    rewrite(where, "CREATE VIRTUAL TABLE found USING fts5(text)")


def no_place(config, where):
    rewrite(where, "DELETE FROM pra_position")


@pytest.mark.parametrize(
    ("mode", "broken"),
    [
        *((mode, no_place) for mode in ("off", "best-effort", "required")),
        ("off", behind_a_point),
        ("off", behind_the_journal),
        *((mode, no_mark) for mode in ("off", "best-effort", "required")),
        ("required", no_locks),
        ("required", no_journal),
        ("required", not_followed),
    ],
)
@pytest.mark.usefixtures("unsynced")
def test_writes_that_are_refused_are_no_healthy_status(environment, where, mode, broken):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    start.prepare(config)
    add(SqliteEvents(config), 3)
    backup.run(config)
    assert SqliteEvents(config).status()["unprotected"] is None
    broken(config, where)
    start.prepare(config)
    said = SqliteEvents(config).status()["unprotected"]
    with pytest.raises(PraError) as refused:
        SqliteEvents(config).add("x")
    assert refused.value.happened in said
    if "define 'SQL'" in refused.value.next_step:
        define.run(config, "DROP TABLE found")
    elif "mkdir" in refused.value.next_step:
        files.make_directory(refused.value.next_step.split()[-1])
    else:
        assert "python -m pra restore latest" in refused.value.next_step
        restore.run(config, targets.latest)
    assert SqliteEvents(config).add("goes on")
    assert SqliteEvents(config).status()["unprotected"] is None


@pytest.mark.usefixtures("unsynced")
def test_a_database_that_is_ahead_is_told_of_a_command_that_knows_the_way(config, where):
    """What a loss of power explains, the backup tells; where nothing does, it names the ways."""
    add(SqliteEvents(config), 2)
    shutil.copytree(where.backup, f"{where.backup}-aside", symlinks=True)
    add(SqliteEvents(config), 5)
    shutil.rmtree(where.backup)
    os.rename(f"{where.backup}-aside", where.backup)
    with pytest.raises(PraError) as refused:
        SqliteEvents(config).add("x")
    assert "python -m pra backup makes a new base" in refused.value.next_step
    assert "or says which ways lead on" in refused.value.next_step
    with pytest.raises(PraError) as refused:
        backup.run(config)
    assert "restore current" in refused.value.next_step
    assert restore.run(config, targets.current)["rows"] == 7
    assert SqliteEvents(config).add("goes on")
