"""Notes that somebody with the private key restored the copies, for whoever has none.

A note's name says all of it, so that the listing is enough. What it is named with is the key of all
names: who has the bucket alone cannot make one, who has a pod can.
"""

from pra.base import clock
from pra.offsite import names
from pra.offsite.index import Index
from pra.offsite.names import PROOFS, Key, Proof
from pra.offsite.store import Store

#: By how much the clock of whoever proved it may be ahead, in seconds.
_AHEAD = 60


def record(store: Store, key: Key, covered: int, every: bool) -> float:
    """Note that the copies were restored just now; returns when that was.

    Args:
        covered: when the newest point was made, in seconds since 1970.
        every: all of them were read, and not a sample.

    Raises:
        PraError: the store cannot be used, or refuses.
    """
    proof = key.signed(Proof(int(clock.now()), covered, "all" if every else "sample", ""))
    text = names.text_of(proof)
    store.put(f"{key.history}/{text}", f"{text}\n".encode())
    return proof.proven


def newest(index: Index, key: Key) -> float | None:
    """When the copies were last restored, in seconds since 1970; None if nobody noted that.

    One of a time to come is of a clock that was wrong, and says nothing.
    """
    found = [one for one in index.within(PROOFS) if one == key.signed(one)]
    until = clock.now() + _AHEAD
    return max((float(one.proven) for one in found if one.proven <= until), default=None)
