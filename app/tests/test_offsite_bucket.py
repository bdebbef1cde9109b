"""Copies elsewhere, in a bucket of a real store: SeaweedFS."""

import contextlib
import http.server
import itertools
import json
import socket

import botocore.paginate
import pytest
import seaweed
from conftest import pra, python
from helpers import Crash, add, as_rows, rows, running
from offsite_helpers import (
    checked,
    copying,
    fetched,
    objects_of,
    pushed,
    pushed_at_once,
    rows_of,
)

from pra.base import offsite_place
from pra.base.errors import DiskFull, PraError, Refused, UsageError
from pra.events.sqlite import SqliteEvents
from pra.offsite import bucket, push, stores
from pra.protect import backup


@pytest.fixture
def copied(config, store, keys, credentials):
    """The settings of the lab, with a part of a bucket for its copies."""
    return copying(config, seaweed.place(store.endpoint), keys)


def test_by_command_line_from_one_machine_to_another(
    environment, copied, store, where, added, keys, tmp_path
):
    there = {
        **environment,
        "PRA_OFFSITE": f"s3://plain/by-hand?endpoint={store.endpoint}",
        "PRA_OFFSITE_RECIPIENTS": keys.public,
    }
    said = pra(there, "offsite", "push", "--json")
    assert json.loads(said.stdout)["lock"] == "the bucket has no object lock"
    assert "WARNING: the bucket has no object lock" in pra(there, "offsite", "push").stdout
    listed = json.loads(pra(there, "offsite", "list", "--json").stdout)["histories"]
    assert [len(one["points"]) for one in listed] == [1]
    for name in ("data", "backup"):
        (tmp_path / "new" / name).mkdir(parents=True)
    new = {
        **there,
        "PRA_DATA_DIR": str(tmp_path / "new" / "data"),
        "PRA_BACKUP_DIR": str(tmp_path / "new" / "backup"),
    }
    verified = pra(new, "offsite", "verify", "--identity", keys.file, "--all")
    assert "latest can be restored: 5 rows" in verified.stdout
    file = tmp_path / "copy.tar"
    with_file = ["offsite", "fetch", "--identity", keys.file]
    script = f"import sys; sys.stdout = open({str(file)!r}, 'w'); "
    script += f"from pra.commands.cli import main; sys.exit(main({with_file!r}))"
    done = python(new, "-c", script)
    assert done.returncode == 0, done.stderr
    assert "latest: 5 rows" in done.stderr
    assert "5 rows (taken as it is)" in pra(new, "adopt", str(file)).stdout
    assert rows(where._replace(data=new["PRA_DATA_DIR"])) == as_rows(added)


def test_credentials_from_a_file_and_no_secret_in_what_is_said(
    environment, copied, store, where, added, keys, tmp_path, monkeypatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    there = {
        **environment,
        "PRA_OFFSITE": seaweed.place(store.endpoint),
        "PRA_OFFSITE_RECIPIENTS": keys.public,
    }
    without = pra(there, "offsite", "push")
    assert without.returncode == 2
    assert "there are no credentials" in without.stderr
    there["PRA_OFFSITE_CREDENTIALS"] = str(file)
    for secret, code in ((seaweed.SECRET, 0), ("a-wrong-one", 4)):
        file.write_text(
            f"[default]\naws_access_key_id = {seaweed.KEY}\naws_secret_access_key = {secret}\n"
        )
        done = pra(there, "offsite", "push")
        assert done.returncode == code, done.stderr
        assert secret not in done.stdout + done.stderr
    assert "SignatureDoesNotMatch" in done.stderr


def test_a_bucket_is_made_with_a_lock_and_made_again_stays(
    environment, config, store, keys, credentials, tmp_path
):
    name = "made-once"
    made = copying(config, f"s3://{name}/labs?endpoint={store.endpoint}", keys)
    there = stores.of(made)
    assert there.make(3) is True
    assert there.lock() is None
    assert there.put("a/name", b"kept")
    told = {**environment, "PRA_OFFSITE": f"s3://{name}?endpoint={store.endpoint}"}
    again = pra(told, "offsite", "bucket", "--lock-days", "5", "--json")
    assert json.loads(again.stdout)["made"] is False
    rule = store.client.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
    assert rule["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 5}
    assert list(there.versions("a/name", 100)) == [b"kept"]
    for days in ("0", "soon"):
        refused = pra(told, "offsite", "bucket", "--lock-days", days)
        assert refused.returncode == 2
    elsewhere = {**told, "PRA_OFFSITE": str(tmp_path)}
    folder = pra(elsewhere, "offsite", "bucket", "--lock-days", "5")
    assert folder.returncode == 2
    assert "is a folder" in folder.stderr


def test_a_name_that_is_taken_stays_as_it_is(copied):
    there = stores.of(copied)
    assert there.put("a/name", b"first")
    assert not there.put("a/name", b"second")
    assert list(there.versions("a/name", 100)) == [b"first"]
    assert list(there.versions("a/name", 3)) == []
    assert list(there.versions("a/na", 100)) == []
    assert there.sizes("a/") == {"a/name": 5}


def test_killed_before_or_after_any_object_the_next_push_ends_it(
    config, store, where, added, keys, credentials, monkeypatch
):
    put = bucket.BucketStore.put

    def dying(step):
        calls = itertools.count()

        def one(self, name, data):
            call = next(calls)
            if call == step:
                raise Crash
            done = put(self, name, data)
            if call + 0.5 == step:
                raise Crash
            return done

        return one

    for step in (0, 0.5, 2, 3.5, 4, 5.5):
        copied = copying(config, seaweed.place(store.endpoint), keys)
        with monkeypatch.context() as patch, pytest.raises(Crash):
            patch.setattr(bucket.BucketStore, "put", dying(step))
            push.run(copied)
        left = objects_of(copied)
        pushed(copied)
        after = objects_of(copied)
        assert len(after) == 5
        assert {name: after[name] for name in left} == left
        assert checked(copied, keys)["ok"]


def test_two_pushers_at_once_do_the_work_of_one(copied, where, added, keys):
    done = pushed_at_once(copied, 3)
    assert sum(one["objects"] for one in done) == len(objects_of(copied)) - 1
    assert checked(copied, keys)["ok"]


def test_more_objects_than_a_page_of_the_listing(copied, store, where, events, keys, monkeypatch):
    backup.run(copied)
    whole = botocore.paginate.Paginator.paginate

    def small(self, **arguments):
        return whole(self, **arguments, MaxKeys=2)

    monkeypatch.setattr(botocore.paginate.Paginator, "paginate", small)
    for _ in range(3):
        events.add("one more")
        pushed(copied)
    assert pushed(copied)["objects"] == 0
    assert fetched(copied, keys)[1]["rows"] == 3


def test_a_bucket_that_is_absent_is_not_made(config, store, where, added, keys, credentials):
    copied = copying(config, seaweed.place(store.endpoint, "absent"), keys)
    with pytest.raises(UsageError, match="NoSuchBucket"):
        push.run(copied)
    names = [one["Name"] for one in store.client.list_buckets()["Buckets"]]
    assert "absent" not in names


def test_a_store_that_cannot_be_reached_is_said(config, where, added, keys, credentials):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        copied = copying(config, seaweed.place(endpoint), keys)
        with pytest.raises(PraError, match="Could not connect") as told:
            push.run(copied)
    assert told.value.exit_code == 4


@pytest.fixture
def locked(config, store, keys, credentials):
    """The settings of the lab, with a bucket whose objects nobody removes for a day."""
    name = store.bucket_with_lock()
    copied = copying(config, seaweed.place(store.endpoint, name), keys)
    assert "no default retention" in stores.of(copied).lock()
    store.lock(name)
    return copied


def test_locked_copies_outlive_whoever_has_the_credentials_of_the_pods(
    locked, store, where, added, keys, tmp_path
):
    assert pushed(locked)["lock"] is None
    expected = rows(where)
    name = locked.offsite.bucket
    versions = store.client.list_object_versions(Bucket=name)["Versions"]
    assert len(versions) == 6
    for one in versions:
        with contextlib.suppress(store.client.exceptions.ClientError):
            store.client.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
        store.client.put_object(Bucket=name, Key=one["Key"], Body=b"encrypted by a thief")
        if "chunks" in one["Key"] or "points" in one["Key"]:
            store.client.delete_object(Bucket=name, Key=one["Key"])
    assert objects_of(locked) != {}
    copy, answer = fetched(locked, keys)
    assert answer["faults"] == []
    assert rows_of(copy, tmp_path / "new") == expected
    assert checked(locked, keys)["ok"]
    # What was deleted is sent again; what was written over is told by who reads it.
    SqliteEvents(locked).add("meanwhile")
    push.run(locked)
    assert fetched(locked, keys)[1]["rows"] == len(expected) + 1


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers each PUT as the test wants it; lists nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """An empty listing."""
        self._answer(200, b"<ListBucketResult><Name>plain</Name></ListBucketResult>")

    def do_PUT(self):
        """What the test gave, in turn."""
        self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["If-None-Match"] == "*"
        status, code = self.server.answers.pop(0)
        error = f"<Error><Code>{code}</Code><Message>m</Message></Error>"
        self._answer(status, error.encode() if code else b"")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nothing."""


@contextlib.contextmanager
def answering(answers):
    """A store that answers PUTs so, and then nothing; yields its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.answers = answers
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((507, "XMinioStorageFull"), DiskFull, "make room in the store"),
        ((403, "RequestTimeTooSkewed"), PraError, "clock"),
        ((400, "ExpiredToken"), PraError, "credentials"),
        ((501, "NotImplemented"), PraError, "conditional PUTs"),
        ((200, ""), Refused, "conditional PUTs"),
    ],
)
def test_what_a_store_refuses_is_said_with_what_to_do(
    config, where, added, keys, credentials, answer, error, said
):
    with answering([answer] * 10) as endpoint:
        copied = copying(config, seaweed.place(endpoint), keys)
        with pytest.raises(error) as told:
            push.run(copied)
    assert said in told.value.next_step


def test_two_puts_at_once_are_tried_again(config, keys, credentials):
    conflict = (409, "ConditionalRequestConflict")
    with answering([conflict, conflict, (200, "")]) as endpoint:
        assert stores.of(copying(config, seaweed.place(endpoint), keys)).put("name", b"x")
    with answering([conflict, (412, "PreconditionFailed")]) as endpoint:
        assert not stores.of(copying(config, seaweed.place(endpoint), keys)).put("name", b"x")
    with answering([conflict] * 20) as endpoint:
        there = stores.of(copying(config, seaweed.place(endpoint), keys))
        with pytest.raises(PraError, match="ConditionalRequestConflict"):
            there.put("name", b"x")


def test_a_store_that_never_answers_is_not_waited_for_without_end(
    config, where, added, keys, credentials, monkeypatch
):
    monkeypatch.setattr(bucket, "READ_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PraError, match="timed? ?out") as told:
            push.run(copying(config, seaweed.place(endpoint), keys))
    assert told.value.exit_code == 4


def test_a_full_store_is_said_and_the_next_push_ends_it(
    config, store, where, events, keys, credentials
):
    add(events, 3)
    backup.run(config)
    # Each bucket takes volumes of its own, until there are none left.
    for number in range(100):
        store.client.create_bucket(Bucket=f"full-{number}")
        copied = copying(config, seaweed.place(store.endpoint, f"full-{number}"), keys)
        try:
            push.run(copied)
        except PraError as error:
            assert error.exit_code == 4
            break
    else:
        raise AssertionError("the store never ran full")
    for one in range(number):
        name = f"full-{one}"
        for key in store.client.list_objects_v2(Bucket=name).get("Contents", []):
            store.client.delete_object(Bucket=name, Key=key["Key"])
        store.client.delete_bucket(Bucket=name)
    pushed(copied)
    assert checked(copied, keys)["ok"]


def test_a_file_of_credentials_goes_before_what_a_shell_has_set(monkeypatch, tmp_path):
    """Else whoever types it copies, and proves a lock, with rights of their own."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = of-the-file\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-shell")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_PROFILE", "work")
    place = offsite_place.parse("s3://copies/labs?endpoint=http://127.0.0.1:1")
    store = bucket.BucketStore(place, str(file))
    assert store._client._request_signer._credentials.access_key == "of-the-file"
