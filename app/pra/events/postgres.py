"""The events in PostgreSQL, kept by its replicas."""

import json
import logging
import random
import threading
from collections.abc import Iterator
from typing import TextIO

import psycopg

from pra.base.errors import Locked, OutcomeUnknown, PraError, UsageError
from pra.base.metrics import Collected
from pra.base.settings import Settings
from pra.events import postgres_figures
from pra.events.interface import Event, Events, ask_again, reused
from pra.postgres import failures, statements
from pra.postgres.database import Database
from pra.postgres.report import Report
from pra.postgres.statements import ADDING


class PostgresEvents(Events):
    """The events of the database that a URL leads to."""

    def __init__(self, settings: Settings):
        assert settings.database_url
        self._database = Database(settings.database_url, settings.threads)
        self._report = Report(self._database)
        self._forgetting: threading.Thread | None = None

    def add(self, message: str, key: str | None = None) -> Event:
        """Add one event, or find the one that a request with the same key added."""
        if key is not None:
            return self._add_once(message, key)
        added = self._database.write(
            ADDING, lambda conn: statements.add(conn, message), repeatable=False
        )
        return {"timestamp": added.timestamp, "message": message, "id": added.event}

    def _add_once(self, message: str, key: str) -> Event:
        try:
            added = self._database.write(
                ADDING, lambda conn: statements.add_once(conn, message, key), repeatable=True
            )
        except Locked as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            # Most likely by the request with this key whose answer is open.
            raise ask_again(failures.unknown(ADDING, error.happened)) from error
        except OutcomeUnknown as error:
            raise ask_again(error) from None
        if not added.fits:
            raise reused(ADDING, added.event)
        # By chance, since the numbers of those that have a key may follow any pattern.
        if not added.replayed and random.randrange(statements.PRUNED_EVERY) == 0:
            self._forget_old_keys()
        return {
            "timestamp": added.timestamp,
            "message": message,
            "id": added.event,
            "replayed": added.replayed,
        }

    def _forget_old_keys(self) -> None:
        """Begin to forget old keys: whoever added an event does not wait for that."""
        # In a fork, that of the parent is not alive. Two at once would do no harm.
        if self._forgetting is None or not self._forgetting.is_alive():
            self._forgetting = threading.Thread(target=self._prune, name="keys", daemon=True)
            self._forgetting.start()

    def _prune(self) -> None:
        try:
            self._database.write("forgetting old keys", statements.prune, repeatable=True)
        except PraError as error:
            logging.getLogger("pra").warning("%s", error)

    def count(self) -> int:
        """The number of events."""
        return self._database.read("counting the events", statements.count)

    def newest(self, limit: int) -> list[Event]:
        """The newest events, the newest first."""
        rows = self._database.read(
            "listing the events", lambda conn: statements.newest(conn, limit)
        )
        return [{"id": row[0], "timestamp": row[1], "message": row[2]} for row in rows]

    @property
    def places(self) -> dict[str, str]:
        """None: there are no folders."""
        return {}

    def bring_back(self) -> None:
        """Nothing: what replicates the database replaces what is lost of it."""

    def needs_restore(self) -> bool:
        """Never: whether a database that is away has to be restored, others know."""
        return False

    def ready(self) -> None:
        """Refuse clients until the database was reached once.

        A replica with a wrong password or without tables gets no clients, and a rollout of such
        ones stops. Afterwards it stays ready: were all of them unready while a primary is
        replaced, clients would find nobody, instead of who says when to ask again.
        """
        if not self._database.reached():
            self._database.read("looking for the database", statements.count)

    def status(self) -> dict:
        """How many events there are, how they are protected, and what to know of that."""
        return self._report.answer()

    @property
    def collectors(self) -> tuple[str, ...]:
        """The parts that /metrics tells."""
        return postgres_figures.COLLECTORS

    def collected(self) -> Iterator[Collected]:
        """What /metrics tells, part by part."""
        return postgres_figures.collected(self._report)

    def dump(self, out: TextIO, point: str | None = None) -> None:
        """Write every event as a line of JSON."""
        if point is not None:
            raise UsageError(
                "reading a point",
                "the events are in PostgreSQL (PRA_DATABASE_URL), which has no restore points",
                "python -m pra dump writes what is there now",
            )
        for rows in self._database.stream("reading all rows", statements.everything):
            for identifier, timestamp, message in rows:
                row = {"id": identifier, "timestamp": timestamp, "message": message}
                out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
