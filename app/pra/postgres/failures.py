"""What a failure of PostgreSQL means: whether the server is gone, and what became of the work."""

import re

import psycopg

from pra.base.errors import (
    EXIT_IO,
    DiskFull,
    Locked,
    OutcomeUnknown,
    PraError,
    Refused,
    RuleBroken,
    StorageError,
)

_AGAIN = "try again in a moment; python -m pra status says what is known of the database"
_MIGRATE = "python -m pra migrate gives the database its tables"
#: Classes and codes of SQLSTATE. The server ends, or ends the connection.
_LOST = ("08", "57P01", "57P02", "57P03", "57P05")
#: Or is no primary any more: another connection may lead to one that is.
_GONE = (*_LOST, "25006")
_WAITED = ("55P03", "57014", "40001", "40P01", "25P03")
_RULE = ("23", "44000", "P0001")
_FULL = ("53100",)
_BUSY = ("53",)
_NO_TABLES = ("42P01", "42703", "3F000")
_NOT_ALLOWED = ("42501",)
_TAKES_NO_MORE = (
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "no more connections allowed",
)
_LETS_NOBODY_IN = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
)
_SEVERITY = re.compile(r"failed: [^\s:]+:  ")


class Away(Refused):
    """No primary answers: nothing was written."""

    exit_code = EXIT_IO
    retry_after = 1


class Busy(Locked):
    """All connections are at work for others: nothing was written."""


class NotLetIn(Refused):
    """The server does not let this user into the database."""


class NoTables(Refused):
    """The database has not the tables that this version wants."""


def away(doing: str, happened: str) -> Away:
    """No primary answers."""
    return Away(doing, f"there is no connection to the database: {happened}", _AGAIN)


def earlier(doing: str, timeline: int) -> Away:
    """A primary answers that another one had replaced: what was written since is not there."""
    return Away(
        doing,
        f"an earlier primary answers (timeline {timeline})",
        "have that one ended; if the database was restored to it on purpose, restart this server",
    )


def two_primaries(doing: str, timeline: int) -> Refused:
    """A primary answers that another one had replaced, and both live: whose data count is open."""
    return Refused(
        doing,
        f"two primaries of timeline {timeline} answer in turn: each has what the other one lacks",
        "have one of them ended, once what it alone has is kept, and restart this server",
    )


def no_turn(doing: str) -> Busy:
    """As many writes as may are under way."""
    return Busy(
        doing,
        "too many writes wait for the database, or for its standby",
        "try again in a moment; python -m pra status tells of the standbys",
    )


def all_busy(doing: str, size: int) -> Busy:
    """All connections are at work."""
    return Busy(
        doing, f"all {size} connections to the database are at work", "try again in a moment"
    )


def refusal(doing: str, error: Exception, said: str) -> PraError | None:
    """What a server means that refuses a connection, or what is first asked; None: it is away.

    libpq tells no code of the first: where it is said in another language than English, it counts
    as one that is away, and what was said is shown.

    Args:
        said: the text of the error, which may be shown.
    """
    if isinstance(error, psycopg.Error) and not gone(error):
        return translated(doing, error, said)
    if any(text in said for text in _TAKES_NO_MORE):
        return Busy(
            doing,
            f"PostgreSQL takes no more connections: {said}",
            "try again in a moment; if that goes on, raise max_connections, or lower PRA_THREADS",
        )
    if any(text in said for text in _LETS_NOBODY_IN):
        return NotLetIn(
            doing,
            f"PostgreSQL does not let this user in: {said}",
            "correct PRA_DATABASE_URL, or what the role may do",
        )
    return None


def no_tables(doing: str, happened: str) -> NoTables:
    """The database has not the tables that this version wants."""
    return NoTables(doing, happened, _MIGRATE)


def unknown(doing: str, happened: str) -> OutcomeUnknown:
    """It is open whether a COMMIT was carried out, or will last."""
    return OutcomeUnknown(
        doing,
        f"{happened}; the event may or may not have been added",
        "look for it in /consultation before you send it again",
    )


def gone(error: psycopg.Error) -> bool:
    """Whether a connection, or its server, can be used no more."""
    return error.sqlstate is None or _fatal(error) or error.sqlstate.startswith(_GONE)


def answered(error: Exception) -> bool:
    """Whether a server refused an attempt to connect, and is there: libpq tells no code of that.

    The two spaces after the severity are those of every language; libpq's own texts have none.
    """
    if not isinstance(error, psycopg.Error):
        return False
    return error.sqlstate is not None or _SEVERITY.search(str(error)) is not None


def undone(error: psycopg.Error) -> bool:
    """Whether the server said that it took the statement back.

    That something was lost says no such thing: a pooler in between says it as an ordinary error,
    also of a server that had carried the statement out.
    """
    state = error.sqlstate
    return state is not None and not _fatal(error) and not state.startswith(_LOST)


def translated(doing: str, error: psycopg.Error, said: str) -> PraError:
    """What a failure of a work means that was taken back for certain, or only read.

    Args:
        said: its text, which may be shown.
    """
    state = error.sqlstate or ""
    if gone(error):
        return away(doing, said)
    for states, make in _MEANINGS:
        if state.startswith(states):
            return make(doing, said)
    return StorageError(doing, f"PostgreSQL failed: {said}", "look at the log of PostgreSQL")


_MEANINGS = (
    (
        _WAITED,
        lambda doing, said: Locked(
            doing, f"another transaction or a standby took too long: {said}", _AGAIN
        ),
    ),
    (
        _RULE,
        lambda doing, said: RuleBroken(
            doing,
            f"a rule of the database refuses the event: {said}",
            "change the event, or the rule",
        ),
    ),
    (
        _FULL,
        lambda doing, said: DiskFull(
            doing, f"no space is left where PostgreSQL writes: {said}", "free space there"
        ),
    ),
    (_BUSY, lambda doing, said: Busy(doing, f"PostgreSQL is at its limits: {said}", _AGAIN)),
    (_NO_TABLES, no_tables),
    (
        _NOT_ALLOWED,
        lambda doing, said: Refused(
            doing, f"the role may not do that: {said}", "grant it, or migrate as the owner"
        ),
    ),
)


def _fatal(error: psycopg.Error) -> bool:
    return error.diag.severity_nonlocalized in ("FATAL", "PANIC")
