"""The exported copy: what is in it, what is found out about it, and bringing it back."""

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import threading

import pytest
from conftest import APP, pra, serving
from helpers import add, as_rows, bring, crash_before_commit, lose_data, rewrite, rows
from wire import get

from pra.base import sealing, settings
from pra.base.errors import DiskFull, NeedsRestore, PraError, Refused
from pra.base.layout import Layout
from pra.disk import look
from pra.events.sqlite import SqliteEvents
from pra.journal import comparison
from pra.journal.comparison import Mismatch
from pra.lineage import marks
from pra.pitr import targets
from pra.points import archive, verify
from pra.protect import export
from pra.recovery import restore
from pra.state import volumes


@pytest.fixture
def elsewhere(tmp_path):
    """Another lab: the environment of a pod with two more empty folders."""
    for name in ("data", "backup"):
        (tmp_path / "other" / name).mkdir(parents=True)
    return {
        "PRA_DATA_DIR": str(tmp_path / "other" / "data"),
        "PRA_BACKUP_DIR": str(tmp_path / "other" / "backup"),
        "PRA_JOURNAL": "required",
    }


def exported(config):
    """The bytes of an exported copy."""
    out = io.BytesIO()
    export.run(config, out)
    return out.getvalue()


def adopt(config, data):
    """Make a copy the database."""
    goal = targets.Goal("the exported copy", copy=archive.Copy(io.BytesIO(data)))
    return restore.run(config, lambda where, known: goal)


def layout(config):
    """The paths of its volumes."""
    return Layout(config.data_dir, config.backup_dir)


def sealed_again(data, **change):
    """The copy with another, well sealed manifest."""
    copy = archive.Copy(io.BytesIO(data))
    database = b"".join(copy.database())
    content = {k: v for k, v in copy.content.items() if k not in ("kind", "format", "seal")}
    out = io.BytesIO()
    archive.write(out, {**content, **change}, io.BytesIO(database))
    return out.getvalue()


def test_a_copy_brings_everything_to_volumes_that_know_nothing(config, where, events, elsewhere):
    added = as_rows(add(events, 5))
    rewrite(where, "DELETE FROM events WHERE id = 5")
    data = exported(config)
    other = settings.load(elsewhere)
    result = adopt(other, data)
    assert (result["rows"], result["max_id"], result["safety_point"]) == (4, 4, None)
    assert rows(layout(other)) == added[:4]
    new = SqliteEvents(other).add("new")
    assert new["id"] == 6, "an id that was given out once is never given out again"
    assert verify.check_all(layout(other), [])["ok"]
    lose_data(layout(other))
    bring(other)
    assert rows(layout(other)) == added[:4] + as_rows([new]), "it is protected at once"


def test_by_hand_a_copy_is_taken_as_it_is_and_no_loss_is_told(
    environment, config, events, tmp_path
):
    add(events, 5)
    file = tmp_path / "copy.tar"
    file.write_bytes(exported(config))
    planned = pra(environment, "adopt", str(file), "--plan").stdout
    assert "would be left behind, and no row that is there now would be lost" in planned
    assert "5 rows (taken as it is)" in pra(environment, "adopt", str(file)).stdout
    events.add("later")
    planned = pra(environment, "adopt", str(file), "--plan").stdout
    assert "would be left behind" in planned and "no row" not in planned


def test_transaction_numbers_go_on_and_histories_stay_apart(config, where, events, elsewhere):
    add(events, 7)
    data = exported(config)
    other = settings.load(elsewhere)
    volumes.ensure_initialised(layout(other))
    SqliteEvents(other).add("of the other lab")
    mark = marks.mark_of(other.backup_dir)
    adopt(other, data)
    added = SqliteEvents(other).add("after")
    assert added["id"] == 8
    status = pra(elsewhere, "log", "--json")
    assert [one["seq"] for one in json.loads(status.stdout)["transactions"]] == [8]
    assert marks.mark_of(other.backup_dir) == mark
    assert mark.lineage != marks.mark_of(config.backup_dir).lineage


@pytest.mark.parametrize("mode", ["required", "best-effort", "off"])
def test_undo_brings_back_what_the_copy_replaced(environment, mode):
    config = settings.load({**environment, "PRA_JOURNAL": mode})
    where = layout(config)
    volumes.ensure_initialised(where)
    events = SqliteEvents(config)
    add(events, 2)
    data = exported(config)
    later = rows(where) + as_rows(add(events, 3))
    result = adopt(config, data)
    assert events.count() == 2
    assert result["safety_point"]
    restore.run(config, targets.undo)
    assert rows(where) == later
    restore.run(config, targets.undo)
    assert events.count() == 2


def test_an_empty_database_is_a_copy_like_any_other(config, where, events, elsewhere):
    data = exported(config)
    other = settings.load(elsewhere)
    assert adopt(other, data)["rows"] == 0
    assert SqliteEvents(other).add("first")["id"] == 1


def test_what_was_acknowledged_before_is_in_it_however_busy_the_lab(environment, config, elsewhere):
    with serving(environment) as (url, _):
        acknowledged, stop = [], threading.Event()

        def write():
            while not stop.is_set():
                said = get(url, "/add?message=x")
                if said.status == 200:
                    acknowledged.append(said.json["id"])

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        try:
            for _ in range(5):
                before = set(acknowledged)
                data = exported(config)
                kept = archive.check(io.BytesIO(data))
                adopt(settings.load(elsewhere), data)
                ids = {row[0] for row in rows(layout(settings.load(elsewhere)))}
                assert before <= ids
                assert ids == set(range(1, (kept["max_id"] or 0) + 1)), "one moment, not several"
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert acknowledged


def test_every_flipped_bit_is_found(config, where, events):
    add(events, 3)
    data = exported(config)
    found = archive.check(io.BytesIO(data))
    assert found["file"]["bytes"] == len(data)
    chance = random.Random(1)
    frame = len(data) - found["bytes"]
    places = [*range(frame - 1024), *range(len(data) - 1024, len(data))]
    places += [chance.randrange(len(data)) for _ in range(500)]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        with pytest.raises(PraError):
            archive.check(io.BytesIO(damaged))


def test_a_copy_that_is_cut_off_is_refused_and_leaves_nothing(config, where, events):
    add(events, 3)
    data = exported(config)
    add(events, 1)
    before = rows(where)
    chance = random.Random(2)
    lengths = {0, 1, 100, 511, 512, 513, 1024, len(data) - 1, len(data) - 1024}
    for length in sorted(lengths | {chance.randrange(len(data)) for _ in range(20)}):
        with pytest.raises(PraError) as refused:
            adopt(config, data[:length])
        assert refused.value.exit_code in (1, 2)
        assert refused.value.next_step
    assert rows(where) == before
    assert [name for name in os.listdir(where.data) if name.startswith("g")] == ["g1"]


def test_what_follows_the_end_is_refused(config, where, events):
    data = exported(config)
    for more in (b"\0", b"x" * 512, data):
        with pytest.raises(PraError, match="follows its end"):
            archive.check(io.BytesIO(data + more))


def a_tar(*members):
    """A tar with these (name, content) members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_files_of_others_are_refused_and_no_name_in_them_is_a_path(config, where, events, tmp_path):
    add(events, 2)
    data = exported(config)
    inside = sealing.seal({"kind": "pra-export", "format": 1})
    copy = archive.Copy(io.BytesIO(data))
    database = b"".join(copy.database())
    sealed = data[512 : data.index(b"}\n") + 2]
    escape = str(tmp_path / "escaped")
    for wrong in (
        b"SQLite format 3\0" + bytes(2000),
        a_tar(("README", b"hello")),
        a_tar(("manifest.json", b"{}")),
        a_tar(("manifest.json", b"x" * 100_000)),
        a_tar(("manifest.json", sealing.seal({"kind": "something else"}))),
        a_tar(("manifest.json", inside), ("app.db", database)),
        a_tar((escape, b"x")),
        a_tar(("manifest.json", sealed), ("../../escaped", database)),
        a_tar(("manifest.json", sealed), ("app.db", database), ("../escaped", b"x")),
    ):
        with pytest.raises(PraError):
            adopt(config, wrong)
    assert events.count() == 2
    assert not any("escaped" in name for _, _, names in os.walk(tmp_path) for name in names)


def test_a_newer_format_is_named(environment, config, where, events, tmp_path):
    path = tmp_path / "copy.tar"
    path.write_bytes(a_tar(("manifest.json", sealing.seal({"kind": "pra-export", "format": 2}))))
    done = pra(environment, "adopt", str(path))
    assert done.returncode == 2
    assert "format 2, known is 1" in done.stderr


@pytest.mark.parametrize("change", [{"rows": 9}, {"max_id": 9}, {"highest_issued": "9"}])
def test_a_manifest_that_does_not_fit_its_database_is_refused(config, where, events, change):
    add(events, 2)
    with pytest.raises(PraError):
        adopt(config, sealed_again(exported(config), **change))
    assert events.count() == 2


def test_the_database_inside_is_checked_page_by_page(config, where, events):
    add(events, 2)
    copy = archive.Copy(io.BytesIO(exported(config)))
    database = bytearray(b"".join(copy.database()))
    database[-4096:] = bytes([7]) * 4096
    content = {k: v for k, v in copy.content.items() if k not in ("kind", "format", "seal")}
    content["sha256"] = hashlib.sha256(database).hexdigest()
    out = io.BytesIO()
    archive.write(out, content, io.BytesIO(database))
    archive.check(io.BytesIO(out.getvalue()))
    with pytest.raises(PraError):
        adopt(config, out.getvalue())
    assert events.count() == 2


def test_a_copy_that_would_not_fit_is_refused(config, where, events, monkeypatch):
    add(events, 1)
    data = exported(config)
    monkeypatch.setattr(look, "free_bytes", lambda path: 1000)
    with pytest.raises(DiskFull):
        adopt(config, data)
    assert events.count() == 1


def test_what_a_crash_left_in_the_journal_alone_is_in_the_copy(
    config, where, events, monkeypatch, elsewhere
):
    add(events, 2)
    crash_before_commit(events, monkeypatch)
    other = settings.load(elsewhere)
    adopt(other, exported(config))
    assert [row[2] for row in rows(layout(other))] == ["message 0", "message 1", "in doubt"]


def test_without_a_sound_database_there_is_no_copy(config, where, events, monkeypatch):
    monkeypatch.setattr(comparison, "MAX_BEHIND", 1)
    add(events, 2)
    kept = shutil.copytree(where.data, f"{where.data}-kept", symlinks=True)
    add(events, 2)
    lose_data(where)
    with pytest.raises(NeedsRestore):
        exported(config)
    shutil.rmtree(where.data)
    shutil.move(kept, where.data)
    with pytest.raises(Mismatch):
        exported(config)
    shutil.rmtree(where.backup)
    os.mkdir(where.backup)
    with pytest.raises(Refused):
        exported(config)


def test_by_command_line(environment, config, where, events, tmp_path, elsewhere):
    add(events, 3)
    path = tmp_path / "copy.tar"
    with path.open("wb") as file:
        command = [sys.executable, "-m", "pra", "export"]
        done = subprocess.run(
            command, cwd=APP, env={**os.environ, **environment}, stdout=file, timeout=60, check=True
        )
    assert os.listdir(where.temporary) == []
    with tarfile.open(path) as tar:
        assert tar.getnames() == ["manifest.json", "app.db"]
    done = pra(elsewhere, "adopt", "--check", "--json", str(path))
    said = json.loads(done.stdout)
    assert (said["status"], said["rows"], said["file"]["bytes"]) == (
        "sound",
        3,
        path.stat().st_size,
    )
    done = pra(elsewhere, "adopt", "--plan", "--json", str(path))
    assert json.loads(done.stdout)["gained"] == 3
    assert os.listdir(elsewhere["PRA_DATA_DIR"]) == []
    with path.open("rb") as file:
        done = pra(elsewhere, "adopt", "--json", stdin=file)
    assert json.loads(done.stdout)["rows"] == 3
    for arguments, code in ((("export", "--json"), 2), (("adopt", "nowhere"), 4)):
        done = pra(elsewhere, *arguments)
        assert done.returncode == code, done


def test_it_is_checked_without_the_application_s_packages(config, where, events, tmp_path):
    path = tmp_path / "copy.tar"
    path.write_bytes(exported(config))
    bare = [sys.executable, "-I", "-S", "-c"]
    script = (
        f"import sys; sys.path.insert(0, {str(APP)!r}); from pra.commands.cli import main;"
        f" sys.exit(main(['adopt', '--check', {str(path)!r}]))"
    )
    done = subprocess.run([*bare, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "sound: 0 rows" in done.stdout
