"""Watching one transaction: which tables there are, and what it changed in them."""

import apsw

from pra.base.errors import Refused

#: Largest changeset of one transaction, in bytes: applying takes three times that in memory.
MAX_CHANGESET = 16 << 20
#: From how many bytes on a transaction takes no further write along.
ENOUGH = 256 << 10


class TooLarge(Refused):
    """A transaction changes more than one may."""


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
        raise TooLarge(
            doing,
            f"the transaction changes more than {MAX_CHANGESET} bytes",
            "split it into smaller ones",
        )
    return session.changeset()
