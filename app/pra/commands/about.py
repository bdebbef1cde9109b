"""What the application runs on, for whoever compares what two runs measured."""

import os
import re
import sys

from pra.base.settings import Settings

_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")


def facts(config: Settings) -> dict[str, str]:
    """Versions, kernel and file systems, each as text; what cannot be known is left out."""
    system = os.uname()
    known = {
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "kernel": f"{system.sysname} {system.release} {system.machine}",
        **(_of_volumes(config) if config.database_url is None else _of_database(config)),
    }
    return {name: value for name, value in known.items() if value}


def _of_volumes(config: Settings) -> dict[str, str | None]:
    import apsw

    return {
        "apsw": apsw.apsw_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "file_system_data": file_system(config.layout.data),
        "file_system_backup": file_system(config.layout.backup),
    }


def _of_database(config: Settings) -> dict[str, str | None]:
    import psycopg

    from pra.events import choice

    return {
        "psycopg": psycopg.__version__,
        "libpq": str(psycopg.pq.version()),
        "database": config.database_url.shown,
        "postgresql": choice.of(config).status()["server_version"],
    }


def file_system(directory: str, mounts: str = _MOUNTS) -> str | None:
    """The type of the file system that holds a directory; None where the system does not list it.

    Args:
        mounts: a file in the format of /proc/self/mountinfo.
    """
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            listed = [_mount(line) for line in lines]
    except OSError:
        return None
    place = os.path.realpath(directory)
    holding = [(where, kind) for where, kind in listed if _holds(where, place)]
    # Of two mounts on the same place the later one hides the earlier.
    deepest = max(holding, key=lambda one: len(one[0]), default=None)
    same = [kind for where, kind in holding if deepest and where == deepest[0]]
    return same[-1] if same else None


def _mount(line: str) -> tuple[str, str]:
    """Where it is mounted, and the type, which follows a lone dash."""
    fields = line.split()
    where = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
    return where, fields[fields.index("-", 6) + 1]


def _holds(where: str, place: str) -> bool:
    return place == where or place.startswith(where.rstrip("/") + "/")
