"""PostgreSQL with a synchronous standby on the same disk, to measure a journaled write beside.

Both promise the same: what was acknowledged is on the disk of two. It runs below a folder
of its own, without a port, as an unprivileged user where this one is root, which it refuses.
"""

import contextlib
import functools
import glob
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

from benches.in_pods import SECONDS

_PROGRAMS = ("initdb", "pg_ctl", "pg_basebackup", "psql", "pgbench")
#: How long each of them may take, the standby to catch up included, in seconds.
_LIMIT = 60
_INSERT = (
    "insert into events(ts, message)"
    " values('2026-01-01T00:00:00.000Z', 'a message of the usual length');\n"
)


class Missing(Exception):
    """PostgreSQL cannot be measured here; says why."""


class Cluster(NamedTuple):
    """A primary and its standby, which run.

    Attributes:
        folder: with their data and sockets.
        programs: the paths of PostgreSQL's programs, by name.
        user: as whom they run; None where that is this user.
    """

    folder: str
    programs: dict[str, str]
    user: str | None

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the programs to its end; returns what it wrote.

        Raises:
            RuntimeError: it failed.
        """
        return self.run_plain(self.programs[program], *arguments)

    def run_plain(self, program: str, *arguments: str) -> str:
        """As ``run``, any program."""
        # Not to a pipe: a server that pg_ctl starts would keep that open.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                [program, *arguments],
                check=False,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "PGUSER": "postgres", "LC_ALL": "C"},
                timeout=_LIMIT,
                user=self.user,
                group=self.user and _group(self.user),
                extra_groups=[] if self.user else None,
            )
            out.seek(0)
            said = out.read()
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)} failed: {said}")
        return said

    def sql(self, text: str) -> str:
        """Run a statement on the primary; returns its rows."""
        return self.run("psql", *self._primary(), "-qAtc", text, "postgres").strip()

    def inserts(self, clients: int, statement: str = _INSERT) -> list[float]:
        """The latencies of inserts, each its own transaction, in one run of SECONDS."""
        logs, script = f"{self.folder}/latencies", f"{self.folder}/insert.sql"
        with open(script, "w") as file:
            file.write(statement)
        how = ("-n", "-M", "prepared", "-f", script, "-l")
        much = ("-c", str(clients), "-j", "1", "-T", str(SECONDS), f"--log-prefix={logs}")
        self.run("pgbench", *self._primary(), *how, *much, "postgres")
        found = []
        for path in glob.glob(f"{logs}.*"):
            with open(path) as lines:
                # Client, number, latency in microseconds, and more.
                found += [int(line.split()[2]) / 1e6 for line in lines]
            os.remove(path)
        return found

    def _primary(self) -> tuple[str, ...]:
        return "-h", self.folder, "-p", _PORTS["primary"]


#: Of the sockets' names; nothing listens on a port.
_PORTS = {"primary": "5432", "standby": "5433"}


@contextlib.contextmanager
def running(beside: str, standby: bool = True) -> Iterator[Cluster]:
    """Start both next to a folder, on the same disk; nothing of them is left afterwards.

    Args:
        standby: or the primary alone, without one.

    Raises:
        Missing: PostgreSQL is not installed, or cannot be run by an unprivileged user here.
    """
    programs, user = _programs(), _user()
    # Short: the name of a socket is limited.
    folder = tempfile.mkdtemp(prefix="pra-pg-", dir=os.path.dirname(beside))
    cluster = Cluster(folder, programs, user)
    try:
        if user:
            shutil.chown(folder, user, _group(user))
        _start(cluster, standby)
        yield cluster
    finally:
        for name in ("standby", "primary"):
            with contextlib.suppress(RuntimeError):
                cluster.run("pg_ctl", "-D", f"{folder}/{name}", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _start(cluster: Cluster, standby: bool) -> None:
    primary = f"{cluster.folder}/primary"
    cluster.run("initdb", "-D", primary, "-A", "trust", "-U", "postgres", "-E", "UTF8")
    _serve(cluster, "primary")
    if standby:
        _replicate(cluster)
    cluster.sql(
        "create table events(id bigserial primary key, ts text not null, message text not null)"
    )


def _replicate(cluster: Cluster) -> None:
    """Give the primary a standby that has to confirm each commit."""
    copy = ("-D", f"{cluster.folder}/standby", "-R", "-c", "fast")
    cluster.run("pg_basebackup", *cluster._primary(), *copy)
    _serve(cluster, "standby")
    cluster.sql("alter system set synchronous_standby_names = '*'")
    cluster.sql("select pg_reload_conf()")
    end = time.monotonic() + _LIMIT
    while cluster.sql("select sync_state from pg_stat_replication") != "sync":
        if time.monotonic() > end:
            raise RuntimeError("the standby does not become a synchronous one")
        time.sleep(0.05)


def _serve(cluster: Cluster, name: str) -> None:
    data = f"{cluster.folder}/{name}"
    options = f"-p {_PORTS[name]} -k {cluster.folder} -c listen_addresses=''"
    cluster.run("pg_ctl", "-D", data, "-l", f"{data}.log", "-w", "-o", options, "start")


def _programs() -> dict[str, str]:
    # Debian keeps those of a server out of the path.
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *folders])
    found = {name: shutil.which(name, path=path) for name in _PROGRAMS}
    absent = [name for name, where in found.items() if where is None]
    if absent:
        raise Missing(f"{absent[0]} is not installed")
    return found


def _user() -> str | None:
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            _group(name)
            return name
    raise Missing("this user is root, and there is no user postgres or nobody")


@functools.cache
def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
