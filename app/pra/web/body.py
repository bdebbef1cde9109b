"""The body of a request: all of it, within its limits, before anything is done with it."""

import asyncio
import contextlib

from pra.web import answers
from pra.web.answers import Refused

#: How long a body may take once its header is there, in seconds.
SECONDS = 10.0
#: How much of a body that is too long is read and thrown away, in bytes, and for how
#: long, in seconds.
_DISCARDED, DISCARDING = 1 << 20, 1.0


async def read(scope, proto, limit: int) -> bytes:
    """The whole body of a request.

    Args:
        scope: the request, as RSGI describes it.
        proto: its connection.
        limit: the longest body, in bytes.

    Raises:
        Refused: it is longer, it did not come in time, or it was cut off.
    """
    length = scope.headers.get("content-length")
    if length is not None and int(length) > limit and _waits(scope):
        # The body is not asked for, and then does not come.
        raise Refused(answers.too_large(limit))
    if length == "0" or (length is None and "transfer-encoding" not in scope.headers):
        return b""
    # Not asyncio.wait_for: it costs a task for each request.
    timer = asyncio.get_running_loop().call_later(SECONDS, asyncio.current_task().cancel)
    try:
        if length is None:
            return await _chunked(proto, limit)
        if int(length) > limit:
            raise Refused(answers.too_large(limit), discard(proto))
        return await proto()
    except asyncio.CancelledError:
        raise Refused(answers.too_late(SECONDS)) from None
    except RuntimeError:
        # The client went away, or broke the rules of a chunked body.
        raise Refused(answers.cut()) from None
    finally:
        timer.cancel()


def _waits(scope) -> bool:
    """Whether a client sends its body only once it is told to."""
    return scope.headers.get("expect", "").lower() == "100-continue"


async def _chunked(proto, limit: int) -> bytes:
    """A body whose length nobody said.

    Its end comes as one empty piece. An error comes as one too, before that of the end,
    and so do trailers, which nobody needs: what has two was not whole for certain.
    """
    pieces, size, empty = [], 0, 0
    async for piece in proto:
        empty += not piece
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
        else:
            raise Refused(answers.too_large(limit), discard(proto))
    if empty != 1:
        raise Refused(answers.cut())
    return b"".join(pieces)


async def discard(proto) -> None:
    """Read the rest of a body that is too long, and throw it away: for a moment.

    Its answer is on its way: a client that is still sending would find its connection
    reset, and not see that.
    """
    with contextlib.suppress(asyncio.TimeoutError, RuntimeError):
        await asyncio.wait_for(_rest(proto), DISCARDING)


async def _rest(proto) -> None:
    size = 0
    async for piece in proto:
        size += len(piece)
        if size > _DISCARDED:
            return
