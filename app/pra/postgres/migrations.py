"""The tables: numbered files of SQL, each carried out once, by whoever comes first.

A change that lets an older program go on working (a new table, a column with a default) is a
file more. One that does not raises ``needs`` in the same file: programs that know fewer
files than that then refuse the database, instead of writing what is wrong by now.
"""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple

import psycopg

from pra.base.errors import OutcomeUnknown, Refused
from pra.postgres import failures
from pra.postgres.session import Session, opened
from pra.postgres.target import CONNECT, Target

_DOING = "migrating the database"
_NAME = re.compile(r"([0-9]{3})_[a-z0-9_]+\.sql")
#: Of the advisory lock that one migration holds at a time: "pra" in ASCII.
_LOCK = 0x707261
#: How long a migration may take where nobody says for how long to wait, in seconds.
_WORK = 60.0
#: Between two tries to reach a database that is away, in seconds.
_PAUSE = 0.5
#: With how many schemas the tables are in, as the search_path finds them.
_STATE = """
SELECT version, needs, (
  SELECT count(DISTINCT relnamespace) FROM pg_class WHERE oid IN (
    to_regclass('pra_schema'), to_regclass('events'), to_regclass('idempotency_keys'),
    to_regclass('event_counts')))
FROM pra_schema"""
_THERE = "SELECT to_regclass('pra_schema') IS NOT NULL"
#: The tables where the search_path does not find them; one that may be used first.
_ELSEWHERE = """
SELECT nspname, has_schema_privilege(space.oid, 'USAGE'), current_user,
  current_setting('search_path')
FROM pg_class JOIN pg_namespace AS space ON space.oid = relnamespace
WHERE relname = 'pra_schema' AND relkind = 'r' ORDER BY 2 DESC, 1 LIMIT 1"""


class _Step(NamedTuple):
    number: int
    name: str
    sql: str


def steps() -> list[_Step]:
    """All files, in their order."""
    folder = resources.files("pra.postgres").joinpath("schema")
    found = [(_NAME.fullmatch(file.name), file) for file in folder.iterdir()]
    named = [(int(match[1]), file) for match, file in found if match]
    listed = [_Step(number, file.name, file.read_text("utf-8")) for number, file in sorted(named)]
    if [one.number for one in listed] != list(range(1, len(listed) + 1)):
        raise AssertionError(f"{folder}: the numbers are not 1, 2, and so on")
    return listed


def newest() -> int:
    """The version that this program wants."""
    return len(steps())


def refuse_unfit(connection: psycopg.Connection) -> None:
    """Refuse a database whose tables are not those that this program can work with.

    Raises:
        PraError: they are absent, too old or too new.
    """
    doing, wanted = "looking at the tables", newest()
    state = _state(connection, doing)
    if state is None:
        raise failures.no_tables(doing, "the database has no tables for events as yet")
    version, needs = state
    if version < wanted:
        raise failures.no_tables(
            doing, f"the tables are of version {version}, this program wants {wanted}"
        )
    if needs > wanted:
        raise _too_new(doing, version, needs)


def _too_new(doing: str, version: int, needs: int) -> Refused:
    return Refused(
        doing,
        f"the tables are of version {version}, for programs of {needs} and newer; this one"
        f" knows {newest()}",
        "run the newer program; nothing was changed",
    )


def _state(connection: psycopg.Connection, doing: str) -> tuple[int, int] | None:
    """The version and what programs must know; None where there are no tables.

    Raises:
        Refused: they are there, and not as a whole where this role looks for them. Others beside
            them would have a part of the events.
    """
    if not connection.execute(_THERE).fetchone()[0]:
        elsewhere = connection.execute(_ELSEWHERE).fetchone()
        if elsewhere:
            raise _out_of_reach(doing, *elsewhere)
        return None
    version, needs, schemas = connection.execute(_STATE).fetchone()
    if schemas > 1:
        raise Refused(
            doing,
            "the search_path leads to tables in more than one schema",
            "have it lead to the schema of pra_schema first, or rename the other tables",
        )
    return version, needs


def _out_of_reach(doing: str, schema: str, usable: bool, role: str, path: str) -> Refused:
    if not usable:
        return Refused(
            doing,
            f"the tables are in the schema {schema}, which the role {role} may not use",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}, as its owner",
        )
    return Refused(
        doing,
        f"the tables are in the schema {schema}, and the search_path ({path}) does not lead there",
        f"ALTER ROLE {role} SET search_path = {schema}, or a database of its own",
    )


def run(target: Target, wait: float = 0) -> dict:
    """Bring the tables to the newest version, and see that they last.

    Args:
        wait: how long it may take in all, in seconds: a database that is away is waited for, also
            where it goes away meanwhile (a file that was not carried out is begun again), and so
            are another migration and a standby. 0: nobody who is away is waited for.

    Returns:
        Which files were carried out, and the version.

    Raises:
        OutcomeUnknown: it was done, and no standby said in time that it has it.
        PraError: it could not be done; each file was carried out wholly, or not at all.
    """
    began = time.monotonic()
    end, last = began + wait, began + (wait or _WORK)
    applied: list[str] = []
    while True:
        session = _opened(target, end)
        try:
            with _limited(session, last):
                version = _all(session, applied, last)
                _confirm(session)
            return {"status": "ok", "version": version, "applied": applied}
        except psycopg.Error as error:
            if not failures.gone(error) or time.monotonic() > end:
                said = session.cut or _text(target, error)
                raise failures.translated(_DOING, error, said) from None
        finally:
            session.close()
        time.sleep(_PAUSE)


@contextlib.contextmanager
def _limited(session: Session, last: float) -> Iterator[None]:
    """Ask the server to end what is under way at that moment, and then wait no longer.

    Its own limit for statements is none for a COMMIT that waits for a standby.
    """
    rest = max(0.0, last - time.monotonic())
    timers = [
        threading.Timer(rest, session.cancel),
        threading.Timer(rest + CONNECT, session.end_from_outside, ["no answer in time"]),
    ]
    for one in timers:
        one.daemon = True
        one.start()
    try:
        yield
    finally:
        for one in timers:
            one.cancel()
            # It would otherwise touch what is closed by then.
            one.join()


def _confirm(session: Session) -> None:
    """See that a standby has the tables, also those that another migration left there.

    A transaction that writes, here a record of the log that says nothing, ends only once what came
    before is confirmed as well.
    """
    if not session.cancelled:
        session.begin(_WORK)
        session.connection.execute("SELECT pg_logical_emit_message(true, 'pra', '')")
    if session.unconfirmed:
        raise OutcomeUnknown(
            _DOING,
            "the tables are on the primary, but no standby said in time that it has them",
            "look at why none does (python -m pra status), and run python -m pra migrate again",
        )


def _opened(target: Target, end: float) -> Session:
    while True:
        try:
            return opened(target)
        except (psycopg.Error, OSError) as error:
            said = _text(target, error)
            refused = failures.refusal(_DOING, error, said)
            # A wrong password becomes right by no waiting.
            if time.monotonic() > end or isinstance(refused, failures.NotLetIn):
                raise refused or failures.away(_DOING, said) from None
            time.sleep(_PAUSE)


def _text(target: Target, error: Exception) -> str:
    return target.hide(" ".join(str(error).split()))


def _all(session: Session, applied: list[str], last: float) -> int:
    """Carry out what is missing, each file noted once it is done; returns the version."""
    connection = session.connection
    rest = max(1, int((last - time.monotonic()) * 1000))
    for name in ("statement_timeout", "lock_timeout"):
        connection.execute("SELECT set_config(%s, %s, false)", (name, f"{rest}ms"))
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    version, needs = _state(connection, _DOING) or (0, 0)
    if needs > newest():
        raise _too_new(_DOING, version, needs)
    for step in steps()[version:]:
        with connection.transaction():
            connection.execute(step.sql, prepare=False)
            connection.execute("UPDATE pra_schema SET version = %s", (step.number,))
        applied.append(step.name)
        if session.cancelled:
            # Time is up: the next one's COMMIT would be waited for by nobody.
            break
    return max(version, newest())
