"""The figures that /metrics tells of PostgreSQL: from one look at the primary."""

from collections import Counter
from collections.abc import Iterator

import psycopg

from pra.base import moments
from pra.base.metrics import Collected, Metric, Told
from pra.events import figures
from pra.postgres import standbys
from pra.postgres.report import UNREACHABLE, Report

STANDBYS_WANTED = Metric("pra_standbys_wanted", "How many standbys confirm a COMMIT.")
STANDBYS = Metric("pra_standbys", "Standbys that are connected.", ("state", "sync_state"))
STANDBY_LAG = Metric("pra_standby_lag_bytes", "How far a standby is behind.", ("standby",))
STANDBY_LAG_SECONDS = Metric(
    "pra_standby_lag_seconds",
    "How long a standby took to confirm what was written last.",
    ("standby",),
)
TIMELINE = Metric("pra_server_timeline", "The primary's timeline.")
ARCHIVED = Metric(
    "pra_archive_segments_total", "Segments of the log by what came of them.", ("outcome",), True
)
ARCHIVED_TIME = Metric(
    "pra_archive_last_timestamp_seconds", "When the last segment of the log was archived."
)
ARCHIVE_FAILING = Metric("pra_archive_failing", "1: the last attempt to archive failed.")

COLLECTORS = ("build", "protection", "database")
_REASONS = (UNREACHABLE, *standbys.REASONS)


def collected(report: Report) -> Iterator[Collected]:
    """All of it."""
    told = [Told(figures.PROTECTION_INFO, {("replication", ""): 1.0})]
    yield Collected("build", told + figures.build(str(psycopg.pq.version())))
    seen, lack = report.seen()
    told = figures.UNPROTECTED.of_these(_REASONS, lack and lack.reason)
    yield Collected("protection", told + figures.NEEDS_RESTORE.is_now(0))
    if lack is not None and lack.reason == UNREACHABLE:
        yield Collected("database", None)
        return
    told = figures.ROWS.is_now(seen["count"]) + TIMELINE.is_now(seen["timeline"])
    told += STANDBYS_WANTED.is_now(seen["synchronous"]["confirmations"])
    yield Collected("database", told + _of_standbys(seen["replicas"]) + _of_archive(seen))


def _of_standbys(found: list[dict] | None) -> list[Told]:
    """Those that the role may see."""
    if found is None:
        return []
    states = Counter((one["state"], one["sync_state"]) for one in found)
    lag, seconds = (
        {(one["name"],): float(one[field]) for one in found if one[field] is not None}
        for field in ("lag_bytes", "lag_seconds")
    )
    return [
        Told(STANDBYS, dict(states)),
        Told(STANDBY_LAG, lag),
        Told(STANDBY_LAG_SECONDS, seconds),
    ]


def _of_archive(seen: dict) -> list[Told]:
    archiver = seen["archiver"]
    if archiver["mode"] == "off":
        return []
    last = archiver["last_time"]
    return [
        *ARCHIVED.are_now({"ok": archiver["archived"], "failed": archiver["failed"]}),
        *ARCHIVED_TIME.is_now(last and moments.parse(last)),
        *ARCHIVE_FAILING.is_now(archiver["failing"]),
    ]
