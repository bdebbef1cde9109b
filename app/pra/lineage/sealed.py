"""Small documents that decide which history is the latest: sealed, and kept twice.

One lies below ``.pra``, its copy below ``.pra-copy`` of the same volume, written one
after the other. One of them lost or damaged decides nothing: the other answers, and
it is said until it was written again. They are written once and never changed, so two
that differ were not left like that by this application.
"""

import os
from collections.abc import Callable

from pra.base import layout, sealing
from pra.base.errors import RecordLost
from pra.disk import files, look

FORMAT = 2
#: Longest document, in bytes: an answer names every point that was not fit.
_LONGEST = 1 << 20
_EARLIER = "it was written by an earlier version of this application"
#: Tells why a sound document does not belong here; None if it does.
Check = Callable[[dict], str | None]


def write(path: str, content: dict) -> None:
    """Write a document and its copy, each durable before the next."""
    write_raw(path, sealing.seal({"format": FORMAT, **content}))


def write_raw(path: str, raw: bytes) -> None:
    """As ``write``, a document that is sealed already."""
    for one in (path, layout.twin(path)):
        _write(one, raw)


def read(path: str, doing: str, check: Check = lambda content: None) -> dict | None:
    """A document; None if neither it nor its copy exists.

    Raises:
        RecordLost: neither is sound, or they differ.
    """
    found = [_read(one, check) for one in (path, layout.twin(path))]
    sound = [content for content, _ in found if content is not None]
    if not sound:
        reasons = [reason for _, reason in found if reason]
        if not reasons:
            return None
        raise RecordLost(doing, f"{path} and its copy are lost: {reasons[0]}", _put_back(path))
    if any(content != sound[0] for content in sound):
        raise RecordLost(doing, f"{path} and its copy differ", _put_back(path))
    return sound[0]


def fault(path: str, check: Check = lambda content: None) -> str | None:
    """What is wrong with a document or its copy where one of them is; None if nothing is."""
    found = [(one, _read(one, check)) for one in (path, layout.twin(path))]
    if not any(content or reason for _, (content, reason) in found):
        return None
    for one, (content, reason) in found:
        if content is None:
            return f"{one} is lost: {reason or 'there is no such file'}"
    return None


def heal(path: str, doing: str, check: Check = lambda content: None) -> bool:
    """Write the one that is lost again from the other; whether that was needed.

    No row depends on it: what the sound one says, which was in force meanwhile, stays
    in force. Nothing is decided where neither is sound.

    Raises:
        RecordLost: neither is sound, or they differ.
    """
    content = read(path, doing, check)
    lost = [one for one in (path, layout.twin(path)) if _read(one, check)[0] is None]
    if content is None or not lost:
        return False
    for one in lost:
        _write(one, sealing.seal({"format": FORMAT, **content}))
    return True


def _write(path: str, raw: bytes) -> None:
    folder = os.path.dirname(path)
    above = os.path.dirname(folder)
    # Not the volume itself: one that is not mounted is not to be made up.
    for one in (above, folder) if os.path.basename(above) == layout.COPY else (folder,):
        files.make_directory(one)
        files.fsync_directory(os.path.dirname(one))
    files.write_replacing(path, raw)


def _read(path: str, check: Check) -> tuple[dict | None, str | None]:
    """A document without its format, or what is wrong with it; neither if it is missing."""
    try:
        raw = look.read_small(path, _LONGEST)
    except look.NotRegular as error:
        return None, error.strerror
    if raw is None:
        return None, None
    try:
        content = sealing.unseal(raw)
        if content.pop("format", None) != FORMAT:
            return None, _EARLIER
        reason = check(content)
        return (None, reason) if reason else (content, None)
    except (ValueError, AttributeError):
        earlier = raw.startswith(b'{"format": 1,')
        return None, _EARLIER if earlier else "it was changed or is incomplete"


def _put_back(path: str) -> str:
    return (
        f"put {path} back from a copy of the volume if there is one; python -m pra restore"
        " current makes the database that is here the live history, python -m pra points"
        " lists what can be restored by name"
    )
