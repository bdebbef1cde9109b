"""Loss that can be known is said, in words as loud as in JSON, and in /status."""

import gc
import json
import os

import pytest
from conftest import pra
from helpers import (
    add,
    bring,
    content,
    journaled,
    last_segment,
    lose_data,
    overwrite,
    rows,
)

from pra.events.journal_health import JournalHealth
from pra.events.sqlite import SqliteEvents
from pra.journal import history, segments
from pra.journal.chain import Gap
from pra.pitr import by_time, targets
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import plan, restore


@pytest.fixture
def small(monkeypatch):
    """Segments of a few records."""
    monkeypatch.setattr(segments, "SIZE", 2048)


def damage_record(where, number):
    """One record of the newest segment, by its place from the beginning."""
    segment = segments.listing(where)[-1]
    record = list(segments.read(segment)[1])[number]
    raw = bytearray(content(segment.path))
    raw[record.offset + 90] ^= 0xFF
    overwrite(segment.path, bytes(raw))


def test_a_last_record_that_went_bad_is_said_in_words(environment, where, events):
    add(events, 5)
    del events
    gc.collect()
    damage_record(where, -1)
    lose_data(where)
    planned = pra(environment, "restore", "--plan").stdout
    done = pra(environment, "restore")
    for text in (planned, done.stdout):
        assert "WARNING: the last acknowledged writes may be missing: record 5" in text, text
    assert len(rows(where)) == 4


def test_what_only_force_leaves_out_is_counted_in_words(environment, where, events):
    add(events, 5)
    del events
    gc.collect()
    damage_record(where, 2)
    lose_data(where)
    assert pra(environment, "restore", "latest").returncode == 1
    done = pra(environment, "restore", "latest", "--force")
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if "WARNING" in line]
    assert line.startswith("WARNING: INCOMPLETE, it ends at transaction 2: ")
    assert "records before" in line
    assert len(rows(where)) == 2


def test_readable_segments_behind_a_gap_are_counted(config, where, events, small):
    add(events, 40)
    listed = segments.listing(where)
    assert len(listed) > 3
    os.unlink(listed[1].path)
    lose_data(where)
    result = bring(config, force=True)
    last = listed[1].first - 1
    (said,) = result["warnings"]
    left = 40 - (listed[2].first - 1)
    assert said.startswith(f"INCOMPLETE, it ends at transaction {last}: ")
    assert f"{left} later ones that can be read ({listed[2].first} to 40) are left out" in said


def test_the_newest_segment_that_is_gone_is_noticed(environment, config, where, events, small):
    add(events, 40)
    os.unlink(last_segment(where))
    # The database vouches for what the journal lacks, and a request for status says so.
    said = events.status()["unprotected"]
    assert "the database stands at transaction 40, its journal ends at" in said
    reach = json.loads(pra(environment, "points", "--json").stdout)["journal"]
    assert "another follows, and there is none" in reach["doubt"]
    assert "WARNING: the journal's end is in doubt" in pra(environment, "points").stdout

    lose_data(where)
    assert "another follows, and there is none" in SqliteEvents(config).status()["journal_damage"]
    done = pra(environment, "restore")
    assert "WARNING: the last acknowledged writes may be missing" in done.stdout
    assert "another follows, and there is none" in done.stdout


def test_what_the_database_had_beyond_the_journal_is_kept_and_said(config, where, events, small):
    add(events, 40)
    os.unlink(last_segment(where))
    planned = plan.run(config, targets.latest)
    ends = journaled(where)[-1]
    assert any(f"the journal ends at {ends}" in one for one in planned["warnings"])
    result = bring(config)
    assert len(rows(where)) == ends
    (said,) = [one for one in result["warnings"] if "stood at transaction 40" in one]
    assert f"only in {result['safety_point']}, and undo brings it back" in said
    restore.run(config, targets.undo)
    assert len(rows(where)) == 40


def test_a_journal_cut_at_a_record_is_known_by_the_database(config, where, events):
    add(events, 5)
    path = last_segment(where)
    last = list(segments.read(segments.listing(where)[-1])[1])[-1]
    raw = content(path)
    overwrite(path, raw[: last.offset].ljust(len(raw), b"\0"))
    assert "its journal ends at 4" in events.status()["unprotected"]
    assert any("stood at transaction 5" in one for one in bring(config)["warnings"])


def test_a_point_that_is_not_fit_proves_what_the_journal_lacks(config, where, events, small):
    add(events, 10)
    backup.run(config)
    add(events, 30)
    newest = backup.run(config)
    ends = segments.listing(where)[-1].first - 1
    os.unlink(last_segment(where))
    with open(where.point(newest.name), "r+b") as file:
        file.truncate(100)
    lose_data(where)
    with pytest.raises(Gap) as refusal:
        bring(config)
    assert f"the journal ends at transaction {ends}, and {newest.name}" in refusal.value.happened
    assert "was made at 40" in refusal.value.happened
    result = bring(config, force=True)
    assert (result["rows"], result["incomplete"] is not None) == (ends, True)
    assert result["warnings"][0].startswith(f"INCOMPLETE, it ends at transaction {ends}")


def test_a_journal_that_is_gone_as_a_whole_is_noticed(config, where, events):
    add(events, 3)
    backup.run(config)
    add(events, 2)
    for segment in segments.listing(where):
        os.unlink(segment.path)
    lose_data(where)
    missing = "there is no journal of timeline 1, which had 3 transactions"
    assert SqliteEvents(config).status()["journal_damage"] == missing
    (said,) = bring(config)["warnings"]
    assert missing in said
    # Where writes are not journaled there is none to be missed.
    plain = config._replace(journal="off")
    lose_data(where)
    assert JournalHealth(where, "off").trouble(catalogue.scan(where)) is None
    assert bring(plain)["warnings"] == []


def test_an_undo_whose_journal_lost_its_end_does_not_call_itself_done(config, where, events):
    """The safety point and the journal behind it are what was there, together."""
    add(events, 2)
    point = backup.run(config)
    add(events, 3)
    from pra.recovery import safety

    def keep_first(where, known, keep=safety.keep):
        return keep(where, known)._replace(point=catalogue.find(known, point.name))

    original = safety.keep
    safety.keep = keep_first
    try:
        restore.run(config, lambda where, known: targets.just_before(where, 2))
    finally:
        safety.keep = original
    left = segments.listing(where)[0]
    last = list(segments.read(left)[1])[-1]
    raw = content(left.path)
    overwrite(left.path, raw[: last.offset].ljust(len(raw), b"\0"))
    with pytest.raises(Gap, match="the journal ends at transaction 4, before 5"):
        restore.run(config, targets.undo)
    assert restore.run(config, targets.undo, True)["incomplete"]


def test_a_moment_behind_the_readable_end_is_told_of_the_doubt(config, where, events):
    from pra.base import clock

    add(events, 5)
    damage_record(where, -1)
    now = clock.now()
    result = restore.run(
        config, lambda where, known: by_time.at_time(where, known, now, "--to now")
    )
    assert "record 5" in result["tail"]
    assert any("may be missing" in one for one in result["warnings"])
    # A moment that lies before it has nothing to do with it.
    result = restore.run(config, lambda where, known: targets.just_before(where, 3))
    assert (result["tail"], result["warnings"]) == (None, [])


def test_what_was_passed_over_or_forced_is_said_in_words(environment, config, where, events):
    add(events, 2)
    backup.run(config)
    add(events, 1)
    bad = backup.run(config)
    with open(where.point(bad.name), "r+b") as file:
        file.seek(5000)
        file.write(b"\xff")
    assert (
        f"WARNING: {bad.name} was passed over: the file's SHA-256"
        in pra(environment, "restore").stdout
    )
    events._database.write("testing", lambda conn: conn.execute("DELETE FROM events").fetchall())
    suspect = backup.run(config)
    assert suspect.status == "quarantined"
    done = pra(environment, "restore", suspect.name, "--force")
    assert f"WARNING: {suspect.name} is quarantined, and was taken all the same" in done.stdout


def test_a_sound_restore_warns_of_nothing(environment, config, where, events, small):
    add(events, 20)
    backup.run(config)
    add(events, 20)
    assert "WARNING" not in pra(environment, "restore").stdout
    assert "WARNING" not in pra(environment, "points").stdout
    status = SqliteEvents(config).status()
    assert (status["journal_damage"], status["unprotected"]) == (None, None)
    lose_data(where)
    assert SqliteEvents(config).status()["journal_damage"] is None
    assert bring(config)["warnings"] == []


def test_a_hole_that_latest_would_meet_is_in_the_status(config, where, events, small):
    backup.run(config)
    add(events, 40)
    assert events.status()["journal_damage"] is None
    os.unlink(segments.listing(where)[1].path)
    assert "the journal is interrupted before transaction" in events.status()["journal_damage"]
    # A point behind the hole: the latest moment does not depend on it any more.
    backup.run(config)
    assert events.status()["journal_damage"] is None


def test_a_status_reads_no_segment_again_that_did_not_change(
    config, where, events, small, monkeypatch
):
    backup.run(config)
    add(events, 40)
    health, known = JournalHealth(where, "required"), catalogue.scan(where)
    assert health.trouble(known) is None
    monkeypatch.setattr(history.segments, "read", lambda segment: pytest.fail("a segment was read"))
    assert health.trouble(known) is None
    monkeypatch.undo()


def test_a_stop_between_two_segments_is_a_doubt_and_no_loss(config, where, events, monkeypatch):
    """Sealed and without a successor, as where the volume ran full: the next write goes on."""
    monkeypatch.setattr(segments, "SIZE", 2048)
    add(events, 5)

    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(segments, "create", full)
        with pytest.raises(Exception, match="No space|no space"):
            add(events, 40)
    sealed = journaled(where)[-1]
    assert history.end_of(where, history.live_path(where).line[-1]).doubt
    events.add("goes on")
    assert history.end_of(where, history.live_path(where).line[-1]).doubt is None
    lose_data(where)
    result = bring(config)
    assert (result["warnings"], journaled(where)[-1] > sealed) == ([], True)
