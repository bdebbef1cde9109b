"""What a loss of power can leave of several writes that were on their way at once."""

import os

import pytest
from helpers import (
    add,
    bring,
    content,
    last_segment,
    lose_data,
    overwrite,
    rows,
    step_back,
)

from pra.base.errors import Refused
from pra.disk import files
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import durability, records, segments, writer
from pra.journal.comparison import Mismatch
from pra.journal.scanning import Scan
from pra.protect import backup
from pra.recovery import safety
from pra.sql import connect


def forget_the_last_record(where):
    """What a loss of power can leave: the COMMIT on the one disk, no record on the other."""
    path = last_segment(where)
    raw = content(path)
    scan = Scan(raw, records.SEGMENT_HEADER, records.decode_segment_header(raw).state())
    start = scan.read()[-1].offset
    overwrite(path, raw[:start].ljust(len(raw), b"\0"))


def test_a_database_one_record_ahead_gets_a_new_base_with_the_next_start(config, where, events):
    add(events, 2)
    forget_the_last_record(where)
    with pytest.raises(Mismatch, match="stands at transaction 2, its journal ends at 1"):
        SqliteEvents(config).add("before the start")
    start.prepare(config)
    restarted = SqliteEvents(config)
    restarted.add("after the start")
    live = rows(where)
    assert [row[2] for row in live] == ["message 0", "message 1", "after the start"]
    lose_data(where)
    bring(config)
    assert rows(where) == live


def lose_power(where, seq):
    """The power went while the records from ``seq`` on were on their way: that one is gone."""
    path = last_segment(where)
    raw = bytearray(content(path))
    scan = Scan(raw, records.SEGMENT_HEADER, records.decode_segment_header(raw).state())
    lost = next(record for record in scan.read() if record.seq == seq)
    raw[lost.offset : lost.end] = bytes(lost.end - lost.offset)
    overwrite(path, raw)


def in_flight(events, count):
    """Add events of which none is synced; nobody was told of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durability, "sync", lambda *_: [None, None])
        patch.setattr(writer.Journal, "note_durable", lambda *_: None)
        add(events, count)


def test_records_that_were_on_their_way_are_cut_where_the_power_took_one_before(
    config, where, events
):
    add(events, 2)
    in_flight(events, 3)
    lose_power(where, 3)
    step_back(where, 2)
    fresh = SqliteEvents(config)
    fresh.add("next")
    assert [row[2] for row in rows(where)] == ["message 0", "message 1", "next"]
    lose_data(where)
    assert bring(config)["tail"] is None
    assert [row[2] for row in rows(where)] == ["message 0", "message 1", "next"]


def test_the_power_and_the_data_volume_at_once_lose_what_was_on_its_way_alone(
    config, where, events
):
    add(events, 2)
    in_flight(events, 3)
    lose_power(where, 3)
    lose_data(where)
    assert "up to 5 were being written" in bring(config)["tail"]
    assert [row[2] for row in rows(where)] == ["message 0", "message 1"]


def test_a_record_that_was_durable_and_is_gone_is_damage_and_never_cut(config, where, events):
    add(events, 2)
    in_flight(events, 2)
    add(events, 1)
    add(events, 1)
    lose_power(where, 3)
    step_back(where, 2)
    held = content(last_segment(where))
    with pytest.raises(Mismatch, match="went on to 6: records before 6 are damaged"):
        SqliteEvents(config).add("x")
    assert content(last_segment(where)) == held


def test_what_others_call_durable_is_known_to_who_writes_next(config, where, events):
    """Else the records of who writes seldom would call everything since then pending."""
    add(events, 1)
    add(SqliteEvents(config), 5)
    events.add("the seventh")
    _, scan = segments.read(segments.listing(where)[-1])
    assert scan.durable(scan.read()[-1:]) == 5


def test_a_database_without_its_place_in_history_does_not_stop_the_start(config, where, events):
    add(events, 1)
    conn = connect.open_live(os.path.realpath(where.link))
    conn.execute("DELETE FROM pra_position")
    conn.close()
    start.prepare(config)
    with pytest.raises(Refused):
        SqliteEvents(config).add("x")


def test_a_point_and_a_restore_are_not_ahead_of_the_disks_of_the_journals(
    config, where, events, monkeypatch
):
    """The writer of the record that they rely on may have died before it synced it."""
    add(events, 2)
    relied_on, durable = {}, set()

    def hook(phase, operation, arguments):
        if phase == "before" and operation in ("fsync", "sync_data"):
            durable.add(os.readlink(f"/proc/self/fd/{arguments[0]}"))
        if phase == "before" and operation == "link_new" and arguments[1].endswith(".db"):
            relied_on["point"] = set(durable)
        if phase == "before" and operation == "symlink":
            relied_on["restore"] = set(durable)

    files.hook = hook
    first = last_segment(where)
    point = backup.run(config)
    assert first in relied_on["point"]
    bring(config, point.name)
    events.add("on another timeline")
    second = last_segment(where)
    assert first != second
    keep = safety.keep

    def keep_and_write(*arguments):
        kept = keep(*arguments)
        events.add("meanwhile")
        durable.clear()
        return kept

    monkeypatch.setattr(safety, "keep", keep_and_write)
    bring(config, point.name)
    assert {first, second} <= relied_on["restore"]
