"""/status and /health answer whatever is missing or broken, and say what it is."""

import os
import shutil

import pytest
from conftest import APP
from helpers import lose_data, rewrite

from pra.events.sqlite import SqliteEvents
from pra.web.routes import create_app


def _link_replaced(where):
    os.remove(where.link)
    with open(where.link, "w"):
        pass


def _link_removed(where):
    os.remove(where.link)


def _database_emptied(where):
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(os.path.realpath(where.link), 0)


def _marks_damaged(where):
    for volume in (where.data, where.backup):
        for folder in (".pra", ".pra-copy"):
            with open(f"{volume}/{folder}/volume.json", "w") as file:
                file.write("no mark")


def _timelines_gone(where):
    for folder in (".pra", ".pra-copy"):
        shutil.rmtree(f"{where.backup}/{folder}/timelines")


def _locks_gone(where):
    shutil.rmtree(where.locks)


def _journal_is_a_file(where):
    shutil.rmtree(where.journal)
    with open(where.journal, "w"):
        pass


def _gone(*volumes):
    def breakage(where):
        for volume in volumes:
            shutil.rmtree(getattr(where, volume))

    return breakage


def _a_file(volume):
    def breakage(where):
        _gone(volume)(where)
        with open(getattr(where, volume), "w") as file:
            file.write("no folder")

    return breakage


#: What can be broken, and whether /status has to say so in its notices.
BREAKAGES = {
    "data gone": (_gone("data"), True),
    "backup gone": (_gone("backup"), True),
    "both gone": (_gone("data", "backup"), True),
    "data is a file": (_a_file("data"), True),
    "backup is a file": (_a_file("backup"), True),
    "a file in the link's place": (_link_replaced, True),
    "database emptied": (_database_emptied, True),
    "data lost": (lose_data, False),
    "link removed": (_link_removed, False),
    "marks damaged": (_marks_damaged, False),
    "timelines gone": (_timelines_gone, False),
    "locks gone": (_locks_gone, False),
    "the journal is a file": (_journal_is_a_file, False),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_status_and_health_answer_whatever_is_broken(config, where, name):
    breakage, noticed = BREAKAGES[name]
    events = SqliteEvents(config)
    client = create_app(events).test_client()
    client.post("/add", data={"message": "x"})
    breakage(where)
    # Both of a server that has it open and of one that starts now.
    for one in (client, create_app(SqliteEvents(config)).test_client()):
        answer = one.get("/status")
        said = answer.get_json()
        assert answer.status_code == 200, said
        assert {"count", "protection", "last_backup_file", "unprotected"} <= set(said)
        wrong = said["notices"] or said["unprotected"] or said["needs_restore"]
        assert wrong, "something is broken, and nothing says so"
        assert bool(said["notices"]) or not noticed
        assert all(notice["what"] and notice["next"] for notice in said["notices"])
        health = one.get("/health")
        assert (health.status_code, health.get_json()["status"]) == (200, "ok")
        for path in ("/count", "/consultation"):
            assert one.get(path).status_code in (200, 503)
        refused = one.post("/add", data={"message": "y"})
        assert refused.status_code == 503 and refused.get_json()["next"]
        for each in (answer, health, refused):
            text = each.get_data(as_text=True)
            assert where.data not in text and where.backup not in text
            assert os.path.dirname(where.data) not in text and str(APP) not in text


def test_what_can_be_known_is_said_beside_what_cannot(config, where):
    client = create_app(SqliteEvents(config)).test_client()
    client.post("/add", data={"message": "x"})
    shutil.rmtree(where.backup)
    said = client.get("/status").get_json()
    assert (said["count"], said["needs_restore"], said["points"]) == (1, False, None)
    assert set(said["volumes"]) == {"data"}
    assert [notice["what"] for notice in said["notices"]] == [
        "the backup volume is not there (pra-backup is no folder)"
    ]


@pytest.mark.parametrize("part", ["scandir", "listdir", "stat", "statvfs", "readlink", "open"])
def test_status_and_health_answer_while_a_disk_fails(config, where, monkeypatch, part):
    client = create_app(SqliteEvents(config)).test_client()
    client.post("/add", data={"message": "x"})
    real = getattr(os, part)

    def failing(path=".", *arguments, **options):
        if str(path).startswith((where.data, where.backup)):
            raise OSError(5, os.strerror(5), str(path))
        return real(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, part, failing)
        answer, health = client.get("/status"), client.get("/health")
    assert (answer.status_code, health.status_code) == (200, 200)
    said = answer.get_json()
    assert said["notices"] or said["unprotected"]
    assert where.data not in answer.get_data(as_text=True)
    assert client.get("/status").get_json()["notices"] == []
