import errno
import os
import shutil

import apsw
import pytest
from helpers import add, bring, failing, rewrite

from pra.base import clock
from pra.base.errors import Damaged, NeedsRestore, Refused
from pra.disk import files
from pra.pitr import targets
from pra.points import catalogue, verify
from pra.protect import backup
from pra.recovery import restore
from pra.sql import schema


def test_a_point_holds_the_rows_and_says_so(config, where, events):
    add(events, 3)
    point = backup.run(config)
    assert point.status == "verified"
    assert (point.manifest["rows"], point.manifest["max_id"]) == (3, 3)
    assert catalogue.scan(where) == [point]
    assert verify.fault(where, point) is None
    assert sorted(os.listdir(where.temporary)) == []


def test_looking_at_a_point_leaves_nothing_beside_it(config, where, events):
    add(events, 1)
    point = backup.run(config)
    verify.fault(where, point)
    beside = [name for name in os.listdir(where.backup) if name.startswith("app-")]
    assert sorted(beside) == [point.name, point.name.replace(".db", ".json")]


def test_two_in_one_second_and_a_clock_that_jumps_back_keep_their_order(
    config, where, events, monkeypatch
):
    made = []
    for moment in (1_800_000_000, 1_800_000_000, 1_700_000_000):
        monkeypatch.setattr(clock, "now", lambda moment=moment: float(moment))
        add(events, 1)
        made.append(backup.run(config))
    assert len({point.name for point in made}) == 3
    assert [p.manifest["rows"] for p in catalogue.scan(where)] == [3, 2, 1]
    assert catalogue.latest(catalogue.scan(where)) == made[-1]


def test_a_backup_refuses_where_the_database_is_missing(config, where, events):
    add(events, 1)
    backup.run(config)
    os.unlink(where.link)
    with pytest.raises(NeedsRestore):
        backup.run(config)


def test_a_backup_refuses_volumes_that_are_no_pair(config, where):
    for folder in (".pra", ".pra-copy"):
        shutil.rmtree(f"{where.backup}/{folder}")
    with pytest.raises(Refused, match="not this database's"):
        backup.run(config)


def test_a_damaged_database_never_becomes_a_point(config, where, events):
    add(events, 200)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(os.path.realpath(where.link), "r+b") as file:
        file.seek(4096 + 100)
        file.write(b"\xff" * 8000)
    with pytest.raises(Damaged):
        backup.run(config)
    assert catalogue.scan(where) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [("DELETE FROM events", "became empty"), ("DELETE FROM events WHERE id > 3", "7 are gone")],
)
def test_a_database_that_lost_its_rows_is_quarantined(config, where, events, sql, said):
    add(events, 10)
    good = backup.run(config)
    events._database.write("testing", lambda conn: conn.execute(sql).fetchall())
    suspect = backup.run(config)
    assert suspect.status == "quarantined"
    assert said in suspect.reason
    assert catalogue.latest(catalogue.scan(where)) == good
    assert backup.run(config) == suspect, "the same bytes are kept once"
    accepted = backup.run(config, accept=True)
    assert catalogue.latest(catalogue.scan(where)) == accepted
    assert backup.run(config).status == "verified"


def lose_most(events):
    events._database.write(
        "losing", lambda conn: conn.execute("DELETE FROM events WHERE id > 1") and None
    )


def test_a_restore_that_replays_a_loss_does_not_make_it_good(config, where, events):
    add(events, 10)
    good = backup.run(config)
    lose_most(events)
    assert bring(config)["rows"] == 1
    assert backup.run(config).status == "quarantined"
    assert catalogue.latest(catalogue.scan(where)) == good
    assert backup.run(config, accept=True).status == "verified"


def test_an_undo_does_not_make_a_loss_good_either(config, where, events):
    add(events, 10)
    good = backup.run(config)
    lose_most(events)
    bring(config, good.name)
    assert restore.run(config, targets.undo)["rows"] == 1
    assert backup.run(config).status == "quarantined"


def test_a_restore_to_a_smaller_past_is_no_loss(config, where, events):
    add(events, 1)
    backup.run(config)
    add(events, 10)
    backup.run(config)
    restore.run(config, lambda where, known: targets.just_before(where, 3))
    assert backup.run(config).status == "verified"


def test_a_suspect_point_that_was_wished_for_by_name_is_no_loss(config, where, events):
    add(events, 10)
    backup.run(config)
    lose_most(events)
    suspect = backup.run(config)
    bring(config, suspect.name, force=True)
    assert backup.run(config).status == "verified"


def test_a_database_that_was_always_empty_is_no_poison(config, where):
    assert backup.run(config).status == "verified"
    assert backup.run(config).status == "verified"


def test_an_interrupted_backup_leaves_no_point_and_is_swept(config, where, events):
    """Stop at each step in turn: what is listed afterwards is whole or nothing."""
    add(events, 2)
    steps = 0

    class Stop(BaseException):
        pass

    def at(wanted):
        def hook(phase, operation, arguments):
            nonlocal steps
            steps += 1
            if steps == wanted:
                raise Stop

        return hook

    wanted = 1
    while True:
        steps, files.hook = 0, at(wanted)
        try:
            backup.run(config)
            break
        except Stop:
            files.hook = None
        for point in catalogue.scan(where):
            sound = point.status == "verified" and verify.fault(where, point) is None
            assert sound or point.status == "foreign"
        good = backup.run(config)
        assert verify.check_all(where, [])["ok"]
        assert all(point.status == "verified" for point in catalogue.scan(where))
        assert catalogue.latest(catalogue.scan(where)) == good
        wanted += 1
    assert wanted > 20


@pytest.mark.parametrize("operation", ["open_read", "fsync"])
def test_what_fails_beside_the_copying_fails_the_backup(config, where, events, operation):
    add(events, 2)
    # The file that is hashed and the file that is synced are opened first of all.
    with failing(operation, errno.EIO, times=2), pytest.raises(OSError, match="Input/output"):
        backup.run(config)
    assert catalogue.scan(where) == []
    assert backup.run(config).status == "verified"


def test_a_plain_copy_is_listed_as_foreign_and_can_be_verified(where, events):
    add(events, 2)
    rewrite(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(os.path.realpath(where.link), where.point("app-1700000000.db"))
    (point,) = catalogue.scan(where)
    assert point.status == "foreign"
    assert point.as_dict(0)["rows"] is None
    assert verify.fault(where, point) is None


def test_a_shell_cannot_write_past_the_application(where, events):
    add(events, 1)
    shell = apsw.Connection(os.path.realpath(where.link))
    for sql in (
        "INSERT INTO events(ts, message) VALUES('', '')",
        "UPDATE events SET message=''",
        "DELETE FROM events",
    ):
        with pytest.raises(apsw.SQLError):
            shell.execute(sql)
    assert schema.totals(shell) == (1, 1)
