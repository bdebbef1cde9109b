"""What /status says: the events, and who else has what was written."""

import psycopg

from pra.base.errors import PraError
from pra.base.lack import Lack
from pra.postgres import standbys, statements
from pra.postgres.database import Database

_DOING = "looking at the database"
_SERVER = """
SELECT current_setting('server_version'),
  ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
  pg_is_in_recovery(), current_setting('data_checksums') = 'on',
  current_setting('fsync') = 'on', current_setting('archive_mode'),
  (SELECT version FROM pra_schema), current_setting('session_replication_role') = 'origin'"""
_ARCHIVER = """
SELECT archived_count, failed_count, last_archived_wal,
  to_char(last_archived_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  extract(epoch FROM clock_timestamp() - last_archived_time)::float8,
  coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
FROM pg_stat_archiver"""
_ARCHIVED = ("archived", "failed", "last_wal", "last_time", "age_seconds", "failing")
_NOT_COUNTING = {
    "what": "session_replication_role keeps triggers from running, and the role may not change"
    " that: events are added and not counted",
    "next": "ALTER ROLE … RESET session_replication_role, and for the database, as an"
    " administrator of PostgreSQL; then write the real number into event_counts",
}
#: The word for that no server answers.
UNREACHABLE = "unreachable"
#: What is told of a server, where none answers too.
_OF_SERVER = ("server_version", "timeline", "is_standby", "page_checksums")


class Report:
    """The state of a database and its replicas, for one process."""

    def __init__(self, database: Database):
        self._database = database

    def answer(self) -> dict:
        """All of it, whatever is missing or broken."""
        seen, lack = self.seen()
        notices = seen.pop("notices")
        return {
            "count": seen.pop("count"),
            "needs_restore": False,
            "protection": "replication",
            "unprotected": lack.said if lack else None,
            # Nobody here makes or knows any.
            "last_backup_file": None,
            "backup_age_seconds": None,
            "backup_rows": None,
            **seen,
            "notices": notices,
        }

    def seen(self) -> tuple[dict, Lack | None]:
        """What there is to see of it, and why a write would be lost; None if none would."""
        notices: list[dict] = []
        try:
            seen, lack = self._database.read(_DOING, lambda conn: _seen(conn, notices))
        except PraError as error:
            notices.append({"what": str(error), "next": error.next_step})
            seen, lack = _unseen(), Lack(UNREACHABLE, error.happened)
        return {**seen, "notices": notices}, lack


def _unseen() -> dict:
    """Where no server answers, nothing is known."""
    nothing = dict.fromkeys(("count", *_OF_SERVER, "schema_version", "synchronous", "replicas"))
    return {**nothing, "archiver": None}


def _seen(connection: psycopg.Connection, notices: list[dict]) -> tuple[dict, Lack | None]:
    notices.clear()
    version, timeline, standby, checksums, fsync, archiving, schema, counting = connection.execute(
        _SERVER
    ).fetchone()
    if not counting:
        notices.append(_NOT_COUNTING)
    wanted = standbys.wanted(connection)
    found = standbys.connected(connection)
    if found is None:
        notices.append(standbys.hidden(connection))
    lack = standbys.unprotected(wanted, found, fsync, standbys.waiting(connection))
    if lack:
        notices.append({"what": lack.said, "next": standbys.NEXT})
    seen = {
        "count": statements.count(connection),
        **dict(
            zip(
                _OF_SERVER,
                (version, timeline, standby, checksums),
                strict=True,
            )
        ),
        "schema_version": schema,
        "synchronous": wanted._asdict(),
        "replicas": found,
        "archiver": _archiver(connection, archiving, notices),
    }
    return seen, lack


def _archiver(connection: psycopg.Connection, mode: str, notices: list[dict]) -> dict:
    if mode == "off":
        notices.append(
            {
                "what": "nothing is archived: what is deleted by mistake is deleted on every"
                " replica, and no moment before can be brought back",
                "next": "have the write-ahead log archived (archive_mode, archive_command)",
            }
        )
        return {"mode": mode}
    found = dict(zip(_ARCHIVED, connection.execute(_ARCHIVER).fetchone(), strict=True))
    if found["failing"]:
        since = found["last_time"] or "the beginning"
        notices.append(
            {
                "what": f"the write-ahead log is archived no more since {since}",
                "next": "look at the log of PostgreSQL for what its archive_command says",
            }
        )
    return {"mode": mode, **found}
