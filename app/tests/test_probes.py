"""Probes: one answer for all who asked before it was begun, and for each of them."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from pra.web.probes import Probes


def request_of(who):
    """A request for /health, told from others by its query."""
    return SimpleNamespace(
        method="GET",
        path="/health",
        query_string=who,
        http_version="1.1",
        server="127.0.0.1:1",
        client="127.0.0.1:2",
        headers={},
    )


@pytest.fixture
def slow():
    """An application that answers when it is let, and for whom it did."""
    made, let = [], threading.Semaphore(0)

    def application(environ, start_response):
        assert let.acquire(timeout=60)
        made.append(environ["QUERY_STRING"])
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode()]

    return application, let, made


def asking(probes, who):
    return asyncio.ensure_future(probes.answer(request_of(who)))


def test_who_gives_up_leaves_the_others_their_answers(slow):
    application, let, made = slow

    async def all_ask():
        probes = Probes(application)
        gone, first = asking(probes, "gone"), asking(probes, "first")
        await asyncio.sleep(0)
        # Both wait for the one that is under way or for the next; then one is left alone.
        gone.cancel()
        await asyncio.wait([gone])
        second = asking(probes, "second")
        let.release(3)
        async with asyncio.timeout(60):
            return gone.cancelled(), [(await one).status for one in (first, second)]

    assert asyncio.run(all_ask()) == (True, [200, 200])
    assert len(made) == 2


def test_an_answer_is_made_for_who_asked_after_the_last_was_begun(slow):
    application, let, made = slow

    async def all_ask():
        probes = Probes(application)
        rounds = [[asking(probes, "a")]]
        await asyncio.sleep(0)
        rounds.append([asking(probes, "b"), asking(probes, "c")])
        let.release(2)
        async with asyncio.timeout(60):
            return [[(await one).body for one in asked] for asked in rounds]

    assert asyncio.run(all_ask()) == [[b"a"], [b"b", b"b"]]
    assert made == ["a", "b"]
