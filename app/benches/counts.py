"""Counting the events, and remembering the keys of requests: what both cost."""

import statistics
import time
from collections.abc import Callable, Iterator

from benches import lab as labs
from pra.data.database import Database
from pra.events.sqlite import SqliteEvents
from pra.sql import counting

_MESSAGE = "a message of the usual length"
#: Rows of one transaction: its changeset stays below what one may have.
_AT_ONCE = 100_000
_FILL = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    " INSERT INTO events(ts, message) SELECT '2026-01-01T00:00:00.000Z', ? FROM n"
)
#: Writes of one kind before the other's turn.
_SLICE = 200


def measure(folder: str, rows: int, runs: int) -> Iterator[dict]:
    """The count of a large table, and a write with a key beside one without."""
    lab = labs.create(f"{folder}/volumes", "required")
    events, database = SqliteEvents(lab.settings()), Database(lab.settings())
    for left in range(rows, 0, -_AT_ONCE):
        number = min(left, _AT_ONCE)
        database.write(
            "filling", lambda conn, n=number: conn.execute(_FILL, (n, _MESSAGE)).fetchall()
        )
    kept, counted = labs.alternate(
        20 * runs, lambda: _spent(events.count), lambda: _spent(lambda: _counted(database))
    )
    what = f"count of {rows} events"
    yield labs.row(what, 1e3 * kept, "ms", "count(*)", 1e3 * counted, "whatever their number")
    keyed, plain = labs.alternate(5 * runs, _with_keys(events), lambda: _added(events, None))
    yield labs.row("a write with a key", 1e3 * keyed, "ms", "one without", 1e3 * plain, "reported")


def _counted(database: Database) -> int:
    with database.read("counting") as conn:
        return counting.counted(conn)


def _with_keys(events: SqliteEvents) -> Callable[[], float]:
    rounds = iter(range(1 << 30))
    return lambda: _added(events, next(rounds))


def _added(events: SqliteEvents, turn: int | None) -> float:
    """Seconds of a write, the median of a slice."""
    spent = []
    for number in range(_SLICE):
        key = None if turn is None else f"8e03978e-40d5-43e8-{turn:04x}-{number:012x}"
        spent.append(_spent(lambda key=key: events.add(_MESSAGE, key)))
    return statistics.median(spent)


def _spent(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
