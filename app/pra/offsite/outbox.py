"""Sending objects that are not there yet, and counting what was sent."""

from pra.offsite import crypt, names, parallel
from pra.offsite.databases import Cut
from pra.offsite.index import Index
from pra.offsite.names import ChunkName, Key, Name
from pra.offsite.store import Store


class Outbox:
    """What is sent for one history.

    Attributes:
        there: the objects of the history that are known to be there.
        objects, bytes: how many were sent since ``begin``, and their content.
        faults: what is wrong with objects that are there, and with what could not be sent.
    """

    def __init__(self, store: Store, recipients: crypt.Recipients, history: str, there: Index):
        self._store, self._recipients, self._history = store, recipients, history
        self.there = there
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self.objects = self.bytes = 0
        self.faults: list[str] = []

    def send_chunks(self, key: Key, cut: Cut) -> list[str] | None:
        """Send the parts of a database; returns their names, in order; None: not all are there."""

        def put(content: bytes) -> tuple[ChunkName, int, int | None]:
            # Beside the hash of the whole, which has to go part by part.
            name = ChunkName(key.mac(content))
            return name, len(content), self._put(names.text_of(name), content)

        macs, whole = [], True
        for name, length, size in parallel.in_order(put, cut.chunks()):
            whole = self._count(names.text_of(name), length, size) and whole
            macs.append(name.mac)
        return macs if whole else None

    def send(self, name: Name, content: bytes) -> bool:
        """Send an object that is not there; whether it is there, and can be whole."""
        text = names.text_of(name)
        return self._count(text, len(content), self._put(text, content))

    def _put(self, text: str, content: bytes) -> int | None:
        """Put an object that is not there, and remember nothing: several at once may.

        Returns:
            The bytes that this push has sent for it; 0 where somebody else did, None where it
            was there.
        """
        if self.there.size(text) is not None:
            return None
        data = self._recipients.encrypt(content)
        return len(data) if self._store.put(f"{self._history}/{text}", data) else 0

    def _count(self, text: str, length: int, size: int | None) -> bool:
        """Remember that an object is there; whether it can be whole.

        Args:
            length: of its content.
            size: what ``_put`` returned.
        """
        if size:
            self.objects += 1
            self.bytes += length
        if size is not None:
            self.there.add(text, size or length)
        there = self.there.size(text)
        whole = there >= length
        if not whole:
            self.faults.append(
                f"{text} is {there} bytes long, which cannot be all of it; nothing"
                " overwrites it: remove it, or python -m pra offsite push --anew begins copies"
                " beside these"
            )
        return whole
