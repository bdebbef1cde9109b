"""Settings, read from the environment once and checked at once."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from pra.base import database_url, offsite_place
from pra.base.database_url import DatabaseUrl
from pra.base.errors import UsageError
from pra.base.layout import Layout
from pra.base.offsite_place import Place

#: From the most that is promised to the least.
JOURNAL_MODES = ("required", "best-effort", "off")
_URL = "PRA_DATABASE_URL"
#: What says where on volumes the events are and how they are kept there.
_OF_VOLUMES = (
    "PRA_DATA_DIR",
    "PRA_BACKUP_DIR",
    "PRA_JOURNAL",
    "PRA_DATA_MIB",
    "PRA_BACKUP_MIB",
    "PRA_AUTO_RESTORE",
)


class Settings(NamedTuple):
    """What the environment says.

    Attributes:
        database_url: the PostgreSQL that has the events, in place of the two volumes; None:
            the volumes have them.
        data_dir: absolute path of the volume with the database.
        backup_dir: absolute path of the volume with points and journal.
        data_mib, backup_mib: sizes that the volumes are held to, in MiB; 0: as
            large as their file systems.
        journal: one of JOURNAL_MODES; ``off`` where none is given, which ``mode`` replaces
            by the one that the volumes have.
        journal_given: the environment says which.
        threads: of the server, in which requests are answered.
        suspect_percent: a snapshot is quarantined in which this share of an earlier
            point's rows is gone or overwritten; 0 switches that off, an empty one stays suspect.
        suspect_rows: fewer rows than these are never too many.
        suspect_backups: how many verified points a snapshot is compared over.
        overdue_seconds: an age that no newest point reaches on schedule, in
            seconds; beyond it /status says so. 0: not judged.
        keep_last, keep_hours, keep_days, keep_weeks: how many points are kept
            of the newest, and one each of the last hours, days and weeks.
        keep_safety_hours: how long what a restore replaced is kept.
        keep_quarantined: how many suspect points are kept.
        keep_mib: what points and journal may fill, in MiB.
        host, port: where to listen.
        metrics: ``/metrics`` is answered, and what it tells is counted.
        probe_port: where ``/health`` is answered as well, apart from all clients; None: nowhere.
        restore_point: what ``restore`` takes when it is given no target.
        auto_restore: a server that starts on an empty data volume restores the latest moment
            by itself, where nothing about that is doubtful.
        restore_take_over: ``restore`` fills a volume without a mark also while a database
            of the backup volume is served from another.
        restore_force: ``restore`` also takes what is quarantined or has gaps.
        request: the name of what is asked for, the same for each attempt of a job: a
            restore is carried out once for each; None where it has none.
        offsite: where copies are kept elsewhere; None: nowhere.
        offsite_recipients: the public keys that they are encrypted for.
        offsite_credentials: a file with what the store asks for; None: the environment has it.
        offsite_seconds: how often what is new is copied there, while that goes on by itself.
        offsite_point_seconds: how often a point is, where the journal leads on from the last.
        offsite_proof_days: for how long nobody needs to prove that the copies open; 0: ever.
    """

    database_url: DatabaseUrl | None
    data_dir: str
    backup_dir: str
    data_mib: int
    backup_mib: int
    journal: str
    journal_given: bool
    threads: int
    suspect_percent: int
    suspect_rows: int
    suspect_backups: int
    overdue_seconds: int
    keep_last: int
    keep_hours: int
    keep_days: int
    keep_weeks: int
    keep_safety_hours: int
    keep_quarantined: int
    keep_mib: int
    host: str
    port: int
    metrics: bool
    probe_port: int | None
    restore_point: str
    auto_restore: bool
    restore_force: bool
    restore_take_over: bool
    request: str | None
    offsite: Place | None
    offsite_recipients: tuple[str, ...]
    offsite_credentials: str | None
    offsite_seconds: int
    offsite_point_seconds: int
    offsite_proof_days: int

    @property
    def layout(self) -> Layout:
        """What lies where on the two volumes."""
        sizes = ((mib << 20) or None for mib in (self.data_mib, self.backup_mib))
        return Layout(self.data_dir, self.backup_dir, *sizes)


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


def _name(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name, "")
    if re.fullmatch(r"[A-Za-z0-9._-]{0,128}", text):
        return text or None
    raise _bad(name, text, "at most 128 letters, digits, dots, dashes and underscores")


def _database_url(environ: Mapping[str, str]) -> DatabaseUrl | None:
    """Where PostgreSQL is; None where the volumes have the events."""
    if _URL not in environ:
        return None
    given = [name for name in _OF_VOLUMES if name in environ]
    if given:
        raise UsageError(
            "reading the settings",
            f"{_URL} says that PostgreSQL has the events, and {given[0]} that volumes do",
            f"leave {_URL} or {', '.join(given)} out",
        )
    try:
        return database_url.parse(environ[_URL])
    except ValueError as error:
        raise UsageError(
            "reading the settings",
            # Never the value: it has a password.
            f"{_URL} is no URL of PostgreSQL: {error}",
            f"correct {_URL}; it is like postgresql://user:password@host:5432/database",
        ) from None


def _offsite(environ: Mapping[str, str]) -> Place | None:
    text = environ.get("PRA_OFFSITE", "")
    try:
        return offsite_place.parse(text) if text else None
    except ValueError as error:
        raise UsageError(
            "reading the settings",
            # Never the value: somebody may have put a password into it.
            f"PRA_OFFSITE is no place for copies: {error}",
            "set it to an absolute path, or to s3://BUCKET/PREFIX?endpoint=https://HOST:PORT",
        ) from None


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
    backup_mib = _number(env, "PRA_BACKUP_MIB", 0, 0, 100_000_000)
    keep_mib = _number(env, "PRA_KEEP_MIB", 768, 1, 100_000_000)
    if 0 < backup_mib <= keep_mib:
        raise _bad("PRA_KEEP_MIB", str(keep_mib), f"less than PRA_BACKUP_MIB, {backup_mib}")
    return Settings(
        database_url=_database_url(env),
        data_dir=data,
        backup_dir=backup,
        data_mib=_number(env, "PRA_DATA_MIB", 0, 0, 100_000_000),
        backup_mib=backup_mib,
        journal=_choice(env, "PRA_JOURNAL", "off", JOURNAL_MODES),
        journal_given="PRA_JOURNAL" in env,
        threads=_number(env, "PRA_THREADS", 16, 1, 256),
        suspect_percent=_number(env, "PRA_SUSPECT_PERCENT", 50, 0, 100),
        suspect_rows=_number(env, "PRA_SUSPECT_ROWS", 5, 1, 1_000_000_000),
        suspect_backups=_number(env, "PRA_SUSPECT_BACKUPS", 10, 1, 1000),
        overdue_seconds=_number(env, "PRA_OVERDUE_SECONDS", 0, 0, 100_000_000),
        keep_last=_number(env, "PRA_KEEP_LAST", 60, 2, 100_000),
        keep_hours=_number(env, "PRA_KEEP_HOURS", 24, 0, 10_000),
        keep_days=_number(env, "PRA_KEEP_DAYS", 7, 0, 10_000),
        keep_weeks=_number(env, "PRA_KEEP_WEEKS", 4, 0, 10_000),
        keep_safety_hours=_number(env, "PRA_KEEP_SAFETY_HOURS", 24, 0, 100_000),
        keep_quarantined=_number(env, "PRA_KEEP_QUARANTINED", 5, 1, 1000),
        keep_mib=keep_mib,
        host=env.get("HOST", "0.0.0.0"),
        port=_number(env, "PORT", 8080, 0, 65535),
        metrics=_choice(env, "PRA_METRICS", "on", ("on", "off")) == "on",
        probe_port=_number(env, "PRA_PROBE_PORT", 0, 0, 65535) if "PRA_PROBE_PORT" in env else None,
        restore_point=env.get("PRA_RESTORE_POINT", "latest"),
        auto_restore=_choice(env, "PRA_AUTO_RESTORE", "off", ("latest", "off")) == "latest",
        restore_force=_choice(env, "PRA_RESTORE_FORCE", "no", ("yes", "no")) == "yes",
        restore_take_over=_choice(env, "PRA_RESTORE_TAKE_OVER", "no", ("yes", "no")) == "yes",
        request=_name(env, "PRA_REQUEST"),
        offsite=_offsite(env),
        offsite_recipients=tuple(
            filter(None, map(str.strip, re.split(r"[,\n]", env.get("PRA_OFFSITE_RECIPIENTS", ""))))
        ),
        offsite_credentials=env.get("PRA_OFFSITE_CREDENTIALS") or None,
        offsite_seconds=_number(env, "PRA_OFFSITE_SECONDS", 5, 1, 86_400),
        offsite_point_seconds=_number(env, "PRA_OFFSITE_POINT_SECONDS", 3600, 1, 100_000_000),
        offsite_proof_days=_number(env, "PRA_OFFSITE_PROOF_DAYS", 7, 0, 100_000),
    )
