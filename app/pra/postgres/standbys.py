"""Who confirms a COMMIT, and which standbys are there to do so."""

import re
from typing import NamedTuple

import psycopg

from pra.base.lack import Lack

NEXT = (
    "have a standby confirm each COMMIT (synchronous_standby_names), and look at why none is"
    " connected (pg_stat_replication)"
)
_NAMES = "SELECT current_setting('synchronous_standby_names')"
#: ``ANY 2 (a, b)``, ``FIRST 1 (*)``, and the old form ``2 (a, b)``.
_SEVERAL = re.compile(r"\s*(?:ANY|FIRST)?\s*([0-9]+)\s*\(.*\)\s*", re.IGNORECASE | re.DOTALL)
_REPLICAS = """
SELECT application_name, state, sync_state,
  pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint,
  extract(epoch FROM flush_lag)::float8
FROM pg_stat_replication ORDER BY application_name"""
_WAITING = """
SELECT extract(epoch FROM clock_timestamp() - min(query_start))::float8
FROM pg_stat_activity WHERE wait_event = 'SyncRep'"""
#: For how long a COMMIT may wait before that is told, in seconds.
_LONG = 1.0
_FIELDS = ("name", "state", "sync_state", "lag_bytes", "lag_seconds")
_FSYNC_OFF, _NO_STANDBY = "fsync_off", "no_synchronous_standby"
_SILENT, _AWAY = "standby_silent", "standbys_away"
#: Every word for why a write would be lost with the primary.
REASONS = (_FSYNC_OFF, _NO_STANDBY, _AWAY, _SILENT)
_SYNCHRONOUS = ("sync", "quorum")


class Wanted(NamedTuple):
    """What a COMMIT waits for.

    Attributes:
        names: as PostgreSQL was told.
        confirmations: of how many standbys; 0: of none.
    """

    names: str
    confirmations: int


def wanted(connection: psycopg.Connection) -> Wanted:
    """Whose confirmation a COMMIT waits for."""
    names = connection.execute(_NAMES).fetchone()[0].strip()
    return Wanted(names, confirmations(names))


def confirmations(names: str) -> int:
    """How many standbys ``synchronous_standby_names`` wants to hear of."""
    several = _SEVERAL.fullmatch(names)
    if several:
        return int(several[1])
    return 1 if names else 0


def connected(connection: psycopg.Connection) -> list[dict] | None:
    """The standbys that are there, and how far behind; None where the role may not see that."""
    rows = connection.execute(_REPLICAS).fetchall()
    if any(row[1] is None for row in rows):
        return None
    return [dict(zip(_FIELDS, row, strict=True)) for row in rows]


def hidden(connection: psycopg.Connection) -> dict:
    """That nobody can tell how far behind the replicas are."""
    role = connection.execute("SELECT current_user").fetchone()[0]
    return {
        "what": f"the role {role} may not see how far behind the replicas are",
        "next": f"GRANT pg_monitor TO {role}, as an administrator of PostgreSQL",
    }


def waiting(connection: psycopg.Connection) -> float:
    """For how long the oldest COMMIT that waits for a standby does, in seconds."""
    return connection.execute(_WAITING).fetchone()[0] or 0.0


def unprotected(
    wanted: Wanted, found: list[dict] | None, fsync: bool, waiting: float
) -> Lack | None:
    """Why a write would be lost with the primary; None if none would, as far as that is seen.

    Args:
        found: the standbys; None where they cannot be seen.
        fsync: the primary writes to its disk before it confirms.
        waiting: for how long a COMMIT waits for a standby already, in seconds.
    """
    if not fsync:
        return Lack(_FSYNC_OFF, "fsync is off: a power cut destroys the database")
    if not wanted.confirmations:
        said = "no synchronous standby is configured: a COMMIT waits for the primary's disk alone"
        return Lack(_NO_STANDBY, said)
    if waiting > _LONG:
        said = f"no standby confirms: a COMMIT waits for {waiting:.1f} s, and none is acknowledged"
        return Lack(_SILENT, said)
    if found is None:
        return None
    there = sum(one["state"] == "streaming" and one["sync_state"] in _SYNCHRONOUS for one in found)
    if there < wanted.confirmations:
        return Lack(
            _AWAY,
            f"{there} of {wanted.confirmations} synchronous standbys are connected: writes wait,"
            " and none is acknowledged",
        )
    return None
