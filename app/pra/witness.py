"""The number of the last acknowledged transaction that has no record in the journal.

Without a journal all that is newer than the last checkpoint is in the database's log alone.
Where somebody removes that, the database is whole again without it, and nothing in it tells.
This number does: it is written once the disk has the transaction, and needs no sync, since
it only ever has to be as new as what the database lost.
"""

import os
import struct
import zlib

from pra import fileops
from pra.errors import Damaged

_FIELDS = struct.Struct("<8sQ")
_CRC = struct.Struct("<I")
_MAGIC = b"PRA ack\n"
_SIZE = _FIELDS.size + _CRC.size


class Witness:
    """The number, in a file beside the database that it belongs to."""

    def __init__(self, database: str, create: bool = False):
        """Open it.

        Args:
            create: make it where there is none; else it then says nothing.

        Raises:
            OSError: it cannot be opened or made.
        """
        self._fd = None
        path = path_of(database)
        if fileops.size(path) is not None:
            self._fd = fileops.open_write(path)
        elif create:
            try:
                self._fd = fileops.open_new(path)
            except FileExistsError:
                self._fd = fileops.open_write(path)

    @property
    def there(self) -> bool:
        """Whether there is a number to be read and written."""
        return self._fd is not None

    def __del__(self):
        if self._fd is not None:
            fileops.close(self._fd)

    def last(self) -> int:
        """The number; 0 where nothing is known."""
        raw = os.pread(self._fd, _SIZE, 0) if self._fd is not None else b""
        if len(raw) != _SIZE or _CRC.unpack_from(raw, _FIELDS.size)[0] != _crc(raw):
            return 0
        magic, number = _FIELDS.unpack_from(raw)
        return number if magic == _MAGIC else 0

    def note(self, number: int) -> None:
        """A transaction is on the disk.

        Of several at once a lower number may win, until the next one.
        """
        if number > self.last():
            self.set(number)

    def set(self, number: int) -> None:
        """Let it be this number, also a lower one: what is missing was accepted."""
        if self._fd is not None:
            fields = _FIELDS.pack(_MAGIC, number)
            fileops.write_at(self._fd, fields + _CRC.pack(zlib.crc32(fields)), 0)


def path_of(database: str) -> str:
    """Where the number of a database is."""
    return f"{database}-acknowledged"


def missing(number: int, acknowledged: int) -> str | None:
    """What a database that stands at ``number`` lacks; None if that is nothing."""
    if number >= acknowledged:
        return None
    return (
        f"transactions {number + 1} to {acknowledged} were acknowledged, and the database lacks"
        " them: its log (-wal) was removed, or an older file put in its place"
    )


def refuse_missing(doing: str, number: int, acknowledged: int) -> None:
    """Refuse to go on from a database that lacks what was acknowledged.

    Raises:
        Damaged
    """
    happened = missing(number, acknowledged)
    if happened:
        raise Damaged(
            doing,
            happened,
            "leave servers that run running and try again: they may still have that log; else"
            " python -m pra restore latest takes what a point has, and python -m pra backup"
            " --accept goes on without what is missing",
        )


def _crc(raw: bytes) -> int:
    return zlib.crc32(raw[: _FIELDS.size])
