"""The number of the last acknowledged transaction that has no record in the journal.

Without a journal all that is newer than the last checkpoint is in the database's log alone.
Where somebody removes that, the database is whole again without it, and nothing in it tells.
This number does: it is written once the disk has the transaction, and needs no sync, since
it only ever has to be as new as what the database lost.
"""

import os
import struct
import zlib

from pra.base.errors import Damaged
from pra.disk import files, look

_FIELDS = struct.Struct("<8sQ")
_CRC = struct.Struct("<I")
_MAGIC = b"PRA ack\n"
_SIZE = _FIELDS.size + _CRC.size


class Acknowledged:
    """The number, in a file next to the database that it belongs to."""

    def __init__(self, database: str, create: bool = False):
        """Open it.

        Args:
            create: make it where there is none; else it then says nothing.

        Raises:
            OSError: it cannot be opened or made.
        """
        self._fd = None
        # What was read last and what it means: mostly it is still that.
        self._known: tuple[bytes, int] = b"", 0
        path = path_of(database)
        if look.size(path) is not None:
            self._fd = files.open_write(path)
        elif create:
            try:
                self._fd = files.open_new(path)
            except FileExistsError:
                self._fd = files.open_write(path)

    @property
    def there(self) -> bool:
        """Whether there is a number to be read and written."""
        return self._fd is not None

    def __del__(self):
        if self._fd is not None:
            files.close(self._fd)

    def last(self) -> int:
        """The number; 0 where nothing is known."""
        if self._fd is None:
            return 0
        raw = os.pread(self._fd, _SIZE, 0)
        if raw != self._known[0]:
            self._known = raw, _number_in(raw)
        return self._known[1]

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
            raw = fields + _CRC.pack(zlib.crc32(fields))
            files.write_at(self._fd, raw, 0)
            self._known = raw, number


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


def _number_in(raw: bytes) -> int:
    """The number in a file's content; 0 where that is damaged."""
    fields, crc = raw[: _FIELDS.size], raw[_FIELDS.size :]
    if len(fields) != _FIELDS.size or crc != _CRC.pack(zlib.crc32(fields)):
        return 0
    magic, number = _FIELDS.unpack(fields)
    return number if magic == _MAGIC else 0
