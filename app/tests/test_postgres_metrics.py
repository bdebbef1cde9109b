"""/metrics where PostgreSQL has the events."""

from postgres_servers import Forwarder, config_of, end_sessions, events_of, free_port
from told import Told

from pra.events.postgres import PostgresEvents


def told_of(server):
    return Told(None, events_of(server))


def test_rows_standbys_and_protection_are_told(kept_pair, primary):
    told = told_of(primary)
    told.client.get("/add?message=one")
    now = told.now()
    assert told.failed(now) == set()
    assert now["pra_rows",] == 1
    assert now["pra_needs_restore",] == 0
    assert now["pra_protection_info", "", "replication"] == 1
    assert now["pra_standbys_wanted",] == 1
    assert sum(value for key, value in now.items() if key[0] == "pra_standbys") == 1
    assert [key for key in now if key[0] == "pra_standby_lag_bytes"]
    assert now["pra_server_timeline",] >= 1
    assert not told.true("pra_unprotected")
    # What is of volumes is absent.
    assert not [
        key for key in now if key[0].startswith(("pra_volume", "pra_points", "pra_journal"))
    ]


def test_a_database_that_is_away_is_one_collector_that_fails(primary):
    forwarder = Forwarder(free_port())
    events_of(primary)
    forwarder.target = primary.port
    told = Told(None, PostgresEvents(config_of(primary, forwarder.port)))
    assert told.failed() == set()
    forwarder.target = free_port()
    end_sessions(primary)
    now = told.now()
    assert told.failed(now) == {"database"}
    assert told.true("pra_unprotected") == {"unreachable"}
    assert ("pra_rows",) not in now
    forwarder.close()
