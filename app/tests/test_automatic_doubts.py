"""A server that starts on a lost data volume restores nothing by itself where that is doubtful."""

import os
import shutil

import pytest
from healing import note, refused, started
from helpers import add, bring, content, last_segment, lose_data, rows
from told import Told

from pra.base import clock, settings
from pra.disk import files, locks, look, mounts, space
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal import records, segments
from pra.lineage import data_volume, in_use, timelines
from pra.points import catalogue
from pra.protect import backup
from pra.recovery import automatic, doubts
from pra.state import attempts

CARRIED = {
    "a file": lambda where: open(f"{where.data}/somebody's", "w").close(),
    "a folder of marks": lambda where: os.mkdir(f"{where.data}/.pra"),
    "a generation": lambda where: os.mkdir(f"{where.data}/g1"),
    "what somebody's restore left": lambda where: os.mkdir(f"{where.data}/new-g2"),
}


@pytest.mark.parametrize("what", CARRIED)
def test_a_volume_that_carries_anything_is_left_alone(healer, where, lost, caplog, what):
    CARRIED[what](where)
    there = os.listdir(where.data)
    told = refused(healer, caplog)
    assert told["state"] == "refused" and "is not empty" in told["what"]
    assert os.listdir(where.data) == there
    assert timelines.numbers(where) == [1]


def test_what_a_file_system_puts_there_is_nothing(healer, where, lost):
    os.mkdir(f"{where.data}/lost+found")
    started(healer)
    assert rows(where) == lost


def _foreign_point(healer, where):
    shutil.copy(next(p for p in _points(where)), where.point("app-1.db"))


def _foreign_journal(healer, where):
    header = records.decode_segment_header(content(last_segment(where)))
    other = header._replace(lineage="0" * 32, seq=9998)
    segments.create(where, other)


def _points(where):
    return [where.point(point.name) for point in catalogue.scan(where)]


def _quarantined(healer, where):
    bring(healer)
    backup.run(healer)
    events = SqliteEvents(healer)
    events._database.write("deleting", lambda conn: conn.execute("DELETE FROM events"))
    assert backup.run(healer).status == "quarantined"
    events._database.pool.drop()
    lose_data(where)


def _only_damaged(healer, where):
    for point in catalogue.scan(where):
        os.truncate(where.manifest(point.name), 10)


def _rotten_point(healer, where):
    with open(_points(where)[0], "r+b") as file:
        file.seek(5000)
        file.write(b"\xff\xff")


def _hole(healer, where):
    with open(last_segment(where), "r+b") as file:
        raw = file.read()
        at = raw.index(b"message 1", raw.index(b"message 2"))
        file.seek(at)
        file.write(b"massage")


def _no_journal(healer, where):
    os.remove(last_segment(where))


def _no_mark(healer, where):
    for folder in (".pra", ".pra-copy"):
        os.remove(f"{where.backup}/{folder}/volume.json")


def _lost_record(healer, where):
    for folder in (".pra", ".pra-copy"):
        os.remove(f"{where.backup}/{folder}/timelines/1.active")


def _not_noted(healer, where):
    os.remove(where.data_volume)


def _noted_elsewhere(healer, where):
    with open(where.data_volume, "w") as file:
        file.write("no note")


def _full(healer, where):
    with open(f"{where.backup}/ballast", "wb") as file:
        file.truncate(90 << 20)


#: What makes it doubtful, and what is said of that.
DOUBTS = {
    "a point of another history": (_foreign_point, "of another history"),
    "a journal of another history": (_foreign_journal, "of another history"),
    "quarantine": (_quarantined, "is quarantined"),
    "only damaged points": (_only_damaged, "there is no verified point"),
    "a point that went bad": (_rotten_point, "was passed over"),
    "a hole in the journal": (_hole, "damaged"),
    "no journal": (_no_journal, "there is no journal"),
    "no mark": (_no_mark, "has no mark"),
    "a lost record": (_lost_record, "which no record calls the current one"),
    "no note of the volume": (_not_noted, "no backup was made since timeline 1 began"),
    "a note that cannot be read": (_noted_elsewhere, "no backup was made since timeline 1 began"),
    "a full backup volume": (_full, "the backup volume is full"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_whatever_is_doubtful_is_left_to_a_person(healing, where, lost, caplog, name):
    doubt, said = DOUBTS[name]
    healer = settings.load({**healing, "PRA_BACKUP_MIB": "90", "PRA_KEEP_MIB": "80"})
    doubt(healer, where)
    told = refused(healer, caplog)
    assert said in told["what"]
    assert os.listdir(where.data) == []
    # Once: what failed fails again, and whoever comes later says the same.
    again = refused(healer, caplog)
    assert again["next"] == told["next"] and said in again["what"]


#: What to do about those while the database is there. Not among them: what only a restore finds
#: out, and the journal's end, which is compared with the database then.
BEFORE = {
    "a point of another history": "move what is of another history off the volume",
    "a journal of another history": "move what is of another history off the volume",
    "only damaged points": "python -m pra backup",
    "no journal": "python -m pra backup makes a point without it",
    "no mark": "which mends it or says which ways lead on",
    "a lost record": "which mends it or says which ways lead on",
    "no note of the volume": "python -m pra backup",
    "a note that cannot be read": "python -m pra backup",
    "a full backup volume": "PRA_BACKUP_MIB",
}


@pytest.mark.parametrize("name", BEFORE)
def test_whatever_will_be_doubtful_disarms_before_the_loss(healing, where, added, caplog, name):
    doubt, said = DOUBTS[name]
    healer = settings.load({**healing, "PRA_BACKUP_MIB": "90", "PRA_KEEP_MIB": "80"})
    doubt(healer, where)
    told = Told(healer)
    stands = told.client.get("/status").json["auto_restore"]
    assert stands["state"] == "disarmed" and said in stands["what"]
    assert BEFORE[name] in stands["next"] and "restore latest" not in stands["next"]
    assert told.true("pra_auto_restore") == {"disarmed"}
    told.events._database.pool.drop()
    lose_data(where)
    assert said in refused(healer, caplog)["what"]
    assert told.true("pra_auto_restore") & {"refused", "failed"}


def test_a_quarantined_point_disarms_before_the_loss(healer, where, added):
    events = SqliteEvents(healer)
    events._database.write("deleting", lambda conn: conn.execute("DELETE FROM events"))
    assert backup.run(healer).status == "quarantined"
    stands = events.status()["auto_restore"]
    assert stands["state"] == "disarmed" and "is quarantined" in stands["what"]
    assert "restore --to-before SEQ" in stands["next"]


def test_a_clock_that_jumped_and_a_volume_that_is_read_only_disarm_before_the_loss(
    healer, where, added, monkeypatch
):
    events, now = SqliteEvents(healer), clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: now - 86_400)
        assert "by the clock of that time" in events.status()["auto_restore"]["what"]
    with monkeypatch.context() as patched:
        patched.setattr(look, "writable", lambda path: path != where.backup)
        assert "cannot be written" in events.status()["auto_restore"]["what"]
    assert events.status()["auto_restore"]["state"] == "armed"


def test_what_was_killed_as_often_as_it_is_begun_disarms(healer, where, added):
    events = SqliteEvents(healer)
    for _ in range(attempts.TIMES):
        attempts.begin(where, timelines.live(where))
    assert "was begun 3 times" in events.status()["auto_restore"]["what"]
    backup.run(healer)
    assert events.status()["auto_restore"]["state"] == "armed"


def test_how_it_stands_is_told_to_who_watches(healer, config, where, lost):
    """Nothing where nobody wants it; and every state has a series, so that each can end."""
    assert Told(config).of("pra_auto_restore") == {}
    told = Told(healer)
    assert told.of("pra_auto_restore") == dict.fromkeys(automatic.STATES, 0) | {"next start": 1}
    with locks.maintenance(where, "testing"):
        attempts.begin(where, timelines.live(where))
        assert told.true("pra_auto_restore") == {"restoring"}


def test_points_that_are_listed_already_are_not_listed_again(healer, where, added, monkeypatch):
    told = Told(healer)
    told.now()
    monkeypatch.setattr(catalogue, "scan", lambda where: pytest.fail("listed again"))
    monkeypatch.setattr(space, "_sum", lambda path: pytest.fail("summed up again"))
    assert told.true("pra_auto_restore") == {"armed"}
    told.events._database.pool.drop()
    lose_data(where)
    assert told.true("pra_auto_restore") == {"next start"}


def test_a_clock_that_jumped_is_looked_at_by_a_person(healer, where, lost, caplog, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - 86_400)
    assert "by the clock of that time" in refused(healer, caplog)["what"]
    monkeypatch.undo()
    started(healer)
    assert rows(where) == lost


@pytest.mark.parametrize("mode", ["best-effort", "off"])
def test_what_no_journal_has_is_not_given_up_unasked(healing, where, lost, caplog, mode):
    """Also where the servers promise more from now on: what counts is what they did promise."""
    before = settings.load({**healing, "PRA_JOURNAL": mode})
    bring(before)
    start.prepare(before)
    events = SqliteEvents(before)
    add(events, 1)
    backup.run(before)
    add(events, 1)
    events._database.pool.drop()
    lose_data(where)
    for healer in (before, settings.load(healing), settings.load(healing)):
        assert f"with PRA_JOURNAL={mode}" in refused(healer, caplog)["what"]
    # A person decides, and from then on it is as they say.
    bring(settings.load(healing))


def test_a_backup_volume_that_cannot_be_written_is_said(healer, where, lost, caplog, monkeypatch):
    monkeypatch.setattr(look, "writable", lambda path: path != where.backup)
    assert "cannot be written" in refused(healer, caplog)["what"]


def test_who_is_just_ending_elsewhere_is_waited_for(healer, where, added, tmp_path, monkeypatch):
    ending = SqliteEvents(healer)
    ending.count()
    trial = healer._replace(data_dir=str(tmp_path / "trial"))
    os.mkdir(trial.data_dir)
    before, looks = in_use.others, []

    def others(where):
        found = before(where)
        looks.append(found)
        if len(looks) == 2:
            ending._database.pool.drop()
        return found

    monkeypatch.setattr(in_use, "others", others)
    assert started(trial).count() == 5
    assert len(looks) > 2


def test_who_serves_the_database_elsewhere_keeps_it(
    healer, where, added, caplog, tmp_path, monkeypatch
):
    monkeypatch.setattr(doubts, "GRACE", 0.0)
    elsewhere = SqliteEvents(healer)
    elsewhere.count()
    trial = tmp_path / "trial"
    trial.mkdir()
    told = refused(healer._replace(data_dir=str(trial)), caplog)
    assert "from elsewhere" in told["what"] and "--take-over" in told["next"]
    assert elsewhere.add("goes on")["id"] == 6


def test_a_maintenance_lock_that_is_held_is_said_and_leaves_no_trace(
    healer, where, lost, caplog, monkeypatch
):
    monkeypatch.setattr(locks, "MAINTENANCE_WAIT", 0.0)
    with locks.maintenance(where, "testing", seconds=5):
        events = started(healer)
    assert "is not restored" in caplog.text and events.needs_restore()
    assert events.unrestored()["state"] == "next start"
    started(healer)
    assert rows(where) == lost


def test_a_mount_that_is_late_is_not_taken_for_a_new_volume(healer, where, lost, caplog):
    """The folder below the mount is empty too, and on another file system."""
    before = data_volume.seen(where)
    files.remove(where.data_volume)
    note(where, before._replace(shared=False, filesystem="another"))
    told = refused(healer, caplog)
    assert "a volume whose mount is late" in told["what"] and "mount it" in told["next"]
    assert os.listdir(where.data) == []


def test_a_mount_of_the_same_disk_that_is_late_is_no_new_volume(healer, where, lost, caplog):
    """A folder of it that is mounted late, or a container without its volume."""
    before = data_volume.seen(where)
    note(where, before._replace(below=before.below - 1))
    assert "a mount that is not there now" in refused(healer, caplog)["what"]
    note(where, before._replace(below=None))
    assert "a mount that is not there now" in refused(healer, caplog)["what"]
    assert os.listdir(where.data) == []
    # One that stands nearer to a mount than before is a volume of its own.
    note(where, before._replace(below=before.below + 1))
    started(healer)
    assert rows(where) == lost


@pytest.mark.parametrize(
    ("before", "now", "late"),
    [
        ((True, "a"), (True, "a", False), False),
        ((False, "a"), (False, "a", False), False),
        ((False, "a"), (False, "b", True), False),
        ((True, "a"), (False, "b", True), False),
        ((False, "a"), (True, "b", False), True),
        ((False, "a"), (False, "b", False), True),
        ((True, "a"), (False, "b", False), True),
        ((False, None), (False, None, False), True),
        ((False, "a"), (True, "b", True), True),
    ],
)
def test_a_volume_is_late_unless_its_file_system_is_there(where, monkeypatch, before, now, late):
    shared, filesystem, own = now
    monkeypatch.setattr(mounts, "shared", lambda one, other: shared)
    monkeypatch.setattr(mounts, "of", lambda path: mounts.Ground(filesystem, own, 2))
    seen = data_volume.Seen("lineage", 1, before[1], before[0], 2, "required")
    assert bool(data_volume.late(where, seen)) == late


def test_what_a_folder_stands_on_is_told_by_its_mounts(tmp_path, monkeypatch):
    there = tmp_path / "a b"
    there.mkdir()
    lines = [
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        f"2 1 8:2 / {str(there).replace(' ', chr(92) + '040')} rw shared:1 - ext4 /dev/sdb rw",
    ]
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "_MOUNTS", str(table))
    table.write_text("\n".join(lines))
    assert mounts.of(str(there)).own and not mounts.of(str(tmp_path)).own
    assert mounts.of(str(there)).below == 0
    above = len(tmp_path.parts) - 1
    assert mounts.of(str(tmp_path)).below == above
    # A folder of some file system, or one that is mounted once somebody looks.
    bound, automatic = lines[1].replace(" / ", " /below ", 1), lines[1].replace("ext4", "autofs")
    for late, below in ((bound, 0), (automatic, above + 1)):
        table.write_text("\n".join([lines[0], lines[1], late]))
        assert mounts.of(str(there)) == mounts.of(str(there))._replace(own=False, below=below)
    table.unlink()
    assert mounts.of(str(there)).below is None
    assert mounts.shared(str(there), str(tmp_path))
