"""What file system a folder stands on, so that a mount that is missing can be told."""

import os
from typing import NamedTuple

from pra.disk import look

_MOUNTS = "/proc/self/mountinfo"
#: It looks like a file system of its own until somebody looks into it.
_LATE = "autofs"


class Ground(NamedTuple):
    """What a folder stands on.

    Attributes:
        filesystem: what tells that file system from others, also after it was mounted
            again; None where it does not say.
        own: it is mounted there as a whole, so that nothing below it can be meant instead.
        below: how many folders it is below the place where its file system, or a folder of
            it, is mounted; None where the system does not say. It grows where a mount is
            missing, also one of the same file system.
    """

    filesystem: str | None
    own: bool
    below: int | None


def of(path: str) -> Ground:
    """What a folder stands on.

    Raises:
        OSError: it is not there, or cannot be looked at.
    """
    name = os.statvfs(path).f_fsid
    mounted, real = _mounted(), os.path.realpath(path)
    return Ground(f"{name:x}" if name else None, mounted.get(real, False), _below(real, mounted))


def shared(one: str, other: str) -> bool:
    """Whether two folders are on one file system, which is therefore there."""
    found = look.identity(one), look.identity(other)
    return None not in found and found[0][0] == found[1][0]


def _below(real: str, mounted: dict[str, bool]) -> int | None:
    steps, place = 0, real
    while place not in mounted:
        if place == os.path.dirname(place):
            return None
        steps, place = steps + 1, os.path.dirname(place)
    return steps


def _mounted() -> dict[str, bool]:
    """Where something is mounted: whether that is a file system as it is, and no folder of it."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    found: dict[str, bool] = {}
    late: set[str] = set()
    for line in lines:
        fields, _, kind = line.partition(" - ")
        _, _, _, root, place, *_ = fields.split(" ")
        # What was mounted last hides the others.
        found[_unescaped(place)] = root == "/"
        change = late.add if kind.partition(" ")[0] == _LATE else late.discard
        change(_unescaped(place))
    return {place: whole for place, whole in found.items() if place not in late}


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
