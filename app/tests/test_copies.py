"""Copying a file and reading it back in one go, part by part."""

import errno
import hashlib
import os
import threading

import pytest
from helpers import add, bring, content, failing, rows

from pra.base.errors import Damaged
from pra.disk import copying, files, look
from pra.protect import backup


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(copying, "CHUNK", 1024)
    monkeypatch.setattr(copying, "PART", 2048)


@pytest.mark.parametrize("size", [0, 1, 1024, 2047, 2048, 2049, 10_000, 16 * 4096 + 1])
def test_a_copy_is_the_same_and_its_hash_is_that_of_what_is_on_the_disk(tmp_path, size):
    data = os.urandom(size)
    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    files.write_new(source, data)
    steps = []
    files.hook = lambda phase, operation, arguments: steps.append((phase, operation))
    found = copying.copy_read_back(source, target)
    files.hook = None
    assert content(target) == data
    assert found == hashlib.sha256(data).hexdigest() == copying.sha256(target)
    assert [name for _, name in steps][-1] == "fsync", "nothing is written behind the last fsync"


def test_a_large_copy_is_synced_a_bounded_number_of_times(tmp_path):
    source = str(tmp_path / "source")
    files.write_new(source, bytes(200 * 2048))
    syncs = []

    def hook(phase, operation, arguments):
        if (phase, operation) == ("after", "fsync"):
            syncs.append(operation)

    files.hook = hook
    copying.copy_read_back(source, str(tmp_path / "target"))
    assert 1 < len(syncs) <= copying.PARTS + 1


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_part_that_goes_bad_behind_its_fsync_is_found(config, where, events, part):
    add(events, 30)
    point = backup.run(config)
    assert point.bytes > 4 * copying.PART
    synced = 0

    def hook(phase, operation, arguments):
        nonlocal synced
        if (phase, operation) != ("after", "fsync"):
            return
        synced += look.identity_of(arguments[0]) == look.identity(f"{where.data}/new-g2/app.db")
        if synced == part:
            at = (part - 1) * copying.PART + 100
            byte = os.pread(arguments[0], 1, at)
            os.pwrite(arguments[0], bytes([byte[0] ^ 1]), at)
            synced += 100

    before = rows(where)
    files.hook = hook
    with pytest.raises(Damaged, match="the copy reads back differently"):
        bring(config, point.name)
    files.hook = None
    assert synced > 100
    assert rows(where) == before


def test_a_copy_that_cannot_be_written_leaves_no_thread_behind(tmp_path):
    source = str(tmp_path / "source")
    files.write_new(source, bytes(10_000))
    before = threading.active_count()
    with failing("fsync", 5), pytest.raises(OSError):
        copying.copy_read_back(source, str(tmp_path / "target"))
    assert threading.active_count() == before


def test_a_part_that_cannot_be_read_back_is_said(tmp_path, monkeypatch):
    source = str(tmp_path / "source")
    files.write_new(source, bytes(10_000))

    def fail(digest, fd, begin, end):
        if begin:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(copying, "_digest_part", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        copying.copy_read_back(source, str(tmp_path / "target"))
