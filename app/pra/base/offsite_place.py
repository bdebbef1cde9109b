"""Where copies are kept elsewhere: the value of PRA_OFFSITE."""

import os
import re
from typing import NamedTuple

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_OPTIONS = ("endpoint", "region")


class Place(NamedTuple):
    """A folder, or a part of a bucket.

    Attributes:
        folder: its absolute path; None for a bucket.
        bucket: its name; None for a folder.
        prefix: what names in the bucket begin with; empty, or with a slash at its end.
        endpoint: URL of the store; None for that of the region.
        region: None for what the environment says.
    """

    folder: str | None
    bucket: str | None = None
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None

    @property
    def shown(self) -> str:
        """The place in words; it holds no secret."""
        return self.folder or f"s3://{self.bucket}/{self.prefix}"


def parse(text: str) -> Place:
    """Read a place.

    Raises:
        ValueError: it is none; the message never repeats it, since it may hold a password.
    """
    if os.path.isabs(text) and "\0" not in text:
        return Place(os.path.normpath(text))
    # Only where there is a bucket: every verb reads the settings.
    from urllib.parse import parse_qsl

    parts = _parts(text)
    if parts.scheme != "s3":
        raise ValueError("neither an absolute path nor a URL that begins with s3://")
    if parts.fragment or not _BUCKET.fullmatch(parts.netloc):
        # Also where somebody put credentials before the bucket.
        raise ValueError("no bucket's name follows s3://, or more than that")
    prefix = parts.path.strip("/")
    if prefix and not _PREFIX.fullmatch(prefix) or ".." in prefix.split("/"):
        raise ValueError("the prefix is not of letters, digits, dots, dashes, underscores, slashes")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - set(_OPTIONS))
    if unknown:
        raise ValueError(f"its options are {' and '.join(_OPTIONS)} alone")
    endpoint = options.get("endpoint")
    if endpoint is not None and not _is_endpoint(endpoint):
        raise ValueError("the endpoint is no URL like https://host:port")
    prefix = f"{prefix}/" if prefix else ""
    return Place(None, parts.netloc, prefix, endpoint, options.get("region"))


def _parts(text: str):
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        # It is checked only when somebody asks for it.
        _ = parts.port
        return parts
    except ValueError:
        raise ValueError("no URL") from None


def _is_endpoint(text: str) -> bool:
    parts = _parts(text)
    plain = parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain
