"""The ways that a refusal names do lead on, and nothing is copied that is not the live history."""

import io
import json
import os
import shutil

import pytest
from helpers import add, as_rows, bring, content, last_segment, lose_data, overwrite, rows

from pra.base import layout, sealing, settings
from pra.base.errors import Damaged, PraError, Refused
from pra.disk import look
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.lineage import marks
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup, export, notices, retention
from pra.recovery import restore


def restores(config, how, name):
    """One of the ways on: ``current``, ``name`` or ``forced``; its answer."""
    if how == "current":
        return restore.run(config, targets.current)
    return bring(config, "latest" if how == "forced" else name, how == "forced")


def spoil(path):
    """Bytes in the middle of a small file are no longer what was written."""
    raw = content(path)
    overwrite(path, raw[:40] + bytes(byte ^ 0xFF for byte in raw[40:42]) + raw[42:])


def spoil_both(path):
    for one in (path, layout.twin(path)):
        spoil(one)


@pytest.fixture
def put_back(tmp_path, where):
    """Takes a copy of the data volume; called later it puts that back, as a storage would."""
    aside = f"{tmp_path}/aside"

    def take():
        shutil.copytree(where.data, aside, symlinks=True)

        def back():
            shutil.rmtree(where.data)
            shutil.copytree(aside, where.data, symlinks=True)

        return back

    return take


@pytest.mark.parametrize("mode", ["required", "off"])
def test_no_copy_is_exported_of_a_database_that_is_not_the_live_one(
    environment, where, put_back, mode
):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    add(SqliteEvents(config), 4)
    backup.run(config)
    back = put_back()
    restore.run(config, targets.latest)
    add(SqliteEvents(config), 3)
    back()
    out = io.BytesIO()
    with pytest.raises(Refused, match="the live one is 2") as refused:
        export.run(config, out)
    assert str(refused.value).startswith("exporting: ")
    assert not out.getvalue()


def test_no_copy_is_exported_of_a_database_that_is_behind_a_point(environment, where, put_back):
    config = settings.load({**environment, "PRA_JOURNAL": "off"})
    add(SqliteEvents(config), 4)
    back = put_back()
    add(SqliteEvents(config), 3)
    backup.run(config)
    back()
    out = io.BytesIO()
    with pytest.raises(Refused, match="it is older"):
        export.run(config, out)
    assert not out.getvalue()


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("how", ["forced", "name", "current"])
def test_a_segment_with_a_damaged_header_locks_nobody_out(config, where, events, how, lost):
    add(events, 3)
    point = backup.run(config)
    add(events, 4)
    spoil(last_segment(where))
    if lost:
        lose_data(where)
    with pytest.raises(Damaged, match="header is damaged"):
        bring(config)
    if lost and how == "current":
        bring(config, point.name)
    assert restores(config, how, point.name)["rows"] == (7 if how == "current" and not lost else 3)
    assert SqliteEvents(config).add("on")["id"]


@pytest.mark.parametrize("record", ["timeline", "activation"])
@pytest.mark.parametrize("how", ["current", "name"])
def test_the_ways_lead_on_where_the_live_record_is_lost(config, where, events, how, record):
    add(events, 3)
    point = backup.run(config)
    bring(config)
    added = add(SqliteEvents(config), 2)
    spoil_both(getattr(where, record)(2))
    for refused in (lambda: SqliteEvents(config).add("x"), lambda: bring(config)):
        with pytest.raises(PraError, match="uncertain") as stopped:
            refused()
        assert "restore current" in stopped.value.next_step
        assert "by name" in stopped.value.next_step
    answer = restores(config, how, point.name)
    assert answer["rows"] == (5 if how == "current" else 3)
    assert SqliteEvents(config).add("on")["id"] > added[-1]["id"]
    assert bring(config)["rows"] == answer["rows"] + 1
    assert look.size(where.point(point.name))


def test_the_record_of_an_ancestor_decides_nothing(config, where, events):
    added = add(events, 3)
    backup.run(config)
    for _ in range(2):
        bring(config)
        added += add(SqliteEvents(config), 2)
    spoil_both(where.timeline(1))
    assert backup.run(config).status == "verified"
    assert not retention.run(config, dry_run=True)["removed"]
    assert not notices.found(config, catalogue.scan(where))
    lose_data(where)
    assert bring(config)["rows"] == 7
    assert rows(where) == as_rows(added)


def test_a_lost_record_is_no_damage_of_the_database(config, where, events):
    add(events, 2)
    backup.run(config)
    bring(config)
    add(SqliteEvents(config), 1)
    real = backup.new_base.refuse_not_live

    def spoil_first(*arguments):
        spoil_both(where.timeline(2))
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup.new_base, "refuse_not_live", spoil_first)
        with pytest.raises(Damaged):
            backup.run(config)
    assert not notices.found(config, catalogue.scan(where))


def as_the_version_before(where):
    """Marks and records as they were once: kept once, and without a seal."""
    for directory in (where.data, where.backup):
        old = {**sealing.unseal(content(marks.path(directory))), "format": 1}
        overwrite(marks.path(directory), json.dumps(old).encode())
        shutil.rmtree(f"{directory}/{layout.COPY}")
    for name in os.listdir(where.timelines):
        path = f"{where.timelines}/{name}"
        known = sealing.unseal(content(path))
        old = json.dumps({**known, "format": 1}).encode()
        overwrite(path, b"" if name.endswith(".active") else old)


@pytest.mark.parametrize("mode", ["required", "off"])
@pytest.mark.parametrize("how", ["current", "name"])
def test_volumes_of_the_version_before_are_refused_with_ways_that_work(
    environment, where, how, mode
):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    added = add(SqliteEvents(config), 3)
    point = backup.run(config)
    added += add(SqliteEvents(config), 2)
    as_the_version_before(where)
    start.prepare(config)
    for refused in (lambda: SqliteEvents(config).add("x"), lambda: backup.run(config)):
        with pytest.raises(PraError, match="earlier version") as stopped:
            refused()
        assert "restore current" in stopped.value.next_step
    answer = restores(config, how, point.name)
    assert rows(where) == as_rows(added)[: answer["rows"]]
    assert answer["rows"] == (5 if how == "current" else 3)
    assert backup.run(config).status == "verified"
    assert SqliteEvents(config).add("on")["id"] == 6
    assert look.size(where.point(point.name)), "what was there stays"
