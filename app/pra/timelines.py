"""Timelines: each restore opens one, so that an abandoned future stays apart.

A timeline is registered before the swap that makes it current, and activated
after it: a restore that dies in between leaves a registered number that nobody
ever wrote on. Generation folders carry the timeline's number.
"""

import json
from typing import NamedTuple

from pra import clock, fileops
from pra.errors import Damaged
from pra.layout import Layout

#: Longest record of a timeline, in bytes: an answer names every point that was not fit.
_LONGEST = 1 << 20


class Branch(NamedTuple):
    """Where a timeline leaves its parent: behind that transaction (hash in hex)."""

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
        number: of the timeline and of its generation.
        parent: where it leaves another; None for a beginning of its own.
        seq, hash: the database's place when it began (hash in hex).
        empty: it began with an empty database, so it needs no point as a base.
        schema: hash of the tables' definitions when it began.
        point: the point that was restored, if any.
        safety: the point that keeps what was there before, if any.
        left: where the database stood that was replaced, if that is known.
        highest_id: the highest event id given out before; its journal may be gone.
        request: what the restore was that opened it, where that has a name.
        created: when, in seconds since 1970.
        active: it did become the current one.
        steady_time: ``created`` on the scale of steady time, where that was known.
    """

    number: int
    parent: Branch | None
    seq: int
    hash: str
    empty: bool
    schema: str
    point: str | None
    safety: str | None
    left: Branch | None
    created: float
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
    fields = {"parent": None, "point": None, "safety": None, "left": None, **more}
    return Timeline(
        number=place.timeline,
        seq=place.seq,
        hash=place.hash,
        empty=empty,
        schema=place.schema,
        created=clock.now_ms() / 1000,
        **fields,
    )


def register(where: Layout, timeline: Timeline) -> None:
    """Record where a timeline begins; its number is used up from here on."""
    content = {"format": 1, **timeline._asdict()}
    for field in ("parent", "left", "request"):
        part = content[field]
        content[field] = part._asdict() if part else None
    del content["active"]
    fileops.write_replacing(where.timeline(timeline.number), json.dumps(content).encode() + b"\n")


def activate(where: Layout, number: int) -> None:
    """Record that a timeline became the current one; needs the writer lock."""
    path = _active_mark(where, number)
    if fileops.size(path) is None:
        fileops.write_new(path, b"")
        fileops.fsync_directory(where.timelines)


def numbers(where: Layout) -> list[int]:
    """Every number that was registered."""
    found = (name.partition(".") for name in fileops.names(where.timelines))
    return sorted(int(stem) for stem, _, kind in found if kind == "json" and stem.isdigit())


def read(where: Layout, number: int) -> Timeline | None:
    """One timeline; None if it was never registered.

    Raises:
        Damaged: its record cannot be read.
    """
    raw = fileops.read_small(where.timeline(number), _LONGEST)
    if raw is None:
        return None
    try:
        content = json.loads(raw)
        del content["format"]
        for field in ("parent", "left"):
            if content[field]:
                content[field] = Branch(**content[field])
        if content.get("request"):
            content["request"] = Request(**content["request"])
        active = fileops.size(_active_mark(where, number)) is not None
        return Timeline(**content, active=active)
    except (ValueError, TypeError, KeyError):
        raise Damaged(
            f"reading timeline {number}",
            f"{where.timeline(number)} is damaged",
            "restore a point by name: python -m pra points",
        ) from None


def live(where: Layout) -> Timeline | None:
    """The timeline that was current last; None before the first."""
    for number in reversed(numbers(where)):
        found = read(where, number)
        if found.active:
            return found
    return None


def path_to(where: Layout, timeline: Timeline) -> list[Timeline]:
    """A timeline and its ancestors, the oldest first."""
    path = [timeline]
    while path[0].parent:
        parent = read(where, path[0].parent.timeline)
        if parent is None or parent.number >= path[0].number:
            break
        path.insert(0, parent)
    return path


def _active_mark(where: Layout, number: int) -> str:
    return f"{where.timelines}/{number}.active"
