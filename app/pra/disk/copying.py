"""Whole files: hashing them, and copies that are durable and known to be what was read."""

import hashlib
from collections.abc import Iterator

from pra.disk import files, look

#: How much is read at once, in bytes.
CHUNK = 1 << 20
#: A copy is read back in parts of at least so many bytes, and about so many of them:
#: each costs an fsync, and the last one is all that is left to read at the end.
PART, PARTS = 2 << 20, 32


def chunks(path: str) -> Iterator[bytes]:
    """A file's content in pieces of CHUNK bytes."""
    fd, offset = files.open_read(path), 0
    try:
        while piece := look.read_at(fd, CHUNK, offset):
            yield piece
            offset += len(piece)
    finally:
        files.close(fd)


def sha256(path: str) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    for piece in chunks(path):
        digest.update(piece)
    return digest.hexdigest()


def copy(source: str, target: str) -> str:
    """Copy to a new file, made durable; returns the SHA-256 of what was read, in hex."""
    digest = hashlib.sha256()
    fd = files.open_new(target)
    try:
        for piece in chunks(source):
            digest.update(piece)
            files.write_all(fd, piece)
        files.fsync(fd)
    finally:
        files.close(fd)
    return digest.hexdigest()


def copy_read_back(source: str, target: str) -> str:
    """Copy to a new file, made durable; returns the SHA-256 of the copy as it reads back.

    Each part is read after its fsync, while the next is written: one hash finds
    a source that went bad and a copy that did, in little more than a copy's time.
    """
    # Few verbs copy, and it is slow to load.
    from concurrent.futures import ThreadPoolExecutor

    digest, fd = hashlib.sha256(), files.open_new(target)
    try:
        with ThreadPoolExecutor(max_workers=1) as reading:
            parts, begin = [], 0
            for end in _write_parts(source, fd):
                files.fsync(fd)
                parts.append(reading.submit(_digest_part, digest, fd, begin, end))
                begin = end
        for part in parts:
            part.result()
    finally:
        files.close(fd)
    return digest.hexdigest()


def _write_parts(source: str, fd: int) -> Iterator[int]:
    """Write all of a file; stops after each part and at the end, with the bytes written so far."""
    least = max(PART, (look.size(source) or 0) // PARTS)
    written, due = 0, least
    for piece in chunks(source):
        files.write_all(fd, piece)
        files.begin_writing_out(fd, written, len(piece))
        written += len(piece)
        if written >= due:
            yield written
            due = written + least
    yield written


def _digest_part(digest, fd: int, begin: int, end: int) -> None:
    while begin < end and (piece := look.read_at(fd, min(CHUNK, end - begin), begin)):
        digest.update(piece)
        begin += len(piece)
