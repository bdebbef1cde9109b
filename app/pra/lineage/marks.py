"""The marks of the two volumes: which history each belongs to.

A mark is written when the pair is initialised, or when a restore fills an empty
volume. A volume without one is never written to: a mount that came late looks just
like an empty volume.
"""

import os
from typing import NamedTuple

from pra.base import layout
from pra.base.errors import Damaged
from pra.disk import files, look
from pra.lineage import sealed

_DOING = "looking at the volumes"


class Mark(NamedTuple):
    """What a volume says about itself."""

    lineage: str
    identity: str


def mark_of(directory: str) -> Mark | None:
    """A volume's mark; None if it has none.

    Raises:
        Damaged: neither of its two copies can be read.
    """
    content = sealed.read(path(directory), _DOING, _check)
    return Mark(content["lineage"], content["id"]) if content else None


def readable(directory: str) -> Mark | None:
    """As ``mark_of``; None too where the mark is lost: for what must go on without one."""
    try:
        return mark_of(directory)
    except Damaged:
        return None


def lineage_of(directory: str) -> str | None:
    """The lineage that a volume belongs to; None if its mark does not say."""
    mark = readable(directory)
    return mark.lineage if mark else None


class Seen:
    """The marks of volumes, each read again only when its file is another."""

    def __init__(self):
        self._found: dict[str, tuple[tuple[int, ...] | None, Mark | None]] = {}

    def lineage_of(self, directory: str) -> str | None:
        """The lineage that a volume belongs to; None if it has no mark.

        Raises:
            Damaged: neither of the mark's two copies can be read.
        """
        signature = look.signature(path(directory))
        known = self._found.get(directory)
        if known is None or known[0] != signature:
            known = self._found[directory] = signature, mark_of(directory)
        return known[1].lineage if known[1] else None


def fault(directory: str) -> str | None:
    """What is wrong with one of the copies of a volume's mark; None if nothing is."""
    return sealed.fault(path(directory), _check)


def heal(directory: str) -> bool:
    """Write a copy that was lost again; whether one was."""
    return sealed.heal(path(directory), _DOING, _check)


def new_identity() -> str:
    """An identity that nothing else has."""
    return os.urandom(16).hex()


def write_mark(directory: str, lineage: str) -> Mark:
    """Mark a volume as part of a history."""
    mark = Mark(lineage, new_identity())
    sealed.write(path(directory), {"lineage": lineage, "id": mark.identity})
    files.fsync_directory(directory)
    return mark


def path(directory: str) -> str:
    """Where a volume's mark lies; its copy is that path's twin."""
    return f"{directory}/{layout.OWN}/volume.json"


def _check(content: dict) -> str | None:
    fields = content.get("lineage"), content.get("id")
    return None if all(isinstance(field, str) for field in fields) else "it names no history"
