"""Work in threads beside the one that does the rest: hashing, checking, while a disk writes."""

import hashlib
import queue
import threading
from collections.abc import Callable


class Beside:
    """Work in a thread of its own, for the length of a ``with``.

    Its end waits for the work; then ``result`` is there, or what the work raised
    is raised. SQLite, hashing and the disk leave the other threads running.
    """

    def __init__(self, work: Callable):
        self.result = None
        self._work, self._error = work, None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, kind, *_) -> None:
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self._error = error


class Digest:
    """SHA-256 of pieces, computed beside the thread that hands them over.

    Used in a ``with``; the digest is there at its end.
    """

    def __init__(self):
        self._sha256 = hashlib.sha256()
        # A few pieces: memory stays bounded, whoever of the two is slower.
        self._pieces: queue.Queue[bytes | None] = queue.Queue(maxsize=4)
        self._worker = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Digest":
        self._worker.start()
        return self

    def __exit__(self, *_) -> None:
        self._pieces.put(None)
        self._worker.join()

    def update(self, piece: bytes) -> None:
        """Hand over the next piece."""
        self._pieces.put(piece)

    def hexdigest(self) -> str:
        """The digest of all pieces, in hex."""
        return self._sha256.hexdigest()

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._sha256.update(piece)
