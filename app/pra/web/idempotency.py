"""The header ``Idempotency-Key``: the name of a request, the same for each of its retries.

As in draft-ietf-httpapi-idempotency-key-header, a string of structured fields (RFC 9651), in
quotes. Most clients send the bare text; where that can mean nothing else it is taken as well,
and is the same key as the quoted one.
"""

import re

from flask import Request

from pra.base.errors import UsageError
from pra.events.interface import Event

#: Longest key, in bytes, without quotes.
MAX_KEY = 255
HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
# No space and nothing that separates values or parameters: two headers come joined by a comma.
_BARE = re.compile(r"[!#-+\--:<-\[\]-~]*")


def key_of(incoming: Request) -> str | None:
    """The key of a request; None if it has none.

    Raises:
        UsageError: the header can be no key.
    """
    raw = incoming.headers.get(HEADER)
    if raw is None:
        return None
    quoted = _QUOTED.fullmatch(raw.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else raw.strip()
    if not (key and len(key) <= MAX_KEY and (quoted or _BARE.fullmatch(key))):
        raise UsageError(
            "adding an event",
            f"the header {HEADER} is no single key of 1 to {MAX_KEY} printable ASCII characters",
            f'send one and nothing else, as in {HEADER}: "8e03978e-40d5-43e8-bc93-6894a57f9324"',
        )
    return key


def answer(added: Event, key: str | None) -> tuple[dict, dict[str, str]]:
    """The body and the headers that answer a request to add.

    A retry gets the first answer. That the key was understood is said of each request with one.
    """
    body = {"status": "added", **added}
    replayed = body.pop("replayed", False)
    return body, {} if key is None else {REPLAYED: "true" if replayed else "false"}
