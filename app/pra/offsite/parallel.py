"""Several objects on their way at once: a store far away answers slowly, and takes many."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A, B = TypeVar("A"), TypeVar("B")
#: How many: each is in memory, in clear and encrypted.
AT_ONCE = 6


def in_order(act: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """What an act makes of each item, in their order; the next ones are begun meanwhile.

    The first error ends it, once those that were begun have ended.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        begun = deque()
        for item in items:
            begun.append(pool.submit(act, item))
            if len(begun) == AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
