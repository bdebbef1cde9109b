"""What the application does with its data, whichever database has it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NotRequired, TextIO, TypedDict

from pra.base.errors import KeyReused, OutcomeUnknown
from pra.base.metrics import Collected


class Event(TypedDict):
    """One event.

    Attributes:
        id: its number; a later one has a higher number.
        timestamp: when it was added, in UTC, as RFC 3339 with milliseconds.
        message: its text.
        replayed: of one that was added with a key: whether an earlier request with that key
            added it.
    """

    id: int
    timestamp: str
    message: str
    replayed: NotRequired[bool]


def reused(doing: str, event: int) -> KeyReused:
    """The refusal of a key that added another message, as this event."""
    return KeyReused(
        doing,
        # Not the key itself: it may look like a path, and clients are told none.
        f"this key was used before, for another message (event {event})",
        "give each request a key of its own; a retry says what the first one said",
    )


def ask_again(error: OutcomeUnknown) -> OutcomeUnknown:
    """An unknown outcome that a key makes safe: found, it is answered; not found, it is added."""
    error.next_step = "send it again with the same key: it is added once, if it was not"
    error.retry_after = 1
    return error


class Events(ABC):
    """The events, for any number of threads; a fork of the process may use it too.

    Nothing is opened before the first use. Every method raises a ``PraError`` for what
    can be expected to go wrong, and NeedsRestore where there is no database.
    """

    #: Whether ``add`` waits only after a pause (``pra.base.tasks``), so that one thread can
    #: begin several at once, which then share a transaction.
    add_pauses = False

    @abstractmethod
    def add(self, message: str, key: str | None = None) -> Event:
        """Add one event; it is durable when this returns.

        Args:
            key: the name of the request, the same for each of its retries: where one was
                answered, so is this, and nothing is added. Known with the event, durable
                with it, and unknown again after a restore to before it; of the newest ones.

        Raises:
            KeyReused: the key was used for another message.
            NoKeys: this database cannot remember keys as yet.
            OutcomeUnknown: it may or may not have been added.
            PraError: it was not added.
        """

    @abstractmethod
    def count(self) -> int:
        """The number of events."""

    @abstractmethod
    def newest(self, limit: int) -> list[Event]:
        """The newest events, at most ``limit``, the newest first."""

    @property
    @abstractmethod
    def places(self) -> dict[str, str]:
        """Absolute folders that errors may name, each with what clients know it by."""

    def lost(self) -> bool:
        """Whether ``bring_back`` has something to do."""
        return False

    @abstractmethod
    def bring_back(self) -> None:
        """Bring a database that is lost back without anybody, if that is wanted.

        It is called once, before anybody is served, in a thread of its own, and can take
        long. Where it does not come to its end, ``status`` says why.
        """

    def unrestored(self) -> dict | None:
        """Why a database that is lost does not come back without anybody, where it was to.

        Returns:
            {"state", "what", "next"}; None where there is nothing to say.
        """
        return None

    @abstractmethod
    def needs_restore(self) -> bool:
        """Whether the database is missing, and a restore is what brings it back."""

    @abstractmethod
    def ready(self) -> None:
        """Refuse clients as long as this process cannot serve any.

        Whether the process works is another question: it must not depend on a database that
        all replicas share, since to end them would not bring that back.

        Raises:
            PraError: they may not, as yet.
        """

    @abstractmethod
    def status(self) -> dict:
        """How many events there are, how they are protected, and what to know of that.

        It answers whatever is missing or broken: what cannot be told then is None or left
        out, and "notices" say why. Every implementation answers with at least these fields:

        - "count": of the events; None where they cannot be counted;
        - "needs_restore": as ``needs_restore``; False where that cannot be told;
        - "protection": the name of the kind of protection;
        - "unprotected": why a write would be lost in a disaster; None if none would;
        - "last_backup_file", "backup_age_seconds", "backup_rows": of the newest good
          backup; None without one;
        - "notices": what somebody should see to, each with "what" and "next".
        """

    @property
    @abstractmethod
    def collectors(self) -> tuple[str, ...]:
        """The names of the parts of ``collected``."""

    @abstractmethod
    def collected(self) -> Iterator[Collected]:
        """What /metrics tells, part by part, for one thread at a time.

        It answers whatever is missing or broken: what cannot be read is a part without figures.
        """

    @abstractmethod
    def dump(self, out: TextIO, point: str | None = None) -> None:
        """Write every event as a line of JSON, in the order of ids, as of one moment.

        Args:
            point: of this restore point instead of the database.

        Raises:
            UsageError, Unknown: there is no such point.
        """
