"""PostgreSQL servers for tests: a primary, its standby, and a line to them that can be cut."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from benches import postgres
from benches.postgres import Cluster
from pra.base import settings
from pra.base.errors import PraError
from pra.events.postgres import PostgresEvents
from pra.postgres import migrations
from pra.postgres.target import Target

PASSWORD = "s3cret-of-app"
_HBA = """
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
max_connections = 40
wal_receiver_status_interval = 1
hot_standby = on
log_line_prefix = '%m %p '
"""


def free_port():
    """A port on which nobody listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """One server, on a port of its own."""

    def __init__(self, cluster: Cluster, name: str):
        self._cluster, self.name, self.port = cluster, name, free_port()
        self.data = f"{cluster.folder}/{name}"

    def start(self):
        options = f"-p {self.port}"
        log = f"{self.data}.log"
        self._cluster.run("pg_ctl", "-D", self.data, "-l", log, "-w", "-o", options, "start")

    def stop(self, mode="immediate"):
        with contextlib.suppress(RuntimeError):
            self._cluster.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def promote(self):
        self._cluster.run("pg_ctl", "-D", self.data, "-w", "promote")

    def processes(self):
        """All processes of it, the first one first."""
        # Its processes are no session of their own, and so have no number in common.
        first = int(pathlib.Path(f"{self.data}/postmaster.pid").read_text().split()[0])
        return [first, *_children(first)]

    def signal(self, number):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def kill(self):
        """End it as a node does that loses its power; what it had sent stays sent."""
        first = self.processes()[0]
        self.signal(signal.SIGKILL)
        end = time.monotonic() + 30
        while _runs(first):
            assert time.monotonic() < end
            time.sleep(0.01)

    @contextlib.contextmanager
    def frozen(self):
        """Everything of it stands still, and no connection is closed."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def sql(self, text, database="postgres"):
        """Run a statement as the administrator; returns its rows."""
        where = f"host={self._cluster.folder} port={self.port} user=postgres dbname={database}"
        with psycopg.connect(where, autocommit=True) as conn:
            cursor = conn.execute(text)
            return cursor.fetchall() if cursor.description else []

    def url(self, port=None, password=PASSWORD, database="app"):
        """Where the application finds it."""
        return f"postgresql://app:{password}@127.0.0.1:{port or self.port}/{database}"


def _children(parent):
    found = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in found]


def _runs(process):
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class Template:
    """A primary and a standby that were made once, to be copied for each test that breaks them."""

    def __init__(self):
        self.programs, self.user = postgres._programs(), postgres._user()
        self.folder = self._made()
        cluster = Cluster(self.folder, self.programs, self.user)
        primary = Server(cluster, "primary")
        cluster.run(
            "initdb", "-D", primary.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N"
        )
        self._write(f"{primary.data}/pg_hba.conf", _HBA)
        with open(f"{primary.data}/postgresql.conf", "a") as file:
            file.write(_SETTINGS.format(folder=self.folder))
        primary.start()
        primary.sql(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        primary.sql("GRANT pg_monitor TO app")
        primary.sql("CREATE DATABASE app OWNER app")
        copy = ("-h", self.folder, "-p", str(primary.port), "-U", "postgres")
        cluster.run("pg_basebackup", *copy, "-D", f"{self.folder}/standby", "-c", "fast")
        primary.stop("fast")

    def _made(self):
        # Short: the name of a socket is limited.
        folder = tempfile.mkdtemp(prefix="pra-pg-")
        if self.user:
            shutil.chown(folder, self.user, postgres._group(self.user))
        return folder

    def _write(self, path, text):
        pathlib.Path(path).write_text(text)
        if self.user:
            shutil.chown(path, self.user, postgres._group(self.user))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def pair(self, standby=True):
        """A primary and a synchronous standby, or a primary alone."""
        folder = self._made()
        cluster = Cluster(folder, self.programs, self.user)
        primary, other = Server(cluster, "primary"), Server(cluster, "standby")
        servers = [primary, other] if standby else [primary]
        try:
            for one in servers:
                cluster.run_plain("cp", "-a", f"{self.folder}/{one.name}", one.data)
                with open(f"{one.data}/postgresql.conf", "a") as file:
                    file.write(f"unix_socket_directories = '{folder}'\n")
            if standby:
                source = f"host={folder} port={primary.port} user=postgres application_name=b"
                with open(f"{other.data}/postgresql.conf", "a") as file:
                    file.write(f"primary_conninfo = '{source}'\n")
                self._write(f"{other.data}/standby.signal", "")
                with open(f"{primary.data}/postgresql.conf", "a") as file:
                    file.write("synchronous_standby_names = 'ANY 1 (b)'\n")
            for one in servers:
                one.start()
            if standby:
                wait_for(lambda: synchronous(primary))
            yield primary, other
        finally:
            for one in servers:
                with contextlib.suppress(OSError, AssertionError):
                    one.signal(signal.SIGCONT)
                one.stop()
            shutil.rmtree(folder, ignore_errors=True)


def synchronous(server):
    """Whether a standby confirms what a server commits."""
    return server.sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'quorum'") != []


def empty(server):
    """Leave nothing in the application's database, and nobody connected to it."""
    end_sessions(server)
    server.sql("DROP SCHEMA public CASCADE", "app")
    server.sql("CREATE SCHEMA public AUTHORIZATION app", "app")


def end_sessions(server):
    """End every connection of the application."""
    # Also one that is being opened meanwhile.
    every = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
    wait_for(lambda: not server.sql(every))


def together(*works):
    """Run works at the same moment; what each returns or raises, in their order."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        try:
            return work()
        except PraError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return [one.result(60) for one in [pool.submit(run, work) for work in works]]


def rows_of(server):
    """Number and message of all events."""
    return server.sql("SELECT id, message FROM events ORDER BY id", "app")


def config_of(server, port=None, **others):
    """The settings of an application whose events a server has."""
    return settings.load({"PRA_DATABASE_URL": server.url(port), **others})


def events_of(server, port=None, **others):
    """The events that a server has, with their tables."""
    migrations.run(Target(config_of(server).database_url))
    return PostgresEvents(config_of(server, port, **others))


def wait_for(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, holds
        time.sleep(0.02)


class Forwarder:
    """A port that leads to a server, as a service of a cluster does.

    Attributes:
        target: the port that new connections lead to.
        lost: ports of servers whose node is gone: nothing passes, and nothing is closed.
        refused: how many connections nobody answered behind it.
        spoil: what becomes of an answer of a server: what passes of it, and whether the
            connection ends after that.
    """

    def __init__(self, target):
        self.target, self.lost, self.spoil, self.refused = target, set(), None, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._lead(client, self.target)

    def _lead(self, client, target):
        try:
            server = socket.create_connection(("127.0.0.1", target))
        except OSError:
            self.refused += 1
            client.close()
            return
        self._open += [client, server]
        for one, other, answers in ((client, server, False), (server, client, True)):
            passing = threading.Thread(
                target=self._pass, args=(one, other, answers, target), daemon=True
            )
            passing.start()

    def _pass(self, one, other, answers, target):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if target in self.lost:
                    return
                end = False
                if answers and self.spoil:
                    data, end = self.spoil(data)
                other.sendall(data)
                if end:
                    break
        if target in self.lost:
            return
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Listen no more, and end what leads through it."""
        self._listening.close()
        for one in self._open:
            one.close()
