"""What a restore finds in its place: all of it is kept to the last write, and all is said."""

import glob
import os
import shutil
from unittest import mock

import pytest
from helpers import (
    Crash,
    add,
    as_rows,
    bring,
    content,
    last_segment,
    lose_data,
    overwrite,
    rewrite,
    rows,
)

from pra.base import sealing, settings
from pra.base.errors import Unknown
from pra.commands import answers
from pra.disk import copying
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.lineage import timelines
from pra.pitr import targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore, safety
from pra.sql import connect
from pra.state import volumes


def of_mode(environment, mode, **more):
    return settings.load({**environment, "PRA_JOURNAL": mode, **more})


def damage_a_row(where, holding):
    """One byte of the current database, where readers find it and a writer does not."""
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = os.path.realpath(where.link)
    overwrite(path, content(path).replace(holding, b"Y" + holding[1:], 1))


def bytes_of_points(where):
    kept = [where.point(point.name) for point in catalogue.scan(where)]
    return b"".join(map(content, kept + glob.glob(f"{where.raw}/*")))


@pytest.mark.parametrize("mode", ["off", "best-effort", "required"])
def test_a_write_beside_the_copy_of_a_damaged_database_is_kept(environment, where, mode):
    config = of_mode(environment, mode)
    events = SqliteEvents(config)
    for _ in range(30):
        events.add("x" * 3000)
    backup.run(config)
    damage_a_row(where, b"x" * 3000)
    SqliteEvents(config).add("since the point")
    real = safety.keep

    def keep(*arguments):
        kept = real(*arguments)
        if kept.raw and not written:
            written.append(SqliteEvents(config).add("while it was copied"))
        return kept

    written = []
    with mock.patch.object(safety, "keep", keep):
        answer = restore.run(config, targets.latest)
    assert written
    if mode == "off":
        assert b"while it was copied" in bytes_of_points(where)
    else:
        assert rows(where)[-1] == as_rows(written)[0]
    said = any(answer["safety_point"] in one for one in answer["warnings"])
    assert said == (mode != "required"), answer["warnings"]


def test_a_damaged_database_that_nobody_writes_to_is_kept_once(environment, where):
    config = of_mode(environment, "off")
    for _ in range(30):
        SqliteEvents(config).add("x" * 3000)
    backup.run(config)
    damage_a_row(where, b"x" * 3000)
    SqliteEvents(config).add("since the point")
    restore.run(config, targets.latest)
    assert [point.status for point in catalogue.scan(where)].count("safety") == 1


def test_what_the_lost_link_led_to_is_named_and_stays(environment, where):
    config = of_mode(environment, "off", PRA_KEEP_SAFETY_HOURS="0")
    add(SqliteEvents(config), 3)
    backup.run(config)
    more = add(SqliteEvents(config), 4)
    everything = rows(where)
    os.unlink(where.link)
    answer = bring(config)
    assert (answer["rows"], answer["safety_point"]) == (3, None)
    (name,) = answer["also_kept"]
    assert any(name in one and "7 rows" in one for one in answer["warnings"])
    assert f"what was there before: {name}\n" in answers.restored(answer)
    with pytest.raises(Unknown) as refused:
        restore.run(config, targets.undo)
    assert name in refused.value.next_step
    add(SqliteEvents(config), 1)
    backup.run(config)
    bring(config, name)
    assert rows(where) == everything
    assert rows(where)[3:] == as_rows(more)


def test_a_lost_segment_behind_a_new_base_is_said(config, where, events):
    add(events, 3)
    backup.run(config)
    rewrite(where, "CREATE INDEX i ON events(ts)")
    backup.run(config)
    add(events, 5)
    os.unlink(last_segment(where))
    assert "what followed that is gone" in SqliteEvents(config).status()["journal_damage"]
    lose_data(where)
    planned = plan.run(config, targets.latest)["warnings"]
    answer = bring(config)
    assert answer["rows"] == 3
    for said in (planned, answer["warnings"]):
        assert any("last acknowledged writes may be missing" in one for one in said), said


def test_a_new_base_that_nothing_followed_is_in_no_doubt(config, where, events):
    add(events, 3)
    rewrite(where, "CREATE INDEX i ON events(ts)")
    backup.run(config)
    lose_data(where)
    assert bring(config)["warnings"] == []


def test_what_an_unfinished_restore_kept_is_passed_over_aloud(environment, where):
    config = of_mode(environment, "off")
    add(SqliteEvents(config), 3)
    backup.run(config)
    add(SqliteEvents(config), 2)
    with mock.patch.object(volumes, "switch", side_effect=Crash), pytest.raises(Crash):
        bring(config)
    kept = catalogue.scan(where)[0]
    lose_data(where)
    answer = bring(config)
    assert [one["name"] for one in answer["skipped"]] == [kept.name]
    assert any(one.startswith(kept.name) for one in answer["warnings"])
    assert bring(config, kept.name)["rows"] == 5


def test_what_the_journal_has_and_the_new_live_history_lacks_is_said(
    config, where, events, tmp_path
):
    add(events, 4)
    backup.run(config)
    shutil.copytree(where.data, tmp_path / "older", symlinks=True)
    later = add(events, 5)
    shutil.rmtree(where.data)
    shutil.copytree(tmp_path / "older", where.data, symlinks=True)
    (said,) = restore.run(config, targets.current)["warnings"]
    assert "5 transactions (5 to 9)" in said
    assert len(rows(where)) == 4
    restore.run(config, lambda where, known: targets.just_before(where, 9))
    assert rows(where)[4:] == as_rows(later)[:-1]
    restore.run(config, targets.latest)
    assert restore.run(config, targets.current)["warnings"] == []


@pytest.mark.parametrize("force", [False, True])
def test_force_too_passes_over_a_base_that_the_journal_does_not_fit(config, where, events, force):
    add(events, 3)
    good = backup.run(config)
    add(events, 1)
    rotten = backup.run(config)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    events._database.write("removing", lambda conn: conn.execute("DELETE FROM events WHERE id=2"))
    live = rows(where)
    path = where.point(rotten.name)
    conn = connect.open_unchecked(path)
    conn.execute("UPDATE events SET message='massage 1' WHERE id=2")
    conn.close()
    sealed = sealing.seal({**rotten.manifest, "sha256": copying.sha256(path)})
    overwrite(where.manifest(rotten.name), sealed)
    lose_data(where)
    answer = bring(config, force=force)
    assert rows(where) == live
    assert (answer["point"], answer["incomplete"]) == (good.name, None)


def spoil(path, at):
    raw = bytearray(content(path))
    raw[at] ^= 0xFF
    overwrite(path, bytes(raw))


def sound_records(where):
    return list(segments.read(segments.listing(where)[-1])[1])


@pytest.mark.parametrize("spoilt", ["header of the segment", "record", "header of a record"])
@pytest.mark.parametrize("how", ["name", "forced"])
def test_no_id_and_no_number_is_given_out_twice_behind_damage(config, where, events, spoilt, how):
    add(events, 3)
    point = backup.run(config)
    later = add(events, 6)
    last = sound_records(where)[-1].seq
    begins = {"header of the segment": 40, "record": sound_records(where)[4].end - 3}
    spoil(last_segment(where), begins.get(spoilt, sound_records(where)[4].offset + 8))
    lose_data(where)
    answer = bring(config, "latest" if how == "forced" else point.name, how == "forced")
    assert not any("second time" in one for one in answer["warnings"])
    assert timelines.live(where).seq >= last
    assert SqliteEvents(config).add("on")["id"] == later[-1]["id"] + 1


def test_ids_that_cannot_be_read_any_more_are_said(config, where, events):
    add(events, 3)
    point = backup.run(config)
    add(events, 3)
    damaged, unproven = sound_records(where)[-2:]
    spoil(last_segment(where), damaged.offset + 8)
    lose_data(where)
    answer = bring(config, point.name)
    assert timelines.live(where).seq >= unproven.seq
    assert any("ids may be given out a second time" in one for one in answer["warnings"])
