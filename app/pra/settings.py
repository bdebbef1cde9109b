"""Settings, read from the environment once and checked at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pra.errors import UsageError

JOURNAL_MODES = ("required", "best-effort", "off")


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        data_dir: absolute path of the volume with the database.
        backup_dir: absolute path of the volume with points and journal.
        journal: one of JOURNAL_MODES.
        workers, threads: of gunicorn.
        shrink_percent: a snapshot with less than this share of the previous
            rows is quarantined; 0 switches that off, an empty one stays suspect.
        host, port: where to listen.
        restore_point: what ``restore`` takes when it is given no name.
    """

    data_dir: str
    backup_dir: str
    journal: str
    workers: int
    threads: int
    shrink_percent: int
    host: str
    port: int
    restore_point: str


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name, str(default))
    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    raise _bad(name, text, f"a whole number from {low} to {high}")


def _directory(environ: Mapping[str, str], name: str, default: str) -> str:
    text = environ.get(name, default)
    if not os.path.isabs(text) or "\0" in text:
        raise _bad(name, text, "an absolute path")
    return os.path.normpath(text)


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    text = environ.get(name, default)
    if text not in allowed:
        raise _bad(name, text, "one of " + ", ".join(allowed))
    return text


def _bad(name: str, value: str, allowed: str) -> UsageError:
    return UsageError(
        "reading the settings",
        f"{name} is {value!r}, allowed is {allowed}",
        f"correct {name} in k8s/05-config.yaml or in the environment",
    )


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        UsageError: a value is not allowed; names variable, value and what is.
    """
    env = os.environ if environ is None else environ
    data, backup = (
        _directory(env, "PRA_DATA_DIR", "/data"),
        _directory(env, "PRA_BACKUP_DIR", "/backup"),
    )
    if data == backup:
        raise _bad("PRA_BACKUP_DIR", backup, "another directory than PRA_DATA_DIR")
    return Settings(
        data_dir=data,
        backup_dir=backup,
        journal=_choice(env, "PRA_JOURNAL", "off", JOURNAL_MODES),
        workers=_number(env, "PRA_WORKERS", 2, 1, 64),
        threads=_number(env, "PRA_THREADS", 4, 1, 256),
        shrink_percent=_number(env, "PRA_SHRINK_PERCENT", 50, 0, 100),
        host=env.get("HOST", "0.0.0.0"),
        port=_number(env, "PORT", 8080, 0, 65535),
        restore_point=env.get("PRA_RESTORE_POINT", "latest"),
    )
