"""Why a write would be lost in a disaster, or is refused so that none is."""

from typing import NamedTuple


class Lack(NamedTuple):
    """One reason.

    Attributes:
        reason: a word for programs, one of few.
        said: a sentence for people.
    """

    reason: str
    said: str
