"""Whether the server is well, answered to all who ask at once."""

import asyncio
from functools import partial
from typing import NamedTuple

from pra.web import wsgi
from pra.web.answers import Answer
from pra.web.threads import Threads


class _Round(NamedTuple):
    """One answer to be made, and the request that stands for all who wait for it."""

    scope: object
    asked: asyncio.Future[Answer]


class Probes:
    """Answers made in a thread of their own, each for all who asked before it was begun.

    However many ask, nobody waits for more than two: the one that is being made, which
    may be older than the question, and the next.
    """

    def __init__(self, application: wsgi.Application):
        self._application = application
        self._thread = Threads("probe", 1)
        self._next: _Round | None = None
        self._busy = False

    async def answer(self, scope) -> Answer:
        """What the application answers to a request that came now; without its headers."""
        if self._next is None:
            self._next = _Round(scope, asyncio.get_running_loop().create_future())
        asked = self._next.asked
        if not self._busy:
            self._begin()
        # Who gives up does so alone.
        return await asyncio.shield(asked)

    def _begin(self) -> None:
        begun, self._next, self._busy = self._next, None, True
        self._thread.give(partial(self._make, begun, asyncio.get_running_loop()))

    def _make(self, begun: _Round, loop) -> None:
        """In the thread."""
        answer = wsgi.answer(self._application, begun.scope, b"", method="GET")
        loop.call_soon_threadsafe(self._made, begun, answer)

    def _made(self, made: _Round, answer: Answer) -> None:
        self._busy = False
        made.asked.set_result(answer)
        if self._next is not None:
            self._begin()
