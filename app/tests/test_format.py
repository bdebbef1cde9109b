"""docs/format.md says what lies on the volumes: its reader and the application agree.

The reader (format_reader.py, format_replay.py) knows the page and not the application.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time

import earlier
import format_jobs
import format_notes
import format_reader as reader
import format_replay as replay
import pytest
from conftest import APP
from format_volumes import Made, Volumes, added
from helpers import bring

from pra.base.layout import Layout
from pra.events.sqlite import SqliteEvents
from pra.points import catalogue
from pra.protect import backup
from pra.sql import connect, schema
from pra.state import jobs, volumes

LOCKS = ("jobs", "maintenance", "turnstile", "writer")
#: Runs the reader where no package can be imported, ours included.
ISOLATED = """
import sys
sys.path = [one for one in sys.path if "site-packages" not in one]
sys.path.append(sys.argv[1])
import format_replay
format_replay.main(sys.argv[2])
assert not any(name.split(".")[0] in ("pra", "apsw") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The volumes, which no test changes."""
    return Made(tmp_path_factory.mktemp("format"))


def rows_of(conn):
    """All rows of the users' tables and of SQLite's counters."""
    tables = conn.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'pra_position'"
    ).fetchall()
    return {name: sorted(conn.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in tables}


def test_the_newest_state_rebuilt_from_base_and_records_is_the_database(made):
    conn, timeline, place, base = replay.newest(made.backup)
    assert conn.execute("SELECT * FROM events ORDER BY id").fetchall() == made.dump()
    with replay.opened(made.database) as live:
        assert rows_of(conn) == rows_of(live)
        assert {"notes", "tags", "sqlite_sequence"} < set(rows_of(conn))
        here = dict(zip(reader.COLUMNS, reader.position(live), strict=True))
        assert here["schema"] == reader.schema_hash(live) == reader.schema_hash(conn)
        assert live.execute("PRAGMA schema_version").fetchone() == (here["rows_schema"],)
    assert (here["lineage"], here["timeline"]) == (reader.mark(made.data)["lineage"], timeline)
    assert reader.Place(here["seq"], here["hash"]) == place
    assert (here["left_seq"], here["left_hash"], here["unjournaled_to"]) == (None, None, None)
    assert (here["rows"], here["rows_seq"]) == (len(made.dump()), here["seq"])
    durable = reader.Place(here["durable_seq"], here["durable_hash"])
    seen = [reader.Place(one.seq, one.hash) for _, _, one in reader.transactions(made.backup)]
    assert seen[-2:] == [durable, place]
    assert reader.points(made.backup)[base]["position"]["seq"] < place.seq


def test_keys_of_requests_stand_beside_what_was_answered(made):
    conn, _, _, _ = replay.newest(made.backup)
    found = conn.execute("SELECT * FROM idempotency_keys ORDER BY number").fetchall()
    assert made.answers[0] == made.answers[2]
    assert found == [
        (
            one["message"],
            number,
            one["id"],
            one["timestamp"],
            hashlib.sha256(one["message"].encode()).digest()[:16],
        )
        for number, one in enumerate(made.answers[:2], start=1)
    ]


def test_the_page_has_the_definitions_as_they_stand_in_the_schema(where):
    page = (APP.parent / "docs/format.md").read_text("utf-8")
    with contextlib.closing(connect.open_live(where.link)) as conn:
        found = conn.execute(
            "SELECT sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB 'pra_*'"
            " AND name NOT IN ('idempotency_keys_guard_update', 'idempotency_keys_guard_delete')"
        ).fetchall()
    assert len(found) == 4
    for (sql,) in found:
        assert sql in page
    assert {replay.EMPTY, *replay.KEYS} > {sql for (sql,) in found}


@pytest.mark.parametrize("without", [True, False])
def test_the_way_from_a_version_without_keys_leads_over_their_table(config, without):
    """From a point of before, and from the empty beginning."""
    where = config.layout
    with earlier.version():
        volumes.ensure_initialised(where)
        SqliteEvents(config).add("before")
        point = backup.run(config)
    bring(config)
    SqliteEvents(config).add("with a key", "k")
    if without:
        catalogue.remove(where, [point.name])
    conn, timeline, _, base = replay.newest(where.backup)
    assert (timeline, base) == (2, None if without else point.name)
    with contextlib.closing(connect.open_live(where.link)) as live:
        for table in ("events", "idempotency_keys"):
            rows = [one.execute(f"SELECT * FROM {table}").fetchall() for one in (conn, live)]
            assert rows[0] == rows[1] and rows[0]
        assert reader.schema_hash(conn) == schema.schema_hash(live)


def test_every_moment_of_the_log_is_a_record(made):
    listed = []
    for timeline, _, record in reader.transactions(made.backup):
        _, changeset = reader.counters(record.payload)
        done = [change.operation for change in reader.changes(changeset)]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.time_ms // 1000))
        listed.append(
            {
                "seq": record.seq,
                "time": f"{moment}.{record.time_ms % 1000:03d}Z",
                "timeline": timeline,
                "added": done.count(reader.INSERT),
                "changed": done.count(reader.UPDATE),
                "deleted": done.count(reader.DELETE),
                "bytes": len(changeset),
            }
        )
    assert listed[::-1] == made.run("log", "--limit", "100000")["transactions"]
    for kind in ("added", "changed", "deleted"):
        assert any(one[kind] for one in listed)
    assert any(one["bytes"] == 0 for one in listed)


def test_every_point_is_what_the_application_lists(made):
    known, listed = reader.points(made.backup), made.run("points")["points"]
    assert {name: one["status"] for name, one in known.items()} == {
        one["name"]: one["status"] for one in listed
    }
    statuses = {"verified", "safety", "quarantined", "foreign", "damaged"}
    assert {one["status"] for one in listed} == statuses
    ours = [one for one in listed if one["status"] not in ("foreign", "damaged")]
    for one in ours:
        del one["age_seconds"]
        assert one == {field: known[one["name"]][field] for field in one}
    serials = [known[one["name"]]["serial"] for one in ours]
    assert serials == sorted(serials, reverse=True)
    for point in (made.verified, made.quarantined):
        assert known[point["name"]]["accepted"] is False
    assert known[made.quarantined["name"]]["suspect_since"] == made.quarantined["position"]["seq"]


def test_points_hold_the_rows_the_position_and_the_pages_that_the_page_describes(made):
    known = {
        name: one
        for name, one in reader.points(made.backup).items()
        if one["status"] not in ("foreign", "damaged")
    }
    whole = {name for name in known if known[name]["rows"] is not None}
    for name in whole:
        assert reader.wrong_pages(reader.content(f"{made.backup}/{name}")) == []
        with replay.opened(f"{made.backup}/{name}") as conn:
            rows = conn.execute("SELECT * FROM events ORDER BY id").fetchall()
            assert rows == made.dump("--point", name)
            here = dict(zip(reader.COLUMNS, reader.position(conn), strict=True))
            assert conn.execute("PRAGMA schema_version").fetchone() == (here["rows_schema"],)
            assert (here["rows"], here["rows_seq"]) == (len(rows), here["seq"])
            assert {one: here[one] for one in reader.POSITION} == known[name]["position"]
            assert here["schema"] == reader.schema_hash(conn)
            issued = conn.execute("SELECT seq FROM sqlite_sequence WHERE name='events'").fetchone()
        assert (len(rows), rows[-1][0]) == (known[name]["rows"], known[name]["max_id"])
        assert issued[0] == known[name]["highest_issued"]
    assert set(known) - whole == {one["safety_point"] for one in made.restored[-2:]}


def test_a_raw_copy_is_what_could_not_be_read_and_its_log(made):
    changed, emptied = (one["safety_point"] for one in made.restored[-2:])
    known = reader.points(made.backup)
    assert known[changed]["wal"] is None
    assert len(reader.wrong_pages(reader.content(f"{made.backup}/{changed}"))) == 1
    assert known[emptied]["bytes"] == 0
    digest = hashlib.sha256(made.log).hexdigest()
    assert known[emptied]["wal"] == digest
    assert os.listdir(f"{made.backup}/.pra/raw") == [f"{digest}.db-wal"]
    assert reader.content(f"{made.backup}/.pra/raw/{digest}.db-wal") == made.log


def test_timelines_are_those_that_the_restores_opened(made):
    lines = reader.timelines(made.backup)
    lineage = reader.mark(made.backup)["lineage"]
    assert reader.mark(made.data)["lineage"] == lineage
    assert reader.mark(made.data)["id"] != reader.mark(made.backup)["id"]
    assert all(one["active"] and one["lineage"] == lineage for one in lines.values())
    assert (lines[1]["empty"], lines[1]["parent"], lines[1]["seq"]) == (True, None, 0)
    for number, answer in enumerate(made.restored, start=2):
        one = lines[number]
        assert answer["generation"] == number and not one["empty"]
        assert one["parent"]["seq"] == answer["seq"]
        for field, said in (("safety", "safety_point"), ("point", "point"), ("also_kept",) * 2):
            assert one[field] == answer[said], field
        assert one["replaced"] == [number - 1]
        before = reader.Place(one["before"]["seq"], one["before"]["hash"])
        assert before == end_of(made, lines[number - 1])
        kept = reader.points(made.backup)[one["safety"]]
        if kept["rows"] is None:
            assert one["left"] is None
        else:
            assert one["left"] == {of: kept["position"][of] for of in reader.BRANCH}
            assert one["highest_id"] == kept["highest_issued"]
    # The third one left what the second had added, and undo went back to that.
    assert [lines[number]["parent"]["timeline"] for number in range(2, 7)] == [1, 1, 2, 4, 5]
    left = lines[4]["left"]
    assert (left["timeline"], left["seq"]) == (3, lines[3]["seq"] + 1)
    asked = lines[3]["request"]
    assert (asked["name"], asked["target"]) == ("third", "before:310")
    again = made.run("restore", "--to-before", "310", PRA_REQUEST="third")
    assert again == {**asked["answer"], "already": True}
    for field in set(again) - {"seconds", "already"}:
        assert again[field] == made.restored[1][field]


def end_of(made, timeline):
    """The last place of a timeline."""
    records = [one for part in parts(made, timeline["number"]) for one in part.records]
    last = ([timeline] + [one._asdict() for one in records if one.kind == reader.TRANSACTION])[-1]
    return reader.Place(last["seq"], last["hash"])


def test_segments_continue_each_other_and_say_where_they_do_not(made):
    first = reader.segments(made.backup, 1)
    assert [one.sealed for one in first] == [True, False, False]
    assert [one.header["rebase"] for one in first] == [False, False, True]
    (before, after, rebased) = first
    end = before.records[-1]
    assert (after.header["seq"], after.header["chain"]) == (end.seq, end.hash)
    last = before.records[-2]
    assert (after.header["applied_seq"], after.header["applied_hash"]) == (last.seq, last.hash)
    assert rebased.header["schema"] != after.header["schema"]
    aborted = [one.seq for one in rebased.records if one.kind == reader.ABORT]
    assert len(aborted) == 1 and made.refused == "RuleBroken\n"
    every = [one for number in range(1, 7) for one in parts(made, number)]
    assert not any(one.fault for one in every)
    journal = made.run("points")["journal"]
    assert (journal["timeline"], journal["last_seq"]) == (6, every[-1].records[-1].seq)
    assert (journal["segments"], journal["bytes"]) == (len(every), size_of(made, every))


def parts(made, timeline):
    """The segments of a timeline."""
    return reader.segments(made.backup, timeline)


def size_of(made, found):
    """What segments fill, in bytes."""
    return sum(os.path.getsize(f"{made.backup}/.pra/journal/{one.name}") for one in found)


def test_records_say_how_many_before_them_were_in_flight(made):
    records = [one for one in parts(made, 4)[0].records if one.kind == reader.TRANSACTION]
    assert [one.pending for one in records] == [0, 1, 2, 3]


def test_mode_damage_and_use_are_as_the_page_says(made):
    assert reader.mode(made.backup) == "required"
    assert made.noted == {
        "generation": 4,
        "what": made.refused_backup["error"].partition(": ")[2],
        "next": made.refused_backup["next"],
    }
    assert reader.damage(made.backup) is None
    seen = format_notes.data_volume(made.backup)
    assert seen["lineage"] == reader.mark(made.data)["lineage"]
    assert (seen["timeline"], seen["shared"]) == (1, True), "those after were restored"
    assert (seen["below"] > 0, seen["journal"]) == (True, "required")
    assert seen["filesystem"] == f"{os.statvfs(made.data).f_fsid:x}"
    found = os.stat(made.data)
    assert made.served
    for one in made.served:
        assert set(one) == {"path", "root", "view", "journal"}
        assert one["journal"] == "required"
        assert (one["path"], one["root"]) == (made.data, [found.st_dev, found.st_ino])
    locks = {name: os.path.getsize(f"{made.backup}/.pra/locks/{name}") for name in LOCKS}
    assert locks == dict.fromkeys(os.listdir(f"{made.backup}/.pra/locks"), 0)


def test_what_jobs_did_is_as_the_page_says(made):
    done, running = format_jobs.record(made.backup)
    assert running == []
    assert {"backup", "restore"} <= set(done)
    found = jobs.seen(Layout(made.data, made.backup)).jobs
    assert {name: [job.runs, job.seconds] for name, job in found.items()} == {
        name: [one["runs"], one["seconds"]] for name, one in done.items()
    }
    assert os.listdir(f"{made.backup}/.pra/jobs") == ["record"]


def test_nothing_lies_on_the_volumes_that_the_page_does_not_name(made):
    assert sorted(os.listdir(made.data)) == [".pra", ".pra-copy", "app.db", "g6"]
    assert set(os.listdir(f"{made.data}/g6")) <= {"app.db", "app.db-wal", "app.db-shm"}
    points = {name for name in os.listdir(made.backup) if name.startswith("app-")}
    assert sorted(set(os.listdir(made.backup)) - points) == [".pra", ".pra-copy"]
    assert sorted(os.listdir(f"{made.backup}/.pra")) == sorted(
        ["jobs", "journal", "locks", "mode.json", "raw", "timelines", "tmp", "use", "volume.json"]
        + ["data-volume.json"]
    )
    assert os.listdir(f"{made.backup}/.pra/tmp") == []
    for name in os.listdir(f"{made.backup}/.pra/timelines"):
        copies = (f"{made.backup}/{own}/timelines/{name}" for own in (".pra", ".pra-copy"))
        assert len(set(map(reader.content, copies))) == 1


def test_the_exported_file_holds_what_its_check_says(made, tmp_path):
    known, database = reader.exported(made.exported)
    (tmp_path / "copy.tar").write_bytes(made.exported)
    said = made.run("adopt", "--check", str(tmp_path / "copy.tar"))
    del said["status"], said["file"]
    assert known == said
    (tmp_path / "app.db").write_bytes(database)
    assert reader.wrong_pages(database) == []
    with replay.opened(tmp_path / "app.db") as conn:
        rows = conn.execute("SELECT * FROM events ORDER BY id").fetchall()
        assert dict(zip(reader.POSITION, reader.position(conn), strict=False)) == known["position"]
    assert rows == made.dump()[:-1]


def test_the_reader_writes_the_newest_state_as_sql_for_a_plain_sqlite(made):
    done = subprocess.run(
        [sys.executable, "-I", "-c", ISOLATED, f"{APP}/tests", made.backup],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with contextlib.closing(sqlite3.connect(":memory:")) as conn:
        conn.executescript(done.stdout)
        assert conn.execute("SELECT * FROM events ORDER BY id").fetchall() == made.dump()
        assert conn.execute("PRAGMA user_version").fetchone() == (7,)


def test_the_number_that_no_journal_has_lies_beside_the_database(tmp_path):
    volumes = Volumes(tmp_path, mode="off")
    volumes.write([added("one"), added("two")])
    assert reader.acknowledged(volumes.database) == 2
    with replay.opened(volumes.database) as conn:
        here = dict(zip(reader.COLUMNS, reader.position(conn), strict=True))
    assert (here["seq"], here["left_seq"], here["unjournaled_to"]) == (2, 0, 2)
    # Works that are not the application's tell nothing of rows where no session watches them.
    assert (here["rows"], here["rows_seq"]) == (None, 2)


def test_a_copy_with_its_log_has_what_a_copy_without_it_lacks(tmp_path):
    volumes = Volumes(tmp_path)
    volumes.write([added("one")])
    volumes.write([added("two")], "crash")
    found = []
    for names in (["app.db"], ["app.db", "app.db-wal"]):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        for name in names:
            shutil.copy(f"{reader.generation(volumes.data)}/{name}", folder)
        with contextlib.closing(sqlite3.connect(folder / "app.db")) as conn:
            found.append(conn.execute("SELECT count(*) FROM events").fetchone()[0])
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert found == [1, 2]


@pytest.mark.parametrize("at", [0, 30, 1019, 1021, 1024, 1028, 1030, 1040, 1050, 1060, 1085, 1100])
def test_the_reader_takes_no_changed_byte_for_a_record(made, tmp_path, at):
    name = parts(made, 1)[0].name
    raw = bytearray(reader.content(f"{made.backup}/.pra/journal/{name}"))
    raw[at] ^= 1
    (tmp_path / name).write_bytes(raw)
    try:
        found = reader.segment(f"{tmp_path}/{name}")
    except reader.FormatError:
        return
    assert (found.records, found.fault) == ([], "something lies behind its end")
