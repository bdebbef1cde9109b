"""The message of a request, from wherever it can be given."""

import json
from urllib.parse import parse_qsl

from flask import Request

from pra.base.errors import UsageError

#: Longest message, in bytes of UTF-8.
MAX_MESSAGE = 4096
_DOING = "adding an event"
_GIVE = 'POST it to /add as {"message": …} or as a form, or open /add?message=hello'
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class TooLarge(UsageError):
    """There is more than is taken."""

    http_status = 413


class UnknownKind(UsageError):
    """A body of a kind that nothing is taken from."""

    http_status = 415


def message_of(incoming: Request) -> str:
    """The message of a request: from the query, a form, or a JSON object.

    Raises:
        UsageError: there is not exactly one, it is empty or too long, or it is not text.
    """
    given = _messages(_decoded(incoming.query_string))
    if incoming.method == "POST":
        given += _of_body(incoming)
    if not given:
        raise UsageError(_DOING, "there is no message", _GIVE)
    if len(given) > 1:
        raise UsageError(_DOING, "there is more than one message", "give each by itself")
    return _checked(given[0])


def _of_body(incoming: Request) -> list:
    body = incoming.get_data()
    if not body:
        return []
    if incoming.content_encoding not in (None, "", "identity"):
        raise UnknownKind(_DOING, "the body is compressed", "send it as it is")
    if incoming.is_json:
        return _of_json(body)
    if incoming.mimetype == _FORM:
        return _messages(_decoded(body))
    if incoming.mimetype == _MULTIPART:
        _utf8(body)
        return incoming.form.getlist("message")
    raise UnknownKind(
        _DOING,
        f"the body is {incoming.mimetype or 'of no type'}",
        f"send application/json, {_FORM} or {_MULTIPART}",
    )


def _of_json(body: bytes) -> list:
    try:
        fields = _DECODER.decode(_utf8(body))
    except (ValueError, RecursionError):
        raise UsageError(_DOING, "the body is not JSON", _GIVE) from None
    if not isinstance(fields, _Fields):
        raise UsageError(_DOING, "the body is not an object of JSON", _GIVE)
    return fields.named("message")


class _Fields:
    def __init__(self, pairs: list[tuple[str, object]]):
        self._pairs = pairs

    def named(self, name: str) -> list:
        return [value for key, value in self._pairs if key == name]


#: Keeps fields as they come, since of two with one name either could be meant.
_DECODER = json.JSONDecoder(object_pairs_hook=_Fields)


def _decoded(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a query or a form."""
    # Not incoming.args and .form: they take what is not UTF-8 for something else.
    try:
        return parse_qsl(_utf8(raw), keep_blank_values=True, errors="strict")
    except ValueError:
        raise UsageError(
            _DOING, "the message is not UTF-8", "percent-encode its UTF-8 bytes"
        ) from None


def _messages(pairs: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in pairs if name == "message"]


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise UsageError(_DOING, "the message is not UTF-8", "send its UTF-8 bytes") from None


def _checked(message) -> str:
    if not isinstance(message, str):
        raise UsageError(_DOING, "the message is not a text", _GIVE)
    try:
        length = len(message.encode())
    except UnicodeEncodeError:
        raise UsageError(_DOING, "the message is not Unicode text", "send UTF-8") from None
    if not message.strip():
        raise UsageError(_DOING, "the message is empty", _GIVE)
    if "\0" in message:
        raise UsageError(_DOING, "the message contains a NUL character", "leave it out")
    if length > MAX_MESSAGE:
        raise TooLarge(
            _DOING, f"the message is longer than {MAX_MESSAGE} bytes of UTF-8", "shorten it"
        )
    return message
