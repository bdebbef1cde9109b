"""JSON documents with a seal: the last field is the SHA-256 of every byte before it."""

import hashlib
import json

_SEAL = b',"seal":"'


def seal(content: dict) -> bytes:
    """Write a document with its seal."""
    body = json.dumps(content, separators=(",", ":")).encode()[:-1]
    return body + _SEAL + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def unseal(raw: bytes) -> dict:
    """Read a sealed document.

    Raises:
        ValueError: it is not as it was written.
    """
    body, found, mark = raw.rpartition(_SEAL)
    if not found or mark != hashlib.sha256(body).hexdigest().encode() + b'"}\n':
        raise ValueError("the manifest was changed or is incomplete")
    # As text: the decoder would first guess at the encoding of bytes.
    return json.loads(body.decode() + "}")
