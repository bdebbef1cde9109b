import json
import os

import apsw
import pytest
from conftest import pra
from helpers import lose_data

from pra.base.errors import OutcomeUnknown
from pra.data import transaction
from pra.disk import files, locks
from pra.sql import connect
from pra.web.message import MAX_MESSAGE

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PARTS = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n%b\r\n--x--\r\n'
GZIP = {"Content-Encoding": "gzip"}


def test_a_message_is_added_counted_and_listed(client):
    added = client.get("/add?message=h%C3%A9llo").get_json()
    assert added["status"] == "added"
    assert added["message"] == "héllo"
    assert client.get("/count").get_json() == {"count": 1}
    assert client.get("/consultation").get_json() == [
        {"id": added["id"], "timestamp": added["timestamp"], "message": "héllo"}
    ]


def test_the_list_is_newest_first_and_bounded(client):
    for number in range(52):
        client.get(f"/add?message={number}")
    listed = client.get("/consultation").get_json()
    assert [row["id"] for row in listed] == list(range(52, 2, -1))


def test_fixed_answers(client):
    assert client.get("/").get_json() == {"status": "Bonjour tout le monde !"}
    assert client.get("/health").get_json()["status"] == "ok"
    assert client.get("/ready").get_json() == {"status": "ok"}


def test_a_message_can_be_posted(client):
    assert client.post("/add", data={"message": "form"}).status_code == 200
    assert client.post("/add", json={"message": "json"}).status_code == 200
    assert client.post("/add?message=query").status_code == 200
    parts = client.post("/add", data=PART % "é\r\nè".encode(), content_type=PARTS)
    assert (parts.status_code, parts.get_json()["message"]) == (200, "é\r\nè")
    assert client.get("/count").get_json() == {"count": 4}


def test_of_json_the_message_alone_is_taken(client):
    sent = {"message": "x", "id": 99, "timestamp": "1999-01-01T00:00:00Z", "more": [None]}
    added = client.post("/add", json=sent).get_json()
    assert (added["id"], added["message"]) == (1, "x")
    assert added["timestamp"] > "2"


def test_what_comes_with_a_get_is_not_looked_at(client):
    answer = client.get("/add?message=a", data="[", content_type=JSON)
    assert answer.get_json()["message"] == "a"


@pytest.mark.parametrize(
    "message",
    ["\u202eabc", "a\x1b[31m\r\nb\t", "\x9b31m", "\ufeff\u2028", "<b>", "👩\u200d🔬"],
)
def test_a_message_comes_back_as_it_was_and_commands_no_terminal(client, message):
    answer = client.post("/add", json={"message": message})
    assert answer.get_json()["message"] == message
    listed = client.get("/consultation")
    assert listed.get_json()[0]["message"] == message
    for text in (answer.get_data(as_text=True), listed.get_data(as_text=True)):
        assert not set(text.rstrip()) & set("\x1b\x9b\u202e\u2028\ufeff\r\t")


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda c: c.get("/add"), 400),
        (lambda c: c.get("/add?message="), 400),
        (lambda c: c.get("/add?message=%20%0A"), 400),
        (lambda c: c.get("/add?message=%ff%fe"), 400),
        (lambda c: c.get("/add?message=%00"), 400),
        (lambda c: c.get("/add?message=" + "a" * (MAX_MESSAGE + 1)), 413),
        (lambda c: c.post("/add", data={"message": "a" * 1_000_000}), 413),
        (lambda c: c.post("/add", json={"message": 5}), 400),
        (lambda c: c.get("/add?message=a&message=b"), 400),
        (lambda c: c.post("/add?message=a", data={"message": "b"}), 400),
        (lambda c: c.post("/add", data=b"message=%ff", content_type=FORM), 400),
        (lambda c: c.post("/add", data=b"message=\xff", content_type=FORM), 400),
        (lambda c: c.post("/add", data='{"message":', content_type=JSON), 400),
        (lambda c: c.post("/add", data="[" * 16_000, content_type=JSON), 400),
        (lambda c: c.post("/add", data='{"message":"a","message":"b"}', content_type=JSON), 400),
        (lambda c: c.post("/add", data='{"message": "a\\u0000"}', content_type=JSON), 400),
        (lambda c: c.post("/add", data=PART % b"\xff", content_type=PARTS), 400),
        (lambda c: c.post("/add", data=b"--y\r\nbroken", content_type=PARTS), 400),
        (lambda c: c.post("/add", data="hello", content_type="text/plain"), 415),
        (lambda c: c.post("/add", data="<m/>", content_type="text/xml"), 415),
        (lambda c: c.post("/add", data=b"x", content_type=FORM, headers=GZIP), 415),
        (
            lambda c: c.post(
                "/add", data='{"message": "\\ud800"}', content_type="application/json"
            ),
            400,
        ),
        (lambda c: c.post("/add", json=["message"]), 400),
        (lambda c: c.get("/nothing"), 404),
        (lambda c: c.delete("/count"), 405),
    ],
)
def test_wrong_requests_get_a_json_error_and_write_nothing(client, call, status):
    answer = call(client)
    assert answer.status_code == status
    assert answer.get_json()["status"] == "error"
    assert client.get("/count").get_json() == {"count": 0}


def test_the_longest_message_fits(client):
    assert client.get("/add?message=" + "a" * MAX_MESSAGE).status_code == 200


def test_a_full_disk_answers_507_and_leaves_the_database_intact(client, monkeypatch):
    opened = connect.open_live

    def open_full(path, synced=True):
        conn = opened(path, synced)
        pages = conn.execute("PRAGMA page_count").fetchone()[0]
        conn.execute(f"PRAGMA max_page_count={pages}")
        return conn

    monkeypatch.setattr(connect, "open_live", open_full)
    added = 0
    while (answer := client.get("/add?message=" + "x" * 4000)).status_code == 200:
        added += 1
    assert answer.status_code == 507
    assert answer.get_json()["next"]
    assert client.get("/count").get_json() == {"count": added}


def test_a_locked_database_answers_503_and_when_to_try_again(client, where, monkeypatch):
    monkeypatch.setattr(locks, "WRITE_WAIT", 0.05)
    with locks.writer(where, "holding it"):
        answer = client.get("/add?message=x")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/add?message=x").status_code == 200


def test_a_database_locked_inside_sqlite_answers_503(client, where, monkeypatch):
    monkeypatch.setattr(connect, "BUSY_MS", 50)
    other = apsw.Connection(os.path.realpath(where.link))
    other.execute("BEGIN IMMEDIATE")
    assert client.get("/add?message=x").status_code == 503
    other.execute("ROLLBACK")
    assert client.get("/add?message=x").status_code == 200


@pytest.mark.parametrize(("number", "status"), [(28, 507), (30, 503), (5, 503)])
def test_a_failing_backup_volume_answers_in_json(client, number, status):
    def fail(phase, operation, arguments):
        if phase == "before" and operation == "open_lock":
            raise OSError(number, os.strerror(number))

    files.hook = fail
    answer = client.get("/add?message=x")
    assert answer.status_code == status
    assert answer.get_json()["next"]


def test_an_unknown_outcome_is_said(client, monkeypatch):
    def fail(conn, doing):
        conn.execute("ROLLBACK")
        raise OutcomeUnknown(doing, "the COMMIT failed", "look")

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "_commit", fail)
        answer = client.get("/add?message=x")
        assert (answer.status_code, answer.get_json()["outcome"]) == (503, "unknown")
        assert "Retry-After" not in answer.headers, "who asks again might write twice"
    assert client.get("/add?message=x").status_code == 200


def test_status_answers_where_the_database_is_gone(client, where):
    client.get("/add?message=x")
    lose_data(where)
    answer = client.get("/status")
    assert (answer.status_code, answer.get_json()["needs_restore"]) == (200, True)


def test_status_before_and_after_a_backup(client, environment):
    before = client.get("/status").get_json()
    assert before["last_backup_file"] is None
    assert before["backup_age_seconds"] is None
    client.get("/add?message=x")
    made = json.loads(pra(environment, "backup", "--json").stdout)["point"]
    # The age is the manifest's: the file's own time says when it was copied.
    os.utime(os.path.join(environment["PRA_BACKUP_DIR"], made["name"]), (0, 0))
    after = client.get("/status").get_json()
    assert after["last_backup_file"] == made["name"]
    assert 0 <= after["backup_age_seconds"] < 60
    assert after["count"] == 1
    assert after["protection"] == "journal"
    assert after["needs_restore"] is False
