"""Which database has the events: nothing else in the application names one."""

from pra.base.settings import Settings
from pra.events.interface import Events


def of(settings: Settings) -> Events:
    """The events of the database that the settings name."""
    # What the other one needs is not loaded.
    if settings.database_url is not None:
        from pra.events.postgres import PostgresEvents

        return PostgresEvents(settings)
    from pra.events.sqlite import SqliteEvents

    return SqliteEvents(settings)


def ready_to_serve(settings: Settings) -> Events:
    """As ``of``, after all that a server does before its first request.

    Raises:
        PraError: nothing can be served.
    """
    if settings.database_url is not None:
        return of(settings)
    # Only the server needs it, and the verbs are to start fast.
    from pra.events import start
    from pra.events.sqlite import SqliteEvents

    return SqliteEvents(start.prepare(settings), serving=True)
