"""Copies in a bucket when store, network, clock or credentials fail, and removing them there."""

import contextlib
import datetime
import http.server
import socket
import socketserver
import threading
import time

import botocore.auth
import pytest
import seaweed
from botocore.exceptions import ClientError
from helpers import add, rows, running
from offsite_helpers import checked, copying, fetched, objects_of, pushed, rows_of

from pra.base import clock
from pra.base.errors import StorageError, UsageError
from pra.events.sqlite import SqliteEvents
from pra.journal import segments
from pra.offsite import bucket, copies, names, prune, push, stores
from pra.offsite.fetch import Asking
from pra.offsite.ship import Shipper
from pra.offsite.store import Refusing
from pra.protect import backup
from pra.state import copied as state


@pytest.fixture
def copied(config, store, keys, credentials):
    """The settings of the lab, with a part of a bucket for its copies."""
    return copying(config, seaweed.place(store.endpoint), keys)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_off_is_said_and_nothing_is_lost(
    copied, where, added, keys, monkeypatch, days
):
    pushed(copied)
    before = objects_of(copied)
    SqliteEvents(copied).add("one more")
    right, off = botocore.auth.get_current_datetime, datetime.timedelta(days=days)
    with monkeypatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *one: right(*one) + off)
        with pytest.raises(Refusing) as told:
            push.run(copied)
    assert "clock" in told.value.next_step
    assert objects_of(copied) == before
    pushed(copied)
    assert fetched(copied, keys)[1]["rows"] == len(rows(where))


@contextlib.contextmanager
def listening(handler):
    """A server that treats each connection so; yields its URL."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


def answer(body, *headers):
    """The bytes of an answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(data):
    """What answers every request with these bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(data)

        do_PUT = do_GET

        def log_message(self, *arguments):
            pass

    return Handler


@pytest.mark.parametrize(
    "said",
    [
        answer(b"<html>Sign in to the network</html>"),
        answer(b'{"json": true}', "Content-Type: application/json"),
        answer(b"<ListBucketResult><Contents></Contents></ListBucketResult>"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<ListBucketResult>",
        b"",
    ],
    ids=["page", "json", "halves", "ssh", "cut", "nothing"],
)
def test_what_answers_and_is_no_store_is_said(config, where, added, keys, credentials, said):
    with listening(saying(said)) as endpoint:
        copied = copying(config, seaweed.place(endpoint), keys)
        shipper = Shipper(copied)
        shipper.turn()
        with pytest.raises(StorageError) as told:
            stores.of(copied).sizes("")
    assert told.value.next_step
    assert state.read(where).what
    assert state.read(where).covered is None


class Link:
    """A way to a store that can be slow, broken off, or silent.

    Attributes:
        seconds: how long each piece of what is sent or answered takes.
        silent: nothing gets through.
        cut: how many connections are broken off after the first piece.
    """

    def __init__(self, endpoint):
        self.seconds, self.silent, self.cut = 0.0, False, 0
        host, port = endpoint.removeprefix("http://").split(":")
        self._to = host, int(port)

    def handler(self):
        """What passes each connection on."""
        link = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(link._to) as there:
                    back = threading.Thread(target=link._pass, args=(there, self.request))
                    back.start()
                    link._pass(self.request, there)
                    back.join()

        return Handler

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                if self.silent:
                    continue
                if self.cut:
                    self.cut -= 1
                    break
                time.sleep(self.seconds)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def test_over_a_slow_broken_and_silent_network_nothing_is_lost_or_half_there(
    config, store, where, added, keys, credentials, monkeypatch, tmp_path
):
    monkeypatch.setattr(bucket, "READ_TIMEOUT", 1)
    events, link = SqliteEvents(config), Link(store.endpoint)
    with listening(link.handler()) as endpoint:
        place = seaweed.place(endpoint)
        copied = copying(config, place, keys)
        shipper = Shipper(copied)
        link.seconds = 0.05
        shipper.turn()
        assert state.read(where).what is None
        link.seconds = 0
        for number in range(6):
            events.add(f"cut {number}")
            link.cut = 1 + number % 3
            shipper.turn()
        link.cut, link.silent = 0, True
        events.add("silence")
        covered = state.read(where).covered
        shipper.turn()
        found = state.read(where)
        assert "imed out" in found.what or "imeout" in found.what
        assert found.covered == covered
        link.silent = False
        shipper.turn()
        assert state.read(where).what is None
        assert checked(copied, keys)["ok"]
        copy, _ = fetched(copied, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_half_of_the_credentials_are_said_to_be_that(copied, where, added, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="only half of them"):
        push.run(copied)


def test_credentials_that_change_are_taken_at_the_next_turn(
    copied, where, added, keys, tmp_path, monkeypatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"

    def give(secret):
        lines = f"aws_access_key_id = {seaweed.KEY}\naws_secret_access_key = {secret}\n"
        file.write_text(f"[default]\n{lines}")

    give("expired")
    shipper = Shipper(copied._replace(offsite_credentials=str(file)))
    shipper.turn()
    assert "SignatureDoesNotMatch" in state.read(where).what
    give(seaweed.SECRET)
    shipper.turn()
    assert state.read(where).what is None


def written(config, monkeypatch):
    """Several points with their journal, copied; settings that keep two."""
    monkeypatch.setattr(segments, "SIZE", 4 << 10)
    monkeypatch.setattr(names, "CHUNK", 8 << 10)
    events = SqliteEvents(config)
    few = config._replace(keep_last=2, keep_hours=0, keep_days=0, keep_weeks=0)
    for _ in range(4):
        add(events, 12)
        backup.run(few._replace(offsite=None, keep_last=60))
        pushed(few)
    return few


def test_in_a_bucket_what_is_not_kept_goes(copied, where, keys, monkeypatch, tmp_path):
    few = written(copied, monkeypatch)
    before = copies.histories(stores.of(few))[0]
    done = prune.run(few, Asking(keys.identity), dry_run=False)
    (after,) = copies.histories(stores.of(few))
    assert (done["faults"], done["held"]["objects"]) == ([], 0)
    assert before.count - after.count == done["objects"] > 4
    assert (len(after.points), after.fences) == (2, [])
    assert checked(few, keys)["ok"]
    pushed(few)
    copy, _ = fetched(few, keys)
    assert rows_of(copy, tmp_path / "new") == rows(where)


def test_what_a_lock_holds_stays_and_is_said(
    config, store, where, keys, credentials, monkeypatch, tmp_path
):
    name = store.bucket_with_lock()
    store.lock(name, days=3)
    few = written(copying(config, seaweed.place(store.endpoint, name), keys), monkeypatch)
    before = copies.histories(stores.of(few))[0]
    done = prune.run(few, Asking(keys.identity), dry_run=False)
    (after,) = copies.histories(stores.of(few))
    assert done["objects"] == 0
    assert done["held"]["objects"] > 4
    days = clock.now() + 3 * 86_400
    assert clock.rfc3339(days - 600) < done["held"]["until"] <= clock.rfc3339(days)
    assert after.sizes.keys() - before.sizes.keys() == set()
    assert before.sizes.keys() == after.sizes.keys(), "the fence is gone from the listing"
    pushed(few)
    assert checked(few, keys)["ok"]


def test_the_lock_of_what_is_needed_for_longer_is_renewed(
    config, store, where, added, keys, credentials, monkeypatch
):
    name = store.bucket_with_lock()
    store.lock(name, days=10)
    copied = copying(config, seaweed.place(store.endpoint, name), keys)
    assert pushed(copied)["lock"] is None
    (found,) = copies.histories(stores.of(copied))

    def locked():
        told = {}
        for path in found.sizes:
            answer = store.client.get_object_retention(
                Bucket=name, Key=copied.offsite.prefix + path
            )
            told[path] = answer["Retention"]["RetainUntilDate"].timestamp()
        return told

    first, right = locked(), clock.now
    for days in (4, 6):
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda days=days: right() + days * 86_400)
            assert pushed(copied)["lock"] is None
        later = {path for path, until in locked().items() if until > first[path] + 5 * 86_400}
        needed = {path for path in found.sizes if "journal/" not in path and "points/" not in path}
        assert later == (needed if days == 6 else set())


def test_a_lock_that_cannot_be_renewed_is_said(
    config, store, where, added, keys, credentials, monkeypatch
):
    name = store.bucket_with_lock()
    store.lock(name, days=10)
    copied = copying(config, seaweed.place(store.endpoint, name), keys)
    made, right = stores.of, clock.now

    def readonly(settings):
        there = made(settings)

        def refuse(**asked):
            error = {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}
            raise ClientError(error, "PutObjectRetention")

        there._client.put_object_retention = refuse
        return there

    monkeypatch.setattr(stores, "of", readonly)
    assert pushed(copied)["lock"] is None
    monkeypatch.setattr(clock, "now", lambda: right() + 6 * 86_400)
    said = pushed(copied)["lock"]
    assert "cannot be renewed (AccessDenied" in said
    assert "s3:PutObjectRetention" in said
