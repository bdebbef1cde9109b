"""Which database has the events: nothing else in the application names one."""

from pra.base.settings import Settings
from pra.events.interface import Events


def of(settings: Settings) -> Events:
    """The events of the database that the settings name."""
    from pra.events.sqlite import SqliteEvents

    return SqliteEvents(settings)


def ready_to_serve(settings: Settings) -> Events:
    """As ``of``, after all that a server does before its first request.

    Raises:
        PraError: nothing can be served.
    """
    # Only the server needs it, and the verbs are to start fast.
    from pra.events import start

    return of(start.prepare(settings))
