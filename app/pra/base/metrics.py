"""What is told to whoever watches: names, what they mean, and values."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

Labels = tuple[str, ...]


class Metric(NamedTuple):
    """A figure that can be told.

    Attributes:
        name: as in docs/metrics.md.
        about: what it means, in a line.
        labels: the names of what tells its series apart.
        counter: it only grows, until it begins anew.
    """

    name: str
    about: str
    labels: Labels = ()
    counter: bool = False

    def is_now(self, value: float | None) -> "list[Told]":
        """Its one value; nothing where that is not known."""
        return [] if value is None else [Told(self, {(): float(value)})]

    def are_now(self, values: Mapping[str, float]) -> "list[Told]":
        """A value for each of the words of its one label."""
        return [Told(self, {(word,): float(value) for word, value in values.items()})]

    def of_these(self, words: Iterable[str], true: str | None) -> "list[Told]":
        """Which one of some words is true; each has a series all the time, so that it can end."""
        return self.are_now({word: word == true for word in words})


class Told(NamedTuple):
    """A figure with its values, by the values of its labels."""

    metric: Metric
    values: dict[Labels, float]


class Collected(NamedTuple):
    """What one part of a look found; None where it could not be read."""

    collector: str
    told: list[Told] | None
