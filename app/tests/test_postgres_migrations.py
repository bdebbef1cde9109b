"""Migrations come to an end, and none is called done that a standby may not have."""

import threading
import time

import pytest
from postgres_servers import config_of, events_of, together, wait_for

from pra.base.errors import Locked, OutcomeUnknown, Refused
from pra.events.postgres import PostgresEvents
from pra.postgres import migrations
from pra.postgres.failures import Away
from pra.postgres.migrations import psycopg
from pra.postgres.target import Target


def target_of(server):
    return Target(config_of(server).database_url)


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'app'"


def test_a_migration_without_a_standby_ends_in_doubt_also_when_nothing_is_left_to_do(servers):
    with servers.pair() as (primary, standby):
        standby.stop()
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown, match="no standby said in time"):
                migrations.run(target_of(primary), 2)
            assert time.monotonic() - began < 5
        standby.start()
        wait_for(
            lambda: together(lambda: migrations.run(target_of(primary), 5))[0]["applied"] == []
        )
        standby.promote()
        assert standby.sql("SELECT version FROM pra_schema", "app") == [(migrations.newest(),)]


def test_a_migration_whose_commit_is_cancelled_goes_on_waiting(servers):
    with servers.pair() as (primary, standby):
        standby.stop()
        done = []
        one = threading.Thread(
            target=lambda: done.extend(together(lambda: migrations.run(target_of(primary), 4)))
        )
        one.start()
        wait_for(lambda: primary.sql(WAITING))
        primary.sql(WAITING.replace("pid", "pg_cancel_backend(pid)", 1))
        one.join(30)
        assert isinstance(done[0], OutcomeUnknown)


def test_a_migration_waits_no_longer_than_it_is_told(primary):
    with psycopg.connect(primary.url()) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (migrations._LOCK,))
        began = time.monotonic()
        with pytest.raises(Locked):
            migrations.run(target_of(primary), 1)
        assert time.monotonic() - began < 4


def test_a_migration_of_a_primary_that_stands_still_ends(servers):
    with servers.pair(standby=False) as (primary, _), psycopg.connect(primary.url()) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (migrations._LOCK,))
        done = []
        one = threading.Thread(
            target=lambda: done.extend(together(lambda: migrations.run(target_of(primary), 2)))
        )
        one.start()
        wait_for(lambda: primary.sql("SELECT 1 FROM pg_locks WHERE NOT granted"))
        with primary.frozen():
            one.join(8)
            assert not one.is_alive()
        assert isinstance(done[0], Away)


def test_keys_of_before_are_numbered_in_their_order(primary, monkeypatch):
    first = migrations.steps()[0]
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "steps", lambda: [first])
        migrations.run(target_of(primary))
    primary.sql(
        "INSERT INTO idempotency_keys SELECT 'k' || n, 10 - n, now() + n * interval '1 s', ''"
        " FROM generate_series(1, 3) AS n",
        "app",
    )
    assert migrations.run(target_of(primary))["applied"][0] == "002_key_numbers.sql"
    primary.sql("INSERT INTO idempotency_keys VALUES ('k4', 1, now(), '')", "app")
    ordered = primary.sql("SELECT key, number FROM idempotency_keys ORDER BY number", "app")
    assert ordered == [("k1", 1), ("k2", 2), ("k3", 3), ("k4", 4)]


@pytest.mark.parametrize(
    ("become", "said", "following"),
    [
        (
            "ALTER SCHEMA public OWNER TO postgres; REVOKE USAGE ON SCHEMA public FROM app, public",
            "in the schema public, which the role app may not use",
            "GRANT USAGE ON SCHEMA public TO app",
        ),
        (
            "CREATE SCHEMA other AUTHORIZATION app; ALTER ROLE app SET search_path = other",
            r"in the schema public, and the search_path \(other\) does not lead there",
            "SET search_path = public",
        ),
        (
            "CREATE SCHEMA other AUTHORIZATION app; CREATE TABLE other.events (id bigint);"
            " ALTER ROLE app SET search_path = other, public",
            "leads to tables in more than one schema",
            "have it lead to the schema of pra_schema first",
        ),
        ("REVOKE ALL ON pra_schema FROM app", "the role may not do that", "grant it"),
    ],
    ids=["no usage", "foreign", "mixed", "no select"],
)
def test_tables_that_the_role_does_not_reach_are_not_taken_for_absent(
    primary, become, said, following
):
    events_of(primary)
    try:
        primary.sql(become, "app")
        events = PostgresEvents(config_of(primary))
        for call in (events.count, lambda: migrations.run(target_of(primary))):
            with pytest.raises(Refused, match=said) as refused:
                call()
            assert following in refused.value.next_step
    finally:
        primary.sql("ALTER ROLE app RESET search_path")
        primary.sql("DROP SCHEMA IF EXISTS other CASCADE", "app")
