"""What keeps the copies: a bucket or a folder; whoever copies only ever adds."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pra.base.errors import StorageError


class Store(Protocol):
    """Objects by name below the configured place.

    Every method raises PraError where the store refuses or cannot be reached.

    Attributes:
        shown: the place, in words.
    """

    shown: str

    def put(self, name: str, data: bytes) -> bool:
        """Keep an object, whole or not at all; False, and no change, where the name is taken."""

    def sizes(self, prefix: str, hidden: bool = False) -> dict[str, int]:
        """The objects whose names begin so, with their sizes in bytes.

        Args:
            prefix: nothing, a name, or part of one up to a slash.
            hidden: also those that only older versions have.
        """

    def versions(self, name: str, limit: int) -> Iterator[bytes]:
        """Each content that a name has, the newest first; those over ``limit`` bytes left out.

        Where the store keeps no versions, the one there is; nothing where there is none.
        """

    def remove(self, names: Sequence[str]) -> dict[str, float]:
        """Remove objects, with all that is hidden below their names; fine if they are gone.

        Returns:
            Those that a lock holds, with the end of that in seconds since 1970.
        """

    def hide(self, name: str) -> None:
        """Take a name out of the listing, whatever a lock says; its content may stay below."""

    def sweep(self) -> int:
        """Remove what uploads left that were killed an hour ago or more; returns how many."""

    def renew(self, names: Sequence[str]) -> str | None:
        """Lock objects anew that are needed for longer; why some cannot be, None if all are."""

    def lock(self) -> str | None:
        """What is missing so that nobody can remove a copy before its time; None if nothing is."""


class Unreachable(StorageError):
    """The store did not answer, or broke off."""


class Refusing(StorageError):
    """The store answered, and refused."""


class NotAllowed(Refusing):
    """Who asks has no right to that, or the store knows no such thing: asking again is no help."""
