"""For whom the copies of a history are encrypted: for the same keys from its beginning to its end.

What is there is never changed, so a key that is stated later opens nothing of it, and one that is
left out nothing that comes; without the first objects nobody restores the last ones. So the keys
are noted before anything else: by a name alone, which tells neither whose they are nor which. As
of proofs, who has the bucket alone cannot make a note.
"""

from pra.base.errors import Refused
from pra.offsite import names
from pra.offsite.crypt import Recipients
from pra.offsite.index import Index
from pra.offsite.names import READERS, Key, Readers
from pra.offsite.store import Store

_DOING = "copying elsewhere"


def refuse_other(shown: str, key: Key, index: Index, recipients: Recipients) -> None:
    """Refuse where what is there was encrypted for other keys, for more or for fewer.

    Args:
        shown: the place, in words.

    Raises:
        Refused
    """
    if _noted(key, index) - {_note(key, recipients)}:
        raise Refused(
            _DOING,
            f"the copies in {shown} were encrypted for other keys than PRA_OFFSITE_RECIPIENTS has"
            " now, so that none might open all of them",
            "name the earlier keys, and no others; or python -m pra offsite push --anew begins"
            " copies for these ones beside those, which stay",
        )


def refuse_unknown(shown: str, key: Key, index: Index) -> None:
    """Refuse to add to copies that do not say for whom they are.

    Raises:
        Refused
    """
    if not _noted(key, index):
        raise Refused(
            _DOING,
            f"the copies in {shown} do not say for which keys they were encrypted: an earlier"
            " version made them, or somebody removed that",
            "python -m pra offsite push --same-keys where they are those of"
            " PRA_OFFSITE_RECIPIENTS; else push --anew begins others beside those, which stay",
        )


def note(store: Store, key: Key, index: Index, recipients: Recipients) -> None:
    """Note for whom is encrypted.

    Raises:
        PraError: the store cannot be used.
    """
    text = names.text_of(_note(key, recipients))
    if index.size(text) is None:
        store.put(f"{key.history}/{text}", f"{text}\n".encode())
        index.add(text, len(text) + 1)


def _noted(key: Key, index: Index) -> set[Readers]:
    found = (one for one in index.within(READERS) if isinstance(one, Readers))
    return {one for one in found if one == key.signed(one)}


def _note(key: Key, recipients: Recipients) -> Readers:
    keys = key.mac(f"keys {' '.join(sorted(set(recipients.texts)))}".encode())
    return key.signed(Readers(keys, ""))
