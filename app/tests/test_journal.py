"""The rules of writing: each test fails when its rule is taken out."""

import contextlib
import errno
import os
import shutil

import apsw
import pytest
from helpers import (
    add,
    as_rows,
    bring,
    content,
    crash_before_commit,
    failing,
    journaled,
    last_segment,
    lose_data,
    overwrite,
    rows,
    sound_end,
    step_back,
)

from pra.base.errors import OutcomeUnknown, Refused, StorageError
from pra.data import transaction
from pra.events.sqlite import SqliteEvents
from pra.journal import comparison, records, segments
from pra.journal.comparison import Mismatch
from pra.protect import backup
from pra.sql import connect


def test_every_acknowledged_row_survives_the_loss_of_the_data_volume(config, where, events):
    before = add(events, 3)
    backup.run(config)
    after = add(events, 4)
    lose_data(where)
    result = bring(config)
    assert rows(where) == as_rows(before + after)
    assert result["replayed"] == 4


def test_no_backup_was_made_yet_and_still_nothing_is_lost(config, where, events):
    added = add(events, 5)
    lose_data(where)
    assert bring(config)["point"] is None
    assert rows(where) == as_rows(added)


def test_every_acknowledged_row_survives_the_loss_of_the_backup_volume(where, events):
    added = add(events, 3)
    shutil.rmtree(where.backup)
    assert rows(where) == as_rows(added)
    with pytest.raises(Refused):
        events.add("unprotected")


def test_a_crash_between_append_and_commit_is_rolled_forward(where, events, monkeypatch):
    add(events, 2)
    crash_before_commit(events, monkeypatch)
    assert len(rows(where)) == 2
    assert events.add("next")["id"] == 4
    assert [row[2] for row in rows(where)] == ["message 0", "message 1", "in doubt", "next"]
    assert journaled(where) == [1, 2, 3, 4]


def test_the_rolled_forward_row_is_also_what_a_restore_brings(config, where, events, monkeypatch):
    add(events, 2)
    crash_before_commit(events, monkeypatch)
    lose_data(where)
    bring(config)
    assert [row[2] for row in rows(where)] == ["message 0", "message 1", "in doubt"]


def test_a_database_that_is_older_than_its_journal_is_refused(config, where, events, monkeypatch):
    monkeypatch.setattr(comparison, "MAX_BEHIND", 1)
    add(events, 2)
    live = os.path.realpath(where.link)
    rewrite_resting(live)
    old = content(live)
    add(events, 2)
    rewrite_resting(live)
    overwrite(live, old)
    with pytest.raises(Mismatch, match="stands at transaction 2, its journal at 4"):
        SqliteEvents(config).add("x")
    with pytest.raises(Mismatch):
        backup.run(config)
    bring(config)
    assert len(rows(where)) == 4


def rewrite_resting(path):
    """Move everything from the WAL into the database, and remove it."""
    conn = connect.open_live(path)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    conn.close()


def test_a_record_holds_its_own_transaction_alone(config, where):
    one, two = SqliteEvents(config), SqliteEvents(config)
    for events in (one, two, one, two):
        events.add("x")
    _, scan = segments.read(segments.listing(where)[-1])
    for record in scan:
        changes = list(apsw.Changeset.iter(records.changeset_of(record.payload)))
        assert len(changes) == 1


def test_a_commit_that_fails_for_sure_leaves_no_row_and_its_number_is_burnt(
    config, where, events, monkeypatch
):
    add(events, 1)

    def refuse(conn, doing):
        raise apsw.SQLError("refused")

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "_commit", refuse)
        with pytest.raises(StorageError):
            events.add("refused")
    events.add("next")
    assert journaled(where) == [1, 3]
    lose_data(where)
    bring(config)
    assert [row[2] for row in rows(where)] == ["message 0", "next"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_commit_that_fails_and_cannot_be_recorded_as_failed_is_unknown(
    config, where, events, monkeypatch, times
):
    """Its record may come back, so that it was refused must not be said."""
    add(events, 1)

    with monkeypatch.context() as patch, contextlib.ExitStack() as broken:

        def refuse(conn, doing):
            broken.enter_context(failing("write_at_once", errno.EIO, times))
            raise apsw.SQLError("refused")

        patch.setattr(transaction, "_commit", refuse)
        with pytest.raises(OutcomeUnknown):
            events.add("unknown")
    events.add("next")
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


def test_a_commit_with_an_input_output_error_is_unknown_and_rolled_forward(
    where, events, monkeypatch
):
    def fail(conn, doing):
        conn.execute("ROLLBACK")
        raise OutcomeUnknown(doing, "disk", "look")

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "_commit", fail)
        with pytest.raises(OutcomeUnknown):
            events.add("unknown")
    events.add("next")
    assert [row[2] for row in rows(where)] == ["unknown", "next"]
    assert journaled(where) == [1, 2], "no abort record, or the row would be lost in a restore"


def test_a_torn_record_of_every_length_is_cut(config, where, events):
    add(events, 2)
    path = last_segment(where)
    whole = content(path)
    end = sound_end(path)
    add(events, 1)
    torn = content(path)[: sound_end(path)]
    for length in range(end, len(torn)):
        overwrite(path, torn[:length].ljust(len(whole), b"\0"))
        step_back(where, 2)
        # Another process wrote the torn record: this one looks at the disk anew.
        fresh = SqliteEvents(config)
        fresh.add("after")
        assert journaled(where) == [1, 2, 3], length
        assert content(path).rstrip(b"\0") != torn[:length].rstrip(b"\0")
        step_back(where, 2)
    overwrite(path, torn.ljust(len(whole), b"\0"))


def test_damage_below_the_databases_number_is_said_and_never_cut(config, where, events):
    add(events, 3)
    path = last_segment(where)
    raw = bytearray(content(path))
    raw[sound_end(path) - 3] ^= 1
    overwrite(path, raw)
    with pytest.raises(Mismatch, match="damaged"):
        SqliteEvents(config).add("x")
    assert content(path) == raw
    assert backup.run(config).status == "verified"
    SqliteEvents(config).add("after the new base")
    lose_data(where)
    bring(config)
    assert len(rows(where)) == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_append_that_fails_leaves_no_trace(config, where, events, number):
    add(events, 1)
    with failing("write_at_once", number), pytest.raises(StorageError):
        events.add("refused")
    events.add("next")
    lose_data(where)
    bring(config)
    assert [row[2] for row in rows(where)] == ["message 0", "next"]


def test_an_append_that_cannot_be_taken_back_is_unknown(config, where, events):
    add(events, 1)
    with failing("write_at_once", errno.EIO, times=2), pytest.raises(OutcomeUnknown):
        events.add("unknown")
    events.add("next")
    live = rows(where)
    lose_data(where)
    bring(config)
    assert rows(where) == live


@pytest.mark.parametrize("lacking", [1, 3])
def test_a_database_that_lacks_what_was_in_flight_is_rolled_forward(
    config, where, events, monkeypatch, lacking
):
    """What a loss of power can leave: records on the one disk, no COMMIT on the other."""
    add(events, 5)
    live = rows(where)
    step_back(where, 5 - lacking)
    monkeypatch.setattr(comparison, "MAX_BEHIND", 3)
    assert SqliteEvents(config).status()["unprotected"] is None
    SqliteEvents(config).add("next")
    assert rows(where)[:5] == live
    assert journaled(where) == [1, 2, 3, 4, 5, 6]


def test_much_that_others_wrote_is_read_as_well_as_a_little(config, where, events):
    add(events, 1)
    add(SqliteEvents(config), 3)
    assert events.add("after a little")["id"] == 5
    other = SqliteEvents(config)
    for _ in range(6):
        other.add("x" * 4000)
    assert events.add("after much")["id"] == 12
    assert journaled(where) == list(range(1, 13))


def test_nothing_is_written_behind_a_damaged_record_of_another(config, where, events):
    add(events, 1)
    SqliteEvents(config).add("by another process")
    path = last_segment(where)
    raw = bytearray(content(path))
    raw[sound_end(path) - 5] ^= 1
    overwrite(path, bytes(raw))
    with pytest.raises(Mismatch):
        events.add("behind it")
    backup.run(config)
    events.add("behind a new base")
    lose_data(where)
    bring(config)
    assert [message for _, _, message in rows(where)][-1] == "behind a new base"
