"""Replaying the journal in batches, and how far it goes where the way is broken."""

import pytest
from helpers import (
    add,
    as_rows,
    bring,
    content,
    last_segment,
    lose_data,
    overwrite,
    rows,
    sound_end,
)

from pra.base.errors import Damaged, Refused
from pra.events.sqlite import SqliteEvents
from pra.journal import history, replay, segments
from pra.sql import connect, schema


@pytest.fixture
def many(where, monkeypatch, config):
    """Rows whose transactions fill several segments."""
    monkeypatch.setattr(segments, "SIZE", 2048)
    added = add(SqliteEvents(config), 40)
    assert len(segments.listing(where)) > 4
    return as_rows(added)


@pytest.fixture
def empty(where):
    """A database without rows, and the way from there."""
    path = history.live_path(where)
    conn = connect.open_new(f"{where.temporary}/empty.db")
    schema.create(conn)
    yield replay.Replay(conn, path.origin()), list(path.runs(path.origin()))
    conn.close()


def found(work):
    """What was replayed so far."""
    return work.conn.execute("SELECT id, ts, message FROM events ORDER BY id").fetchall()


@pytest.mark.parametrize("size", [1, 3000, 3 << 20])
def test_batches_of_any_size_amount_to_the_same(many, empty, monkeypatch, size):
    monkeypatch.setattr(replay, "BATCH_BYTES", size)
    work, runs = empty
    work.run(runs)
    last = runs[-1].records[-1]
    assert found(work) == many
    assert work.count == 40
    assert work.reached == (runs[-1].timeline, (last.seq, last.hash))
    assert schema.sequences(work.conn) == {"events": 40}


def test_what_comes_before_a_gap_is_applied_and_nothing_behind_it(many, empty):
    work, runs = empty

    def broken():
        yield from runs[:2]
        raise Refused("following the journal", "a gap", "none")

    with pytest.raises(Refused, match="a gap"):
        work.run(broken())
    reached = runs[1].records[-1].seq
    assert work.count == work.reached.place.seq == reached
    assert found(work) == many[:reached]


def test_a_batch_that_does_not_fit_is_named_and_leaves_no_trace(many, empty, monkeypatch):
    monkeypatch.setattr(replay, "BATCH_BYTES", 1)
    work, runs = empty
    first, last = runs[2].records[0].seq, runs[2].records[-1].seq
    work.conn.execute("INSERT INTO events VALUES(?, 'in', 'the way')", (last,))
    with pytest.raises(Damaged, match=f"transactions {first} to {last} do not fit"):
        work.run(runs)
    if work.conn.in_transaction:
        work.conn.execute("ROLLBACK")
    assert work.count == work.reached.place.seq == first - 1
    assert found(work) == [*many[: first - 1], (last, "in", "the way")]


def test_a_last_record_that_is_incomplete_is_said(config, where, events):
    added = add(events, 2)
    path = last_segment(where)
    add(events, 1)
    raw = content(path)
    overwrite(path, raw[: sound_end(path) - 10].ljust(len(raw), b"\0"))
    lose_data(where)
    result = bring(config)
    assert result["tail"] == "record 3 is damaged or does not continue the one before it"
    assert rows(where) == as_rows(added)
    assert bring(config)["tail"] is None
