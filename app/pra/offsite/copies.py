"""Reading copies: nothing is believed but what opens with the key and is what its name says."""

from typing import NamedTuple

from pra.base import clock, sealing
from pra.base.errors import Damaged, Unknown
from pra.offsite import names
from pra.offsite.crypt import Identity, WrongKey
from pra.offsite.names import ChunkName, Fence, Key, Name, Piece, PointName, Proof, Record
from pra.offsite.store import NotAllowed, Store

_LIMIT = names.CHUNK + names.OVERHEAD


class Objects(NamedTuple):
    """What a store has of one history, by name.

    Attributes:
        history: its folder.
        points: the newest first.
        pieces: by timeline and first number of their segment.
        fences: of those who remove what is not kept.
        proofs: that somebody restored the copies.
        sizes: of all objects in bytes, by their names below the prefix.
    """

    history: str
    records: list[Record]
    pieces: dict[tuple[int, int], list[Piece]]
    points: list[PointName]
    chunks: set[str]
    fences: list[Fence]
    proofs: list[Proof]
    sizes: dict[str, int]

    @property
    def count(self) -> int:
        """How many objects there are."""
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        """How many bytes all of them have."""
        return sum(self.sizes.values())


def histories(store: Store, hidden: bool = False) -> list[Objects]:
    """Every history that a store has copies of.

    Args:
        hidden: with what somebody deleted or wrote over, where the store keeps that.
    """
    found: dict[str, dict[str, int]] = {}
    for text, size in store.sizes("", hidden).items():
        if parts := names.split(text):
            found.setdefault(parts[0], {})[parts[1]] = size
    # Only what begins with these words is one.
    return [_objects(name, found[name]) for name in sorted(found) if names.ABOUT in found[name]]


def with_hidden(store: Store) -> tuple[list[Objects], bool]:
    """Every history, with what somebody deleted or wrote over, as far as that may be looked at.

    Returns:
        The histories, and whether it was: whoever copies may have no right to list versions.

    Raises:
        PraError: the store cannot be used, or is away for a while: that is not the same.
    """
    try:
        return histories(store, hidden=True), True
    except NotAllowed:
        return histories(store), False


def choose(found: list[Objects], wanted: str | None, shown: str) -> Objects:
    """The one history that is meant.

    Args:
        wanted: how its name begins; None: the only one.

    Raises:
        Unknown: there is none, or more than one.
    """
    fitting = [one for one in found if one.history.startswith(wanted or "")]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(map(_told, fitting or found))
    raise Unknown(
        f"looking for the copies in {shown}",
        f"{'several histories' if fitting else 'no such history'}: {listed}"
        if found
        else "there are no copies",
        "python -m pra offsite list tells of them; choose one with --history"
        if found
        else "see that PRA_OFFSITE is the place that python -m pra offsite push copied to",
    )


def _told(one: Objects) -> str:
    newest = f", newest point {clock.rfc3339(one.points[0].epoch)}" if one.points else ""
    return f"{one.history[:12]} ({len(one.points)} points{newest})"


def _objects(history: str, sizes: dict[str, int]) -> Objects:
    parsed = [name for name in map(names.parse, sizes) if name]
    pieces: dict[tuple[int, int], list[Piece]] = {}
    for name in parsed:
        if isinstance(name, Piece):
            pieces.setdefault((name.timeline, name.first), []).append(name)
    return Objects(
        history,
        sorted(name for name in parsed if isinstance(name, Record)),
        pieces,
        sorted((name for name in parsed if isinstance(name, PointName)), reverse=True),
        {name.mac for name in parsed if isinstance(name, ChunkName)},
        sorted(name for name in parsed if isinstance(name, Fence)),
        sorted(name for name in parsed if isinstance(name, Proof)),
        {f"{history}/{text}": size for text, size in sizes.items()},
    )


class Reader:
    """Reads the objects of one history.

    Attributes:
        key: what the names are made with.
        lineage: of the volume that was copied.
    """

    def __init__(self, store: Store, identity: Identity, history: str):
        """Open what says whose copies these are.

        Raises:
            WrongKey: the key does not open it.
            Damaged: it is not what was written.
        """
        self._store, self._identity, self._history = store, identity, history
        self.key, self.lineage = self._opened(
            f"{history}/{names.ABOUT}", lambda content: _about(content, history)
        )

    def content(self, name: Name) -> bytes:
        """The content of an object before encryption, as its name proves it.

        Raises:
            WrongKey, Damaged: no version of it is that.
        """

        def check(content: bytes) -> bytes:
            proven = _point_of(content)[0] if isinstance(name, PointName) else content
            if self.key.mac(proven) != name.mac:
                raise ValueError("its content is not what its name says")
            return content

        return self._opened(f"{self._history}/{names.text_of(name)}", check)

    def point(self, name: PointName) -> tuple[bytes, list[str]]:
        """The manifest of a point as it was on the volume, and the names of its chunks."""
        return _point_of(self.content(name))

    def _opened(self, path: str, check):
        """What ``check`` makes of the first version that opens and that it does not refuse."""
        reason: Exception | None = None
        for data in self._store.versions(path, _LIMIT):
            try:
                return check(self._identity.decrypt(data, path))
            except (WrongKey, ValueError) as error:
                reason = reason or error
        if isinstance(reason, WrongKey):
            raise reason
        raise Damaged(
            f"reading {path}",
            str(reason or "there is no such object, or it is too long to be one of ours"),
            "python -m pra offsite verify --all tells what else is damaged",
        )


def _about(content: bytes, history: str) -> tuple[Key, str]:
    known = sealing.unseal(content)
    if (known.get("kind"), known.get("format")) != ("pra-offsite", 1):
        raise ValueError("it is of another format")
    key = Key(*(str(known.get(field, "")) for field in ("lineage", "id", "branch")))
    if key.history != history:
        raise ValueError("it is of another history")
    return key, known["lineage"]


def _point_of(content: bytes) -> tuple[bytes, list[str]]:
    known = sealing.unseal(content)
    raw, macs = known.get("manifest"), known.get("chunks")
    if not isinstance(raw, str) or not isinstance(macs, list):
        raise ValueError("it is no point")
    if not all(isinstance(mac, str) and names.parse(f"chunks/{mac}.age") for mac in macs):
        raise ValueError("its chunks have no names")
    return raw.encode(), macs
