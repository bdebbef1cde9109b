"""The names of objects: what each copy is of, and a proof of its content.

Names are checked by these patterns before anything is made of them; what fits none is
not ours, and left alone.
"""

import hashlib
import hmac
import re
from typing import NamedTuple

#: The most that one object holds, in bytes before encryption.
CHUNK = 4 << 20
#: The most that encryption adds to an object, in bytes, for a few hundred recipients.
OVERHEAD = 1 << 17
_MAC = "([0-9a-f]{64})"
_HISTORY = re.compile(r"([0-9a-f]{64})/(.+)")
_TIMELINE = re.compile(rf"timelines/([0-9]{{1,9}})-{_MAC}\.age")
_PIECE = re.compile(
    rf"journal/([0-9]{{1,9}})-([0-9]{{20}})/([0-9]{{10}})-([0-9]{{10}})-{_MAC}\.age"
)
_POINT = re.compile(rf"points/([0-9]{{12}})-([0-9]{{1,12}})-{_MAC}\.age")
_CHUNK = re.compile(rf"chunks/{_MAC}\.age")
_FENCE = re.compile(rf"pruning/([0-9]{{12}})-{_MAC}")
_READERS = re.compile(rf"readers/{_MAC}-{_MAC}")
_PROOF = re.compile(rf"proofs/([0-9]{{12}})-([0-9]{{12}})-(all|sample)-{_MAC}")
ABOUT = "about.age"
RECORDS, JOURNAL, POINTS, CHUNKS = "timelines", "journal", "points", "chunks"
FENCES, PROOFS, READERS = "pruning", "proofs", "readers"


class Record(NamedTuple):
    """The record of a timeline."""

    number: int
    mac: str


class Piece(NamedTuple):
    """Bytes of a segment, from ``start`` to before ``end``."""

    timeline: int
    first: int
    start: int
    end: int
    mac: str


class PointName(NamedTuple):
    """A point: its place in the order of creation, the seconds in its name."""

    serial: int
    epoch: int
    mac: str


class ChunkName(NamedTuple):
    """A part of a database."""

    mac: str


class Fence(NamedTuple):
    """That somebody removes what is not kept, since so many seconds after 1970; random."""

    seconds: int
    mac: str


class Readers(NamedTuple):
    """For whom was encrypted.

    Attributes:
        keys: of all public keys for which the same objects were encrypted.
        mac: of the rest of its name.
    """

    keys: str
    mac: str

    @property
    def words(self) -> bytes:
        """What its mac is of."""
        return f"readers {self.keys}".encode()


class Proof(NamedTuple):
    """That somebody with the key restored the copies, all or a sample, and when.

    Attributes:
        proven: when, in seconds since 1970.
        covered: when the newest point was made from which that began, likewise.
        kind: all, or sample.
        mac: of the rest of its name.
    """

    proven: int
    covered: int
    kind: str
    mac: str

    @property
    def words(self) -> bytes:
        """What its mac is of."""
        return f"proof {self.proven} {self.covered} {self.kind}".encode()


Name = Record | Piece | PointName | ChunkName | Fence | Readers | Proof


class Key:
    """What the names of one history are made with.

    Attributes:
        history: the name of its folder.
    """

    def __init__(self, lineage: str, identity: str, branch: str = ""):
        """Of a backup volume, and of its copies since they were begun anew, if they were."""
        self._key = " ".join(filter(None, ("pra-offsite", lineage, identity, branch))).encode()
        self.history = self.mac(b"history")

    def mac(self, content: bytes) -> str:
        """The HMAC-SHA-256 of a content, in hex."""
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def signed(self, note: Readers | Proof) -> Readers | Proof:
        """A note in clear with its mac, which who has the bucket alone cannot make."""
        return note._replace(mac=self.mac(note.words))


def text_of(name: Name) -> str:
    """A name as it is within the folder of its history."""
    if isinstance(name, Record):
        return f"timelines/{name.number}-{name.mac}.age"
    if isinstance(name, Piece):
        folder = folder_of(name.timeline, name.first)
        return f"{folder}/{name.start:010d}-{name.end:010d}-{name.mac}.age"
    if isinstance(name, PointName):
        return f"points/{name.serial:012d}-{name.epoch}-{name.mac}.age"
    if isinstance(name, Fence):
        return f"pruning/{name.seconds:012d}-{name.mac}"
    if isinstance(name, Readers):
        return f"{READERS}/{name.keys}-{name.mac}"
    if isinstance(name, Proof):
        return f"proofs/{name.proven:012d}-{name.covered:012d}-{name.kind}-{name.mac}"
    return f"chunks/{name.mac}.age"


def folder_of(timeline: int, first: int) -> str:
    """The folder of the pieces of a segment, within that of the history."""
    return f"{JOURNAL}/{timeline}-{first:020d}"


def parse(text: str) -> Name | None:
    """What a name within the folder of a history is of; None if it is none of ours."""
    if found := _CHUNK.fullmatch(text):
        return ChunkName(found[1])
    if found := _PIECE.fullmatch(text):
        *numbers, mac = found.groups()
        piece = Piece(*map(int, numbers), mac)
        return piece if piece.start < piece.end <= piece.start + CHUNK else None
    if found := _POINT.fullmatch(text):
        return PointName(int(found[1]), int(found[2]), found[3])
    if found := _TIMELINE.fullmatch(text):
        return Record(int(found[1]), found[2])
    if found := _FENCE.fullmatch(text):
        return Fence(int(found[1]), found[2])
    if found := _READERS.fullmatch(text):
        return Readers(*found.groups())
    if found := _PROOF.fullmatch(text):
        return Proof(int(found[1]), int(found[2]), found[3], found[4])
    return None


def split(text: str) -> tuple[str, str] | None:
    """The history's folder and the rest of a name below the prefix; None if it has neither."""
    found = _HISTORY.fullmatch(text)
    return (found[1], found[2]) if found else None
