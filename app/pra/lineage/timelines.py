"""Timelines: each restore opens one, so that an abandoned future stays apart.

A timeline is registered before the swap that makes it current, and activated
after it: a restore that dies in between leaves a registered number that nobody
ever wrote on. Generation folders carry the timeline's number. Both records are
sealed and kept twice.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from pra.base import clock, layout
from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import look
from pra.lineage import marks, sealed

#: The parts of a record that are records themselves.
_PARTS = ("parent", "left", "before", "request")


class Branch(NamedTuple):
    """Where a timeline leaves its parent: after that transaction (hash in hex)."""

    timeline: int
    seq: int
    hash: str


class Request(NamedTuple):
    """A restore that was asked for under a name: what it asks for, and the answer to it."""

    name: str
    target: str
    answer: dict


class Timeline(NamedTuple):
    """One timeline's beginning.

    Attributes:
        lineage: the history of the volume pair that it is part of.
        number: of the timeline and of its generation.
        parent: where it leaves another; None for a beginning of its own.
        seq, hash: the database's place when it began (hash in hex).
        empty: it began with an empty database, so it needs no point as a base.
        schema: hash of the tables' definitions when it began.
        point: the point that was restored, if any.
        safety: the point that keeps what was there before, if any.
        also_kept: the points that keep what was there too and not in use.
        left: where the database stood that was replaced, if that is known.
        before: where the journal of the timeline ended that was live before, if any.
        replaced: generations that were kept before, and are of no use since.
        highest_id: the highest event id given out before; its journal may be gone.
        request: what the restore was that opened it, where that has a name.
        created: when, in seconds since 1970.
        active: it did become the current one.
        steady_time: ``created`` on the scale of steady time, where that was known.
    """

    lineage: str
    number: int
    parent: Branch | None
    seq: int
    hash: str
    empty: bool
    schema: str
    point: str | None
    safety: str | None
    left: Branch | None
    before: Branch | None
    created: float
    replaced: Sequence[int] = ()
    also_kept: Sequence[str] = ()
    highest_id: int = 0
    request: Request | None = None
    active: bool = False
    steady_time: float | None = None

    @property
    def steady(self) -> float:
        """When it began, on the scale of steady time."""
        return self.created if self.steady_time is None else self.steady_time


def beginning(place, empty: bool = False, **more) -> Timeline:
    """The timeline that begins at the position ``place`` (a schema.Position)."""
    unknown = dict.fromkeys(("parent", "point", "safety", "left", "before"))
    return Timeline(
        lineage=place.lineage,
        number=place.timeline,
        seq=place.seq,
        hash=place.hash,
        empty=empty,
        schema=place.schema,
        created=clock.now_ms() / 1000,
        **{**unknown, **more},
    )


def register(where: Layout, timeline: Timeline) -> None:
    """Record where a timeline begins; its number is used up from here on."""
    content = timeline._asdict()
    for field in _PARTS:
        part = content[field]
        content[field] = part._asdict() if part else None
    del content["active"]
    sealed.write(where.timeline(timeline.number), content)


def activate(where: Layout, number: int) -> None:
    """Record that a timeline became the current one; needs the writer lock.

    Raises:
        Damaged: it was never registered, or its record is lost.
    """
    timeline = read(where, number)
    if timeline is not None and not timeline.active:
        content = {"lineage": timeline.lineage, "number": number, "hash": timeline.hash}
        sealed.write(where.activation(number), content)


def numbers(where: Layout) -> list[int]:
    """Every number that was registered, in either copy of the registry."""
    return sorted(_named(where, "json"))


def read(where: Layout, number: int) -> Timeline | None:
    """One timeline; None if this history never registered it.

    Raises:
        Damaged: neither copy of its record, or of its activation, can be read.
    """
    doing = f"reading timeline {number}"
    belongs = _check(where, number)
    content = sealed.read(where.timeline(number), doing, belongs)
    if content is None:
        return None
    active = sealed.read(where.activation(number), doing, belongs) is not None
    return _decoded({**content, "active": active})


def read_if_sound(where: Layout, number: int) -> Timeline | None:
    """As ``read``; None too where the record is lost: for what must go on without it."""
    try:
        return read(where, number)
    except Damaged:
        return None


def readable(where: Layout) -> list[Timeline]:
    """Every timeline whose record can be read, the newest first."""
    found = (read_if_sound(where, number) for number in reversed(numbers(where)))
    return [timeline for timeline in found if timeline]


def faults(where: Layout) -> list[str]:
    """What is wrong with the records or with one of their copies."""
    found = [sealed.fault(path, check) for path, check in _records(where)]
    return [reason for reason in found if reason]


def heal(where: Layout) -> int:
    """Write copies that were lost again from the others; returns how many.

    What is lost in both stays so, and is for others to judge: one that was left long
    ago decides nothing.
    """
    mended = 0
    for path, check in _records(where):
        with contextlib.suppress(Damaged):
            mended += sealed.heal(path, "mending the registry", check)
    return mended


def live(where: Layout) -> Timeline | None:
    """The timeline that was current last; None before the first.

    Raises:
        Damaged: that cannot be told, because a record is lost.
    """
    for number in reversed(numbers(where)):
        found = read(where, number)
        if found and found.active:
            return found
    return None


def path_to(where: Layout, timeline: Timeline) -> list[Timeline]:
    """A timeline and its ancestors, the oldest first, as far back as the records can be read.

    Points and journal of what comes before are of no use then; they stay where they are.
    """
    path = [timeline]
    while path[0].parent:
        parent = read_if_sound(where, path[0].parent.timeline)
        if parent is None or parent.number >= path[0].number:
            break
        path.insert(0, parent)
    return path


def _records(where: Layout) -> list[tuple[str, sealed.Check]]:
    records = [(where.timeline(number), number) for number in numbers(where)]
    records += [(where.activation(number), number) for number in sorted(_named(where, "active"))]
    return [(path, _check(where, number)) for path, number in records]


def _named(where: Layout, kind: str) -> set[int]:
    names = look.names(where.timelines) + look.names(layout.twin(f"{where.timelines}/").rstrip("/"))
    found = (name.partition(".") for name in names)
    return {int(stem) for stem, _, suffix in found if suffix == kind and stem.isdigit()}


def _check(where: Layout, number: int) -> sealed.Check:
    """Tells what is wrong with a record that says it is of this timeline."""
    lineage = marks.lineage_of(where.backup)

    def check(content: dict) -> str | None:
        if content.get("number") != number:
            return "it is the record of another timeline"
        if lineage is not None and content.get("lineage") != lineage:
            return "it belongs to another history"
        try:
            if "seq" in content:
                _decoded(content)
        except (TypeError, KeyError):
            return "it is of an unknown format"
        return None

    return check


def _decoded(content: dict) -> Timeline:
    parts = {
        field: (Request if field == "request" else Branch)(**content[field])
        if content[field]
        else None
        for field in _PARTS
    }
    return Timeline(**{**content, **parts})
