"""A database cut into parts that are stored once each, and put together again."""

import hashlib
from collections.abc import Iterator

from pra.disk import files, look
from pra.offsite import names


class Cut:
    """A point's database, part by part.

    Attributes:
        bytes: how many were read.
    """

    def __init__(self, path: str):
        self._path = path
        self._digest = hashlib.sha256()
        self.bytes = 0

    def chunks(self) -> Iterator[bytes]:
        """Every part, in order.

        Raises:
            FileNotFoundError: it was removed; one that is removed meanwhile is read to its end.
        """
        fd = files.open_read(self._path)
        try:
            while content := look.read_at(fd, names.CHUNK, self.bytes):
                self._digest.update(content)
                self.bytes += len(content)
                yield content
        finally:
            files.close(fd)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read, in hex."""
        return self._digest.hexdigest()
