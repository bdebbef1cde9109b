"""The same routes and answers where PostgreSQL has the events.

What is said of both databases is tried here again by the tests of the other one: those
that are imported find this module's client.
"""

import json
import re
import urllib.error
import urllib.request

import pytest
from conftest import pra, serving
from postgres_servers import Forwarder, end_sessions, events_of, free_port
from test_http import (  # noqa: F401
    test_a_message_can_be_posted,
    test_a_message_comes_back_as_it_was_and_commands_no_terminal,
    test_a_message_is_added_counted_and_listed,
    test_fixed_answers,
    test_of_json_the_message_alone_is_taken,
    test_the_list_is_newest_first_and_bounded,
    test_the_longest_message_fits,
    test_what_comes_with_a_get_is_not_looked_at,
    test_wrong_requests_get_a_json_error_and_write_nothing,
)

from pra.postgres import migrations
from pra.web.routes import create_app


@pytest.fixture
def client(primary):
    """An HTTP client of an application on PostgreSQL, without a server."""
    return create_app(events_of(primary)).test_client()


def test_the_application_is_migrated_served_and_dumped(primary):
    environment = {"PRA_DATABASE_URL": primary.url(), "HOST": "127.0.0.1", "PORT": "0"}
    migrated = pra(environment, "migrate", "--json")
    assert migrated.returncode == 0, migrated.stdout
    assert json.loads(migrated.stdout)["applied"] == [one.name for one in migrations.steps()]
    with serving(environment) as (url, _):
        added = asked(url + "/add?message=one")[1]
        assert asked(url + "/consultation")[1] == [
            {"id": added["id"], "timestamp": added["timestamp"], "message": "one"}
        ]
        assert asked(url + "/status")[1]["protection"] == "replication"
    dumped = pra(environment, "dump")
    assert json.loads(dumped.stdout)["message"] == "one"
    assert json.loads(pra(environment, "status", "--json").stdout)["count"] == 1


def test_a_replica_is_ready_once_it_reached_the_database_and_alive_before(primary):
    forwarder = Forwarder(free_port())
    environment = {
        "PRA_DATABASE_URL": primary.url(forwarder.port),
        "HOST": "127.0.0.1",
        "PORT": "0",
        "PRA_PROBE_PORT": "0",
    }
    events_of(primary)
    with serving(environment) as (_, process):
        probes = re.search(r"Probes are answered at: (http://[^/]+)", process.said)[1]
        assert asked(probes + "/health") == (200, {"status": "ok", "needs_restore": False})
        code, said = asked(probes + "/ready")
        assert (code, said["status"]) == (503, "error")
        forwarder.target = primary.port
        assert asked(probes + "/ready") == (200, {"status": "ok"})
        forwarder.target = free_port()
        end_sessions(primary)
        # The next primary is on its way: clients are told so, and led nowhere else.
        assert asked(probes + "/ready")[0] == 200
        assert asked(probes + "/status")[0] == 404
    forwarder.close()


def asked(url):
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
