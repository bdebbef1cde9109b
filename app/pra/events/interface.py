"""What the application does with its data, whichever database has it."""

from abc import ABC, abstractmethod
from typing import TextIO, TypedDict


class Event(TypedDict):
    """One event.

    Attributes:
        id: its number; a later one has a higher number.
        timestamp: when it was added, in UTC, as RFC 3339 with milliseconds.
        message: its text.
    """

    id: int
    timestamp: str
    message: str


class Events(ABC):
    """The events, for any number of threads; a fork of the process may use it too.

    Nothing is opened before the first use. Every method raises a ``PraError`` for what
    can be expected to go wrong, and NeedsRestore where there is no database.
    """

    @abstractmethod
    def add(self, message: str) -> Event:
        """Add one event; it is durable when this returns.

        Raises:
            OutcomeUnknown: it may or may not have been added.
            PraError: it was not added.
        """

    @abstractmethod
    def count(self) -> int:
        """The number of events."""

    @abstractmethod
    def newest(self, limit: int) -> list[Event]:
        """The newest events, at most ``limit``, the newest first."""

    @abstractmethod
    def needs_restore(self) -> bool:
        """Whether the database is missing, and a restore is what brings it back."""

    @abstractmethod
    def status(self) -> dict:
        """How many events there are, how they are protected, and what to know of that.

        Every implementation answers with at least these fields:

        - "count": of the events; None where a damaged database cannot be counted;
        - "needs_restore": as ``needs_restore``;
        - "protection": the name of the kind of protection;
        - "unprotected": why a write would be lost in a disaster; None if none would;
        - "last_backup_file", "backup_age_seconds", "backup_rows": of the newest good
          backup; None without one;
        - "notices": what somebody should see to, each with "what" and "next".
        """

    @abstractmethod
    def dump(self, out: TextIO, point: str | None = None) -> None:
        """Write every event as a line of JSON, in the order of ids, as of one moment.

        Args:
            point: of this restore point instead of the database.

        Raises:
            UsageError, Unknown: there is no such point.
        """
