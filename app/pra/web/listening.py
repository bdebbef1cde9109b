"""A port to listen on, known and taken before the server binds it."""

import errno
import os
import socket

from pra.base.errors import UsageError

_DOING = "starting the server"


def reserve(host: str, port: int, setting: str = "PORT") -> socket.socket:
    """A socket bound to an address, on which nobody listens yet.

    The server binds by itself, in a way that lets any number of processes share a port:
    two servers would answer in turn, and a port that is chosen by the system would stay
    unknown. So the port is taken here, exclusively, and shared with whoever binds next.

    Args:
        host: a name or an address; empty: all of IPv4.
        port: 0: a free one.
        setting: what says which port, for who has to change it.

    Raises:
        UsageError: the address is not this machine's, or somebody listens there.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        reserved = _bound(family, address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise UsageError(
            _DOING,
            f"cannot listen on {host}:{port}: {error.strerror or os.strerror(error.errno or 0)}",
            f"end the program that uses this port, or set {setting} to another"
            if taken
            else f"set HOST to an address of this machine, and {setting} to one that is allowed",
        ) from None
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return reserved


def _bound(family: int, address: tuple) -> socket.socket:
    """A socket that has an address for itself, as far as sockets go that are bound alike."""
    try:
        return _bind(family, address, reusing=False)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    # Connections of a server that ended a moment ago are no reason to wait.
    return _bind(family, address, reusing=True)


def _bind(family: int, address: tuple, reusing: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reusing)
        bound.bind(address)
        # While nobody listens, all that reuse an address may share it. Linux before 6.8 does
        # not look at this again where the first one was bound with it: hence not at once.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, False)
    except OSError:
        bound.close()
        raise
    return bound


def reach(reserved: socket.socket) -> tuple[str, int]:
    """Where this machine reaches what listens on the address of a socket."""
    host, port = reserved.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def url(reserved: socket.socket) -> str:
    """The address of a socket, as a URL."""
    host, port = reserved.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
