"""A pipe or a folder in a file's place hides nothing else, and keeps nobody waiting."""

import os

import pytest
from helpers import add, last_segment
from together import Asked

from pra.disk import locks
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.points import catalogue
from pra.protect import backup, notices
from pra.state import mode
from pra.web.routes import create_app

#: What can be replaced, and what /status then says of it, as a client sees it.
PLACES = {
    "manifest": (lambda where, point: where.manifest(point), "the manifest is no regular file"),
    "damage": (lambda where, point: where.damage, "pra-backup/.pra/damage.json is no regular file"),
    "mode": (
        lambda where, point: where.mode,
        "looking at the journal's mode: pra-backup/.pra/mode.json is no regular file",
    ),
    "mark": (
        lambda where, point: f"{where.backup}/.pra/volume.json",
        "pra-backup/.pra/volume.json is lost: it is no regular file",
    ),
    "mark's copy": (
        lambda where, point: f"{where.data}/.pra-copy/volume.json",
        "pra-data/.pra-copy/volume.json is lost: it is no regular file",
    ),
    "segment": (lambda where, point: last_segment(where), ".seg"),
}
KINDS = pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])


@KINDS
@pytest.mark.parametrize("place", PLACES)
def test_status_names_what_is_no_file(config, where, kind, place):
    start.prepare(config)
    events = SqliteEvents(config)
    add(events, 2)
    point = backup.run(config).name
    path, expected = PLACES[place]
    path = path(where, point)
    if os.path.exists(path):
        os.remove(path)
    kind(path)
    for one in (events, SqliteEvents(config)):
        client = create_app(one).test_client()
        answer = Asked(lambda client=client: client.get("/status")).end().result
        said = answer.get_json()
        assert (answer.status_code, said["count"]) == (200, 2)
        assert expected in answer.get_data(as_text=True)
        assert where.backup not in answer.get_data(as_text=True)


@KINDS
def test_a_start_with_a_mode_goes_on_where_the_volumes_cannot_say(config, where, kind, caplog):
    start.prepare(config)
    os.remove(where.mode)
    kind(where.mode)
    Asked(lambda: start.prepare(config)).end()
    assert "mode.json is no regular file" in caplog.text
    assert SqliteEvents(config).add("goes on")["id"] == 1
    if kind is os.mkfifo:
        assert mode.of(where) == config.journal


def test_a_pipe_in_a_locks_place_keeps_nobody_waiting(where):
    os.remove(f"{where.locks}/maintenance")
    os.mkfifo(f"{where.locks}/maintenance")

    def take():
        with locks.maintenance(where, "testing"):
            return True

    assert Asked(take).end().result


def damaged(where, point):
    os.truncate(where.manifest(point.name), 10)


def test_a_damaged_point_is_announced_with_what_is_left(config, where, events):
    add(events, 1)
    only = backup.run(config)
    damaged(where, only)
    (notice,) = events.status()["notices"]
    assert f"{only.name} is damaged (the manifest was changed" in notice["what"]
    assert "there is no good point" in notice["what"]
    assert "python -m pra backup" in notice["next"]
    # What it says to do makes it good.
    good = backup.run(config)
    said = [one.what for one in notices.found(config, catalogue.scan(where))]
    assert len(said) == 1 and f"the last good point is {good.name}" in said[0]
    newest = backup.run(config)
    damaged(where, newest)
    (said,) = notices.found(config, catalogue.scan(where))
    assert said.what.startswith(f"{newest.name} is damaged") and "1 more" in said.what


def test_points_that_are_sound_are_not_announced(config, where, events):
    add(events, 1)
    backup.run(config)
    assert events.status()["notices"] == []
