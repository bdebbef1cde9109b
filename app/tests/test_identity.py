"""Which history: what lies on the volumes belongs to this one, or is never taken by default."""

import os
import shutil
import time

import pytest
from helpers import add, as_rows, bring, lose_data, rows

from pra.base import sealing, settings
from pra.events.sqlite import SqliteEvents
from pra.journal import records, segments
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup, retention
from pra.recovery import plan, restore
from pra.state import volumes


@pytest.fixture
def other(tmp_path, environment, request):
    """The settings of another lab, with a point of its rows, 50 unless a test says so."""
    paths = {"PRA_DATA_DIR": str(tmp_path / "data2"), "PRA_BACKUP_DIR": str(tmp_path / "backup2")}
    for path in paths.values():
        os.mkdir(path)
    config = settings.load({**environment, **paths})
    volumes.ensure_initialised(config.layout)
    add(SqliteEvents(config), getattr(request, "param", 50))
    backup.run(config)
    return config


def copy_point(source, target, name=None, to=None):
    """Copy a point with its manifest, as somebody does who tidies up."""
    name = name or catalogue.scan(source)[0].name
    to = to or name
    shutil.copy(source.point(name), target.point(to))
    if name == to:
        shutil.copy(source.manifest(name), target.manifest(to))
        return to
    with open(source.manifest(name), "rb") as file:
        content = sealing.unseal(file.read())
    with open(target.manifest(to), "wb") as file:
        file.write(sealing.seal({**content, "name": to}))
    return to


@pytest.mark.parametrize("other", [50, 7], indirect=True)
def test_a_point_of_another_lab_is_never_taken_by_default(config, where, events, other):
    added = add(events, 5)
    backup.run(config)
    added += add(events, 5)
    name = copy_point(other.layout, where, to=f"app-{int(time.time()) + 9}.db")
    listed = catalogue.find(catalogue.scan(where), name)
    assert (listed.status, "another history" in listed.reason) == ("foreign", True)
    assert plan.run(config, targets.latest)["lost"] == 0
    assert backup.run(config).serial == 2
    lose_data(where)
    assert bring(config)["point"] != name
    assert rows(where) == as_rows(added)
    # By its name it can be had, never without a word of what it is, and undone.
    for act in (plan.run, restore.run):
        answer = act(config, lambda where, known: targets.exact_point(catalogue.find(known, name)))
        assert f"{name} is foreign, and was taken all the same" in answer["warnings"][0]
    assert rows(where) == rows(other.layout)
    restore.run(config, targets.undo)
    assert rows(where) == as_rows(added)


def test_retention_neither_counts_nor_removes_what_is_foreign(environment, where, events, other):
    add(events, 1)
    config = settings.load({**environment, "PRA_KEEP_MIB": "1", "PRA_KEEP_LAST": "2"})
    ours = [backup.run(config).name for _ in range(3)]
    name = copy_point(other.layout, where, to="app-1.db")
    with open(where.point("app-2.db"), "wb") as file:
        file.truncate(10 << 20)
    retention.run(config, dry_run=False)
    kept = {point.name for point in catalogue.scan(where)}
    assert kept == {*ours[1:], name, "app-2.db"}


def test_a_segment_of_another_lab_is_neither_followed_nor_removed(config, where, events, other):
    added = add(events, 3)
    (segment,) = segments.listing(other.layout)
    strange = f"{where.journal}/1-{99:020d}.seg"
    header = segments.header_only(segment)._replace(seq=98, applied_seq=98)
    with open(strange, "wb") as file:
        file.write(records.encode_segment_header(header).ljust(4096, b"\0"))
    events = SqliteEvents(config)
    added += add(events, 2)
    backup.run(config)
    assert os.path.exists(strange)
    lose_data(where)
    bring(config)
    assert rows(where) == as_rows(added)


def test_a_point_that_the_journal_contradicts_is_no_base(config, where, events, tmp_path):
    """The backup volume was rolled back, and a point of the past given up was brought along."""
    add(events, 4)
    backup.run(config)
    shutil.copytree(where.data, tmp_path / "kept-data", symlinks=True)
    shutil.copytree(where.backup, tmp_path / "kept", symlinks=True)
    add(events, 3)
    stray = backup.run(config).name
    shutil.copytree(where.backup, tmp_path / "future", symlinks=True)
    for volume, kept in ((where.data, "kept-data"), (where.backup, "kept")):
        shutil.rmtree(volume)
        shutil.copytree(tmp_path / kept, volume, symlinks=True)
    added = rows(where) + as_rows(add(SqliteEvents(config), 3))
    for kind in (where.point, where.manifest):
        path = kind(stray)
        shutil.copy(tmp_path / "future" / os.path.basename(path), path)
    lose_data(where)
    restored = bring(config)
    assert [one["name"] for one in restored["skipped"]] == [stray]
    assert "another transaction 7" in restored["skipped"][0]["reason"]
    assert rows(where) == added
