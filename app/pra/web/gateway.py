"""The application behind an asynchronous server (RSGI): whole requests in, whole answers out.

The event loop reads a request to its end; only then does it take one of a fixed number
of threads, in which the application answers. A client that sends slowly, or reads
slowly, holds a connection and no thread.
"""

import asyncio
import math
import time
from collections.abc import Container
from functools import partial

from pra.web import answers, body, requests, wsgi
from pra.web.answers import Answer, Refused
from pra.web.counting import Requests
from pra.web.probes import Probes
from pra.web.stopping import Stopping
from pra.web.threads import Threads

#: The paths that are answered apart from all others: the process works, and it may be asked.
ALIVE, READY = "/health", "/ready"
PROBES = (ALIVE, READY)

#: How many requests may wait for a thread; more are told to come again.
WAITING = 1024
_CLOSE = ("Connection", "close")


def asks_for_probe(scope) -> bool:
    """Whether a request asks if the server is well."""
    return scope.path in PROBES and scope.method in ("GET", "HEAD")


class Gateway:
    """Hands the requests of a server to a WSGI application.

    Attributes:
        under_way: how many requests have no answer yet.
    """

    def __init__(
        self,
        application: wsgi.Application,
        threads: int,
        max_body: int,
        stopping: Stopping,
        tasks: Container[str] = (),
        apart: Container[str] = (),
        counts: Requests | None = None,
    ):
        """Answer by an application.

        Args:
            threads: in which it is called.
            max_body: the longest body of a request, in bytes.
            stopping: says when answers close their connections.
            tasks: the paths of requests whose answers wait for nothing but where they pause.
            apart: the paths of requests that have a thread of their own: they may wait for
                what hangs, and keep no thread from others.
            counts: of requests; None: nobody counts them.
        """
        self._application, self._stopping, self._tasks = application, stopping, tasks
        self._apart, self._counts = apart, counts
        self._max_body = max_body
        self._threads = Threads("request", threads)
        self._own_thread = Threads("apart", 1)
        # Apart from each other: whether it may be asked can depend on a database.
        self._probes = {path: Probes(application) for path in PROBES}
        self._room = threads + WAITING
        self._handed_over = 0
        self.under_way = 0
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()
        self._ended = self._last = -math.inf

    def idle_for(self) -> float:
        """Seconds since a client, not a probe, was sent an answer."""
        return time.monotonic() - self._last

    async def quiet_for(self, seconds: float) -> None:
        """Wait until nothing was under way for as long, from now on.

        A request is under way from the end of its header to its answer: half a header is none.
        """
        began = time.monotonic()
        while True:
            await self._none_under_way.wait()
            rest = max(began, self._ended) + seconds - time.monotonic()
            if rest <= 0:
                return
            await asyncio.sleep(rest)

    async def __rsgi__(self, scope, proto) -> None:
        """Answer one request."""
        began = time.monotonic()
        self.under_way += 1
        self._none_under_way.clear()
        try:
            status = await self._answered(scope, proto)
            if self._counts is not None and status is not None:
                took = time.monotonic() - began
                self._counts.answered(scope.path, scope.method, status, took)
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._ended = time.monotonic()
                self._none_under_way.set()

    async def _answered(self, scope, proto) -> int | None:
        """Answer one request; with which status, None where it could not be sent."""
        try:
            if asks_for_probe(scope):
                answer = await self._probes[scope.path].answer(scope)
                return self._send(proto, answer, probe=True)
            requests.check(scope)
            content = await body.read(scope, proto, self._max_body)
            if self._handed_over >= self._room:
                raise Refused(answers.busy())
            return await self._handed(scope, proto, content)
        except Refused as refused:
            status = self._send(proto, refused.answer)
            if refused.afterwards:
                await refused.afterwards
            return status

    async def probed(self, scope, proto) -> None:
        """Answer one request on the port that is for probes alone; nobody counts those."""
        if asks_for_probe(scope):
            self._send(proto, await self._probes[scope.path].answer(scope), probe=True)
        else:
            self._send(proto, answers.nothing_but(PROBES), probe=True)

    async def _handed(self, scope, proto, content: bytes) -> int | None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._handed_over += 1
        if scope.path in self._apart:
            give = self._own_thread.give
        else:
            give = self._threads.give_task if scope.path in self._tasks else self._threads.give
        try:
            give(partial(self._answer, scope, proto, content, loop, done))
            return await done
        finally:
            self._handed_over -= 1

    def _answer(self, scope, proto, content: bytes, loop, done: asyncio.Future) -> None:
        """In a thread: call the application, and send what it answers."""
        status = None
        try:
            status = self._send(proto, wsgi.answer(self._application, scope, content))
        finally:
            loop.call_soon_threadsafe(done.set_result, status)

    def _send(self, proto, answer: Answer, probe: bool = False) -> int:
        """Send an answer; returns its status."""
        if not probe:
            # Before it is asked whether the server stops, which it asks the other way round:
            # of two threads at once, one knows of the other.
            self._last = time.monotonic()
        headers = answer.headers
        if self._stopping.send_elsewhere():
            headers = [*headers, _CLOSE]
        proto.response_bytes(answer.status, headers, answer.body)
        return answer.status
