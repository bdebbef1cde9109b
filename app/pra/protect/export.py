"""One file with the whole database, for keeping elsewhere than on the two volumes."""

import os
from typing import BinaryIO

from pra.base import clock
from pra.base.errors import Refused
from pra.base.settings import Settings
from pra.disk import files, locks
from pra.points import archive, publish
from pra.protect import backup, new_base

_DOING = "exporting"


def run(settings: Settings, out: BinaryIO, until: float | None = None) -> None:
    """Write a verified copy of the database as it is now.

    Every write that was acknowledged before this began is in it. Writing goes on
    meanwhile; backups wait only until the snapshot is made.

    Args:
        settings: of the database.
        out: where it goes.
        until: the copy says that it has what was acknowledged until then, in seconds since 1970;
            None: until now. Of a database that was rebuilt, nobody knows that of now.

    Raises:
        NeedsRestore, Refused, Damaged, Locked, StorageError: ``out`` has no whole copy.
    """
    where = settings.layout
    backup.refuse_unready(where, _DOING)
    at = clock.now() if until is None else until
    moment = {"created": clock.rfc3339(at), "created_time": round(at, 3)}
    with locks.maintenance(where, _DOING):
        publish.sweep(where)
        with new_base.writer_lock_on_live(where, _DOING):
            # Refused where the journal or a point holds what the database lacks.
            lacks = new_base.refuse_behind if settings.journal == "off" else new_base.needed
            lacks(where)
        path, content = backup.snapshot(where)
        fd = files.open_read(path)
        # Without its name nothing of it is left behind, however this ends.
        files.remove(path)
    with os.fdopen(fd, "rb") as database:
        if content["position"] is None:
            raise Refused(_DOING, "the database has no place in its history", "take a backup first")
        archive.write(out, {**moment, **content}, database)
        out.flush()
