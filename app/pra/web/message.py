"""The message of a request, from wherever it can be given."""

from urllib.parse import parse_qsl

from flask import Request

from pra.base.errors import UsageError

#: Longest message, in bytes of UTF-8.
MAX_MESSAGE = 4096
_DOING = "adding an event"


def message_of(incoming: Request) -> str:
    """The message of a request: from the query, a form, or a JSON object.

    Raises:
        UsageError: there is none, it is empty or too long, or it is not UTF-8.
    """
    if incoming.is_json:
        body = incoming.get_json(silent=True)
        found = body.get("message") if isinstance(body, dict) else None
    else:
        # Not incoming.args: it replaces what is not UTF-8 instead of refusing it.
        found = _fields(incoming).get("message")
    if not isinstance(found, str):
        raise UsageError(_DOING, "there is no message", "give one: /add?message=hello")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise UsageError(_DOING, "the message is not Unicode text", "send UTF-8") from None
    _check(found)
    return found


def _fields(incoming: Request) -> dict[str, str]:
    raw = incoming.query_string
    if incoming.method == "POST" and incoming.mimetype == "application/x-www-form-urlencoded":
        raw += b"&" + incoming.get_data(cache=False)
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise UsageError(
            _DOING, "the message is not UTF-8", "percent-encode its UTF-8 bytes"
        ) from None
    return dict(pairs)


def _check(message: str) -> None:
    if not message.strip():
        raise UsageError(_DOING, "the message is empty", "give one: /add?message=hello")
    if "\0" in message:
        raise UsageError(_DOING, "the message contains a NUL character", "leave it out")
    if len(message.encode()) > MAX_MESSAGE:
        raise UsageError(
            _DOING, f"the message is longer than {MAX_MESSAGE} bytes of UTF-8", "shorten it"
        )
