"""The file that ``export`` writes: a tar of one exact shape, readable by any tar.

Two members and nothing else: ``manifest.json``, sealed as a point's manifest is,
and ``app.db``, a resting SQLite file. Headers, padding and end follow from the
manifest, so each of them is compared with what it has to be: a flipped bit is
found wherever it is, and no name in the file is ever taken for a path.

Needs the standard library alone, so that a copy can be checked on any machine.
Format of the headers: POSIX.1-1988 ustar with GNU's sizes, as ``tarfile`` writes it.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from pra.base import sealing
from pra.base.errors import Damaged, UsageError
from pra.disk import copying

FORMAT = 1
_KIND = "pra-export"
_DATABASE = "app.db"
_MANIFEST = "manifest.json"
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
#: Longest manifest that is read, in bytes.
_LONGEST = 1 << 16
_DOING = "reading the exported copy"
_AGAIN = "take another copy: nothing was touched"
_FIELDS = {
    "created": str,
    "created_time": (int, float),
    "rows": int,
    "max_id": (int, type(None)),
    "highest_issued": int,
    "position": dict,
    "bytes": int,
    "sha256": str,
}


def write(out: BinaryIO, content: dict, database: BinaryIO) -> None:
    """Write the file, piece by piece.

    Args:
        content: what the manifest is to say; see ``Copy``.
        database: the database's bytes, from their beginning.

    Raises:
        Damaged: the database is not what ``content`` says; nor is the file then.
    """
    sealed = sealing.seal({"kind": _KIND, "format": FORMAT, **content})
    out.write(_header(_MANIFEST, len(sealed), content) + sealed + _padding(len(sealed)))
    out.write(_header(_DATABASE, content["bytes"], content))
    digest = hashlib.sha256()
    while piece := database.read(copying.CHUNK):
        digest.update(piece)
        out.write(piece)
    if digest.hexdigest() != content["sha256"]:
        raise Damaged("exporting", "the snapshot reads back differently", "check the volume")
    out.write(_padding(content["bytes"]) + _END)


class Copy:
    """An exported file that is being read, once, from its beginning.

    Attributes:
        content: what its manifest says: "created", "created_time", "rows", "max_id",
            "highest_issued", "position" (lineage, timeline, seq, hash, ...), and
            "bytes" and "sha256" of the database.

    Raises:
        UsageError: it is no such file, or of a newer format.
        Damaged: it is cut off or was changed.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._at = 0
        header = self._read(_BLOCK, exact=False)
        sealed = self._read(_length(header))
        self.content = _content(sealed)
        if header != _header(_MANIFEST, len(sealed), self.content):
            raise _damaged("the header of its manifest was changed")
        self._expect(_padding(len(sealed)), "the padding of its manifest was changed")

    def database(self) -> Iterator[bytes]:
        """The database's bytes in pieces; ends only after the whole file proved sound.

        Raises:
            Damaged: the file is cut off or was changed, or something follows it.
        """
        left = self.content["bytes"]
        self._expect(_header(_DATABASE, left, self.content), "the header of app.db was changed")
        digest = hashlib.sha256()
        while left:
            piece = self._read(min(left, copying.CHUNK))
            left -= len(piece)
            digest.update(piece)
            yield piece
        if digest.hexdigest() != self.content["sha256"]:
            raise _damaged("the SHA-256 of app.db is not the manifest's")
        self._expect(_padding(self.content["bytes"]) + _END, "its end was changed")
        if self._stream.read(1):
            raise _damaged("something follows its end")

    def _read(self, length: int, exact: bool = True) -> bytes:
        data = self._stream.read(length)
        self._at += len(data)
        if exact and len(data) < length:
            raise _damaged(f"it is cut off after {self._at} bytes")
        return data

    def _expect(self, wanted: bytes, otherwise: str) -> None:
        if self._read(len(wanted)) != wanted:
            raise _damaged(otherwise)


def check(stream: BinaryIO) -> dict:
    """Read a file to its end and check every byte.

    Returns:
        What its manifest says, with "file": {"bytes", "sha256"} of the whole.

    Raises:
        UsageError, Damaged: as ``Copy``.
    """
    whole = _Hashed(stream)
    copy = Copy(whole)
    for _ in copy.database():
        pass
    return {**copy.content, "file": {"bytes": whole.bytes, "sha256": whole.digest.hexdigest()}}


class _Hashed:
    """A stream whose bytes are counted and hashed as they are read."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.bytes, self.digest = 0, hashlib.sha256()

    def read(self, length: int) -> bytes:
        data = self._stream.read(length)
        self.bytes += len(data)
        self.digest.update(data)
        return data


def _header(name: str, size: int, content: dict) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(content["created_time"])
    return member.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _length(header: bytes) -> int:
    """How long the manifest is, by the first header of the file."""
    if not header.startswith(_MANIFEST.encode() + b"\0"):
        raise UsageError(
            _DOING, "this is no file that export wrote", "cargo xtask export FILE writes one"
        )
    try:
        length = tarfile.TarInfo.frombuf(header, "ascii", "strict").size
    except tarfile.HeaderError:
        raise _damaged("its first header was changed or is cut off") from None
    if not 0 < length <= _LONGEST:
        raise _damaged(f"its manifest would be {length} bytes long")
    return length


def _content(sealed: bytes) -> dict:
    try:
        content = sealing.unseal(sealed)
    except ValueError as error:
        raise _damaged(str(error)) from None
    if content.get("kind") != _KIND:
        raise UsageError(
            _DOING, "its manifest is of something else", "cargo xtask export FILE writes one"
        )
    if content.get("format") != FORMAT:
        raise UsageError(
            _DOING,
            f"it has the format {content.get('format')}, known is {FORMAT}",
            "adopt it with the version of the lab that exported it, or a newer one",
        )
    for field, kind in _FIELDS.items():
        if not isinstance(content.get(field), kind):
            raise _damaged(f"its manifest has no valid {field}")
    return content


def _damaged(happened: str) -> Damaged:
    return Damaged(_DOING, happened, _AGAIN)
