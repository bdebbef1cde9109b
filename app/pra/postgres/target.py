"""Where to connect, with a limit on everything that can take forever."""

import ipaddress
import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pra.base.database_url import DatabaseUrl
from pra.base.errors import UsageError
from pra.postgres.addresses import Addresses

#: How long a connection may take in all, in seconds; libpq itself knows no less than two.
CONNECT = 1.0
#: How long a statement may take, its wait for a standby included, and how long it may wait for
#: another transaction: what the server ends itself, in milliseconds.
STATEMENT_MS, LOCK_MS = 3000, 1000
#: What no setting of a role, a database or a URL may weaken, as PostgreSQL shows it. ``on``: the
#: disk of a standby has it too. More (``remote_apply``) would let standbys be read, which
#: nobody does.
HELD = {
    "synchronous_commit": "on",
    # That a COMMIT did not wait for its standby is said by a warning alone.
    "client_min_messages": "warning",
    "statement_timeout": f"{STATEMENT_MS // 1000}s",
    "lock_timeout": f"{LOCK_MS // 1000}s",
    "idle_in_transaction_session_timeout": f"{STATEMENT_MS // 1000}s",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "timezone": "UTC",
}
#: Of the system, in the background: what was sent is not confirmed for so long (milliseconds),
#: and an idle connection is silent for so many seconds, asked again so many times.
_TCP = {
    "tcp_user_timeout": "2000",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "2",
}
#: What a URL may say otherwise.
_DEFAULTS = {
    "application_name": "pra",
    # Else each connection would first ask for Kerberos.
    "gssencmode": "disable",
}
#: What it may not: the application holds to it.
_FIXED = {
    "target_session_attrs": "read-write",
    "connect_timeout": "2",
    "client_encoding": "UTF8",
    **_TCP,
}
#: Nor these: a file may say another password and place, and a walsender takes no transactions.
_NEVER = ("service", "servicefile", "replication", "dbname")
#: A setting in ``options``, as the server reads it.
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z0-9_.-]+)\s*=")


class Target:
    """What libpq is told.

    Attributes:
        shown: where that is, without the password.
    """

    def __init__(self, url: DatabaseUrl):
        """Raises:
        UsageError: libpq does not understand it.
        """
        self._url, self.shown = url, url.shown
        self._given = {**_DEFAULTS, **_understood(url), **_FIXED}
        self._addresses = Addresses()

    def ways(self) -> list[dict[str, str]]:
        """For a connection now: one for each address of each server.

        Raises:
            OSError: nobody knows the name of any.
        """
        hosts, addresses, ports = (
            self._given.get(name, "").split(",") for name in ("host", "hostaddr", "port")
        )
        found, unknown = [], None
        for number in range(max(len(hosts), len(addresses))):
            host, address, port = _nth(hosts, number), _nth(addresses, number), _nth(ports, number)
            one = {**self._given, "host": host, "port": port}
            try:
                each = [address] if address or not _is_name(host) else self._resolved(host, port)
            except OSError as error:
                unknown = error
                continue
            # The name stays: TLS may look at it.
            found += [{**one, "hostaddr": which} for which in each]
        if unknown and not found:
            raise unknown
        return [{name: value for name, value in one.items() if value} for one in found]

    def _resolved(self, host: str, port: str) -> list[str]:
        return self._addresses.of(host, int(port or 5432))

    def hide(self, said: str) -> str:
        """What somebody said, without the password."""
        return self._url.hide(said)


def _understood(url: DatabaseUrl) -> dict[str, str]:
    known = {one.keyword.decode() for one in psycopg.pq.Conninfo.get_defaults()}
    for number, (name, value) in enumerate(url.parameters, 1):
        if name not in known:
            # Not its name: it may be what follows an & in a password.
            raise _bad(f"its parameter {number} is none that libpq knows")
        if name in _NEVER or _FIXED.get(name, value) != value:
            raise _bad(f"it sets {name}, which the application sets itself, or cannot use")
        if name == "options":
            _refuse_held(value)
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url.reveal()).items()}
    except psycopg.Error:
        # Not what libpq says: that repeats the URL, or a part of it.
        raise _bad("libpq does not understand it") from None
    _insist_on_ports(given)
    return given


def _insist_on_ports(given: dict[str, str]) -> None:
    """Refuse ports that libpq would refuse later, with each connection."""
    ports = given.get("port", "").split(",")
    if not all(one == "" or _is_port(one) for one in ports):
        raise _bad("a port is a number from 1 to 65535")
    servers = given.get("hostaddr") or given.get("host", "")
    if len(ports) not in (1, len(servers.split(","))):
        raise _bad("there are more or fewer ports than hosts")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _refuse_held(options: str) -> None:
    for name in _OPTION.findall(options):
        if name.lower().replace("-", "_") in HELD:
            raise _bad(f"its options set {name}, which the application sets itself")


def _bad(why: str) -> UsageError:
    return UsageError(
        "reading PRA_DATABASE_URL",
        why,
        "correct PRA_DATABASE_URL; it is like postgresql://user:password@host:5432/database",
    )


def _nth(listed: list[str], number: int) -> str:
    """That of a list, where one that has a single entry says it for all."""
    return listed[number if len(listed) > 1 else 0]


def _is_name(host: str) -> bool:
    """Whether a host is a name to be resolved: no folder of sockets, no address."""
    if not host or host[0] in "/@":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
