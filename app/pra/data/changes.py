"""Watching one transaction: which tables there are, and what it changed in them."""

from typing import NamedTuple

import apsw

from pra.base.errors import Refused
from pra.journal import supported

#: Largest changeset of one transaction, in bytes: applying takes three times that in memory.
MAX_CHANGESET = 16 << 20


class Tables(NamedTuple):
    """What a connection knows of the schema, as of one version of it."""

    version: tuple[int, int, int]
    guarded: bool
    hash: str
    tables: list[str]
    unfit: supported.Unfollowed | None


def session(conn: apsw.Connection, tables: list[str]) -> apsw.Session:
    """Watch this transaction alone: one kept longer would record others' changes as its own."""
    session = apsw.Session(conn, "main")
    session.config(apsw.SQLITE_SESSION_OBJCONFIG_SIZE, 1)
    for table in tables:
        session.attach(table)
    return session


def bounded_changeset(session: apsw.Session, doing: str) -> bytes:
    """What the transaction changed; refuses more than ``MAX_CHANGESET`` bytes."""
    if session.changeset_size > MAX_CHANGESET:
        raise Refused(
            doing,
            f"the transaction changes more than {MAX_CHANGESET} bytes",
            "split it into smaller ones",
        )
    return session.changeset()
