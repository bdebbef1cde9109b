"""The figures that /metrics tells of the events, whichever database has them.

docs/metrics.md lists all of them, and a test compares the two.
"""

import functools
import hashlib
import platform
from importlib import resources

from pra.base.metrics import Metric, Told

PROTECTION_INFO = Metric(
    "pra_protection_info", "How the events are protected; always 1.", ("protection", "journal")
)
BUILD_INFO = Metric("pra_build_info", "What runs; always 1.", ("source", "python", "database"))
ROWS = Metric("pra_rows", "Events that there are.")
NEEDS_RESTORE = Metric("pra_needs_restore", "1: there is no database, a restore brings it back.")
UNPROTECTED = Metric(
    "pra_unprotected", "1: a write would be lost in a disaster, or is refused.", ("reason",)
)


def build(database: str) -> list[Told]:
    """What runs.

    Args:
        database: the version of what this process opens databases with.
    """
    return [Told(BUILD_INFO, {(source(), platform.python_version(), database): 1.0})]


@functools.cache
def source() -> str:
    """What tells this code from any other: the beginning of a SHA-256 over the package's files."""
    digest = hashlib.sha256()
    for path in sorted(_files(resources.files("pra"), "")):
        digest.update(path[0].encode() + b"\0" + hashlib.sha256(path[1].read_bytes()).digest())
    return digest.hexdigest()[:12]


def _files(folder, prefix: str):
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one, f"{prefix}{one.name}/")
        elif not one.name.endswith((".pyc", ".pyo")):
            yield f"{prefix}{one.name}", one
