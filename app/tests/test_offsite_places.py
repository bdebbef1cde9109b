"""Where copies can be kept, for whom, and what is refused."""

import argparse
import json
import os
import shutil

import pytest
from offsite_helpers import (
    checked,
    copying,
    fetched,
    pushed,
)

from pra.base import settings
from pra.base.errors import Refused, UsageError
from pra.commands import offsite
from pra.offsite import crypt, push
from pra.offsite.folder import FolderStore
from pra.offsite.store import NotAllowed, Refusing


def test_a_folder_that_is_not_there_is_not_made(config, where, added, keys, tmp_path):
    away = copying(config, tmp_path / "not-mounted", keys)
    with pytest.raises(UsageError, match="there is no such folder"):
        push.run(away)
    assert not (tmp_path / "not-mounted").exists()


class Overwriting:
    """A store that does not honour conditional PUTs."""

    shown = "a careless store"

    def __init__(self):
        self.objects = {}

    def put(self, name, data):
        self.objects[name] = data
        return True

    def sizes(self, prefix, hidden=False):
        return {}


def test_a_store_that_overwrites_is_found_out_at_the_first_content(where, added, keys):
    store = Overwriting()
    with pytest.raises(Refused, match="wrote over an object"):
        push.Pusher(where, store, crypt.Recipients([keys.public]))
    assert [name.split("/")[1] for name in store.objects] == ["readers", "about.age"]


def test_names_of_others_are_left_alone(copied, where, added, keys, tmp_path):
    history = pushed(copied)["history"]
    for name in ("README", f"{history}/journal/x", f"{history}/points/../../escape.age"):
        path = tmp_path / "elsewhere" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert checked(copied, keys)["ok"]
    pushed(copied)


def test_without_a_mark_recipients_or_a_place_it_is_said_what_is_missing(
    config, copied, where, added, tmp_path
):
    with pytest.raises(UsageError, match="PRA_OFFSITE is not set"):
        push.run(copied._replace(offsite=None))
    with pytest.raises(UsageError, match="PRA_OFFSITE_RECIPIENTS is not set"):
        push.run(copied._replace(offsite_recipients=()))
    with pytest.raises(UsageError, match="neither a public key") as told:
        push.run(copied._replace(offsite_recipients=("AGE-SECRET-KEY-1XX",)))
    assert "SECRET-KEY-1XX" not in str(told.value)
    shutil.rmtree(f"{where.backup}/.pra")
    shutil.rmtree(f"{where.backup}/.pra-copy")
    with pytest.raises(Refused, match="no mark"):
        push.run(copied)


@pytest.mark.parametrize(
    "text",
    [
        "relative/folder",
        "http://host/bucket",
        "s3://key:secret@bucket/prefix",
        "s3://Bucket_/x",
        "s3://bucket/a/../b",
        "s3://bucket/x?endpoint=ftp://host",
        "s3://bucket/x?endpoint=https://key:secret@host",
        "s3://bucket/x?secret=secret",
        "s3://bucket:99999/x",
        "s3://[secret/x",
        "s3://bucket/x#secret",
    ],
)
def test_a_place_that_is_none_is_refused_and_not_repeated(text):
    with pytest.raises(UsageError, match="PRA_OFFSITE is no place for copies") as told:
        settings.load({"PRA_OFFSITE": text})
    assert "secret" not in str(told.value)


def test_a_place_is_read_as_it_is_written():
    place = settings.load({"PRA_OFFSITE": "s3://one/a/b?endpoint=http://127.0.0.1:9000"}).offsite
    assert (place.bucket, place.prefix, place.endpoint) == ("one", "a/b/", "http://127.0.0.1:9000")
    assert settings.load({"PRA_OFFSITE": "/mnt/disk/"}).offsite.folder == "/mnt/disk"
    assert settings.load({"PRA_OFFSITE": ""}).offsite is None
    both = settings.load({"PRA_OFFSITE_RECIPIENTS": "age1a, ssh-ed25519 AAAA me\nage1b,"})
    assert both.offsite_recipients == ("age1a", "ssh-ed25519 AAAA me", "age1b")


def test_the_private_key_is_for_its_user_alone_and_no_key_is_written_over(tmp_path, keys):
    assert os.stat(keys.file).st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="a file of that name"):
        crypt.make_identity(keys.file)
    empty = tmp_path / "empty"
    empty.write_text(f"# {keys.public}\n")
    for path in (empty, tmp_path / "nowhere"):
        with pytest.raises(UsageError):
            crypt.read_identity(str(path))


def test_who_may_not_list_versions_sees_what_is_there(
    config, added, keys, tmp_path, monkeypatch, capsys
):
    copied = copying(config, tmp_path / "elsewhere", keys)
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    pushed(copied)
    sizes = FolderStore.sizes

    def restricted(self, prefix, hidden=False):
        if hidden:
            raise NotAllowed("listing the copies", "AccessDenied", "ask for the right")
        return sizes(self, prefix)

    monkeypatch.setattr(FolderStore, "sizes", restricted)
    assert offsite.listing(copied, argparse.Namespace(json=True)) == 0
    answer = json.loads(capsys.readouterr().out)
    (told,) = answer["histories"]
    assert told["own"] and not told["hidden"] and not answer["deleted_seen"]
    assert offsite.listing(copied, argparse.Namespace(json=False)) == 0
    assert "what somebody deleted is not told" in capsys.readouterr().out
    found = checked(copied, keys)
    assert found["ok"] and not found["deleted_seen"] and fetched(copied, keys)[1]["rows"] == 5

    def busy(self, prefix, hidden=False):
        if hidden:
            raise Refusing("listing the copies", "SlowDown", "see what the store says")
        return sizes(self, prefix)

    # What is not told for a while is not taken for what is not there.
    monkeypatch.setattr(FolderStore, "sizes", busy)
    with pytest.raises(Refusing, match="SlowDown"):
        fetched(copied, keys)
