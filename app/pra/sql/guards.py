"""The write guards: triggers that let only the application change rows."""

import apsw

#: How each guard ends what it says, of whatever table.
REFUSAL = "is written through the application"
DEFINITIONS = {
    f"pra_guard_{event.lower()}": f"CREATE TRIGGER pra_guard_{event.lower()} BEFORE {event}"
    " ON events WHEN pra_writer() IS NOT 1 BEGIN SELECT RAISE(ABORT, "
    f"'events {REFUSAL}'); END"
    for event in ("INSERT", "UPDATE", "DELETE")
}


#: What is wrong with a database without them.
UNGUARDED = "its write guards were removed: rows may have been changed past the application"
#: What comes next then: one text, for whoever is refused and whoever only looks.
WAYS_ON = (
    "python -m pra restore latest --plan says what differs; python -m pra restore latest"
    " undoes it, python -m pra backup --accept keeps it"
)


def guard(conn: apsw.Connection) -> None:
    """Put the write guards into a database, replacing others of their kind.

    A connection without the function, a shell for instance, cannot even prepare
    a statement that they guard: its writes would go round the locks and the journal.
    """
    for name, _ in _present(conn):
        conn.execute(f"DROP TRIGGER {name}")
    for definition in DEFINITIONS.values():
        conn.execute(definition)


def guarded(conn: apsw.Connection) -> bool:
    """Whether the write guards are all there, as we made them.

    Where they are not, rows may have been changed by somebody else.
    """
    return dict(_present(conn)) == DEFINITIONS


def refused(error: apsw.Error) -> bool:
    """Whether a guard is what refused a change: of the events, or of the keys."""
    return str(error).endswith(f" {REFUSAL}")


def _present(conn: apsw.Connection) -> list[tuple[str, str]]:
    return conn.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type='trigger' AND name GLOB 'pra_*'"
    ).fetchall()


def allow_writes(conn: apsw.Connection) -> None:
    """Let this connection pass the write guards."""
    conn.create_scalar_function("pra_writer", lambda: 1, 0)
