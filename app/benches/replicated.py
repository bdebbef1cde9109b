"""The application's writes to PostgreSQL with a synchronous standby beside those without one.

All that is compared takes turns in short slices, on two sets of servers on one disk.
"""

from collections.abc import Iterator

from benches import lab as labs
from benches import postgres
from benches.in_pods import MESSAGE, SECONDS, WRITERS, in_turn, migrated, timed, writes
from benches.postgres import Cluster
from pra.events.postgres import PostgresEvents

#: A table each: the count kept by the application's way, in one row, and not at all.
_COUNTED = f"insert into app.events(message) values('{MESSAGE}');\n"
_IN_ONE_ROW = f"insert into one_row(ts, message) values('2026-01-01', '{MESSAGE}');\n"
_UNCOUNTED = f"insert into uncounted(ts, message) values('2026-01-01', '{MESSAGE}');\n"
_TABLES = """
create table uncounted(id bigserial primary key, ts text not null, message text not null);
create table one_row(id bigserial primary key, ts text not null, message text not null);
create table number(events bigint);
insert into number values (0);
create function count_it() returns trigger language plpgsql as $$
begin
  update number set events = events + (select count(*) from added);
  return null;
end $$;
create trigger count_it after insert on one_row referencing new table as added
  for each statement execute function count_it()"""
#: Events that are there when counting is measured.
_ROWS = 100_000


def measure(folder: str, seconds: float, runs: int) -> Iterator[dict]:
    """Rates of writes, and what it costs to know how many events there are."""
    with postgres.running(folder) as pair, postgres.running(folder, standby=False) as alone:
        replicated, plain = _events(pair), _events(alone)
        pair.sql(_TABLES)
        rounds = max(1, round(seconds * runs / SECONDS))
        for writers in WRITERS:
            yield from _writes(writers, rounds, pair, replicated, plain)
            yield from _counts(writers, rounds, pair)
        yield _counting(pair, replicated, runs)


def _events(cluster: Cluster) -> PostgresEvents:
    cluster.sql("create schema app")
    cluster.sql("alter database postgres set search_path = app, public")
    url = f"postgresql://postgres@/postgres?host={cluster.folder}&port=5432"
    return migrated(url)


def _writes(
    writers: int, rounds: int, pair: Cluster, replicated: PostgresEvents, plain: PostgresEvents
) -> Iterator[dict]:
    inserts = f"{writers} client{'s' if writers > 1 else ''} of pgbench, the same servers"
    found = in_turn(
        rounds,
        {
            "replicated": lambda: writes(replicated, writers),
            "plain": lambda: writes(plain, writers),
            "pgbench": lambda: pair.inserts(writers, _UNCOUNTED),
        },
    )
    what = f"writes of the application with a synchronous standby, {writers} threads"
    for other, name in (("plain", "without a standby"), ("pgbench", inserts)):
        rates = found["replicated"].rate, found[other].rate
        yield labs.row(what, rates[0], "per second", name, rates[1], "reported")
    p99 = found["replicated"].p99, found["plain"].p99
    yield labs.row(
        f"p99 of such a write, {writers} threads",
        p99[0],
        "s",
        "without a standby",
        p99[1],
        "reported",
    )


def _counts(writers: int, rounds: int, pair: Cluster) -> Iterator[dict]:
    statements = {"parts": _COUNTED, "one": _IN_ONE_ROW, "none": _UNCOUNTED}
    found = in_turn(
        rounds,
        {name: lambda text=text: pair.inserts(writers, text) for name, text in statements.items()},
    )
    what = f"inserts of {writers} clients that keep the number of events in parts"
    for other, name in (("none", "that keep none"), ("one", "that keep it in one row")):
        rates = found["parts"].rate, found[other].rate
        yield labs.row(what, rates[0], "per second", name, rates[1], "reported")


def _counting(pair: Cluster, events: PostgresEvents, runs: int) -> dict:
    pair.sql(f"insert into app.events(message) select 'x' from generate_series(1, {_ROWS})")
    pair.sql("vacuum analyze app.events")
    known = events.count()

    def count_all() -> float:
        count = "select count(*) from events"
        return timed(
            lambda: events._database.read("counting", lambda conn: conn.execute(count).fetchone())
        )

    kept, counted = labs.alternate(runs * 5, lambda: timed(events.count), count_all)
    return labs.row(
        f"counting {known} events", 1e3 * kept, "ms", "count(*)", 1e3 * counted, "reported"
    )
