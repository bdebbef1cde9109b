"""Serving the application: one process, one event loop, a fixed number of threads.

The server is granian, embedded. docs/decisions/http-server.md says why.
"""

import asyncio
import logging
import os
import resource
import socket
import sys
from typing import NamedTuple, NoReturn

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from pra.base.settings import Settings
from pra.events import choice
from pra.events.interface import Events
from pra.web import listening, metrics
from pra.web.counting import Requests
from pra.web.gateway import ALIVE, Gateway
from pra.web.signals import Signals
from pra.web.stopping import Stopping, announced

#: How long requests may take to end once no new ones are accepted, in seconds.
GRACE = 7.0
#: How long answers close connections before no new ones are accepted, in seconds, where
#: clients were sent answers in as long as RECENT before: one that finds its connection
#: closed at the moment of its next request would have to send it again.
LINGER, RECENT = 0.1, 1.0
#: How long the last answers have to leave once nothing is under way, in seconds: a
#: connection with half a header, or one whose client reads nothing, never ends by itself.
FLUSH = 0.25
#: How long a connection may take to send the header of its next request, in
#: milliseconds: also how long one may stay open without any.
HEADER_MS = 30_000
#: Longest header, request line included, in bytes. The longest message, percent-encoded,
#: fits twice: what is too long then gets an answer that says so in JSON.
MAX_HEADER = 32 << 10
#: Connections at most. More wait, unaccepted, until one of these ends.
MAX_CONNECTIONS = 2048
#: Connections that the system accepts before the server has.
BACKLOG = 1024
#: Connections at most, and their time for a header, where nobody but probes asks.
PROBE_CONNECTIONS, PROBE_HEADER_MS = 64, 5_000
#: Files that are open besides connections of clients.
_OTHER_FILES = 256 + PROBE_CONNECTIONS
_log = logging.getLogger("pra")


def _connections() -> int:
    """How many connections there may be; raises the limit of open files as far as needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, soft - _OTHER_FILES)
    return MAX_CONNECTIONS


def _server(target, reserved: socket.socket, connections: int, header_ms: int) -> Server:
    host, port = reserved.getsockname()[:2]
    return Server(
        target,
        host,
        port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=header_ms, max_buffer_size=MAX_HEADER),
        websockets=False,
        backlog=BACKLOG,
        # It counts connections, not requests.
        backpressure=connections,
        # It warns at each start that embedding is experimental. Its errors are said by
        # the log of the application.
        log_level=LogLevels.error,
        log_dictconfig={"loggers": {"_granian": {"propagate": True}}},
    )


async def _listens(reserved: socket.socket, serving: asyncio.Task) -> bool:
    """Wait until somebody listens where the port was reserved; False if serving ended first."""
    loop = asyncio.get_running_loop()
    while not serving.done():
        await asyncio.sleep(0)
        with socket.socket(reserved.family, socket.SOCK_STREAM) as visitor:
            visitor.setblocking(False)
            try:
                await loop.sock_connect(visitor, listening.reach(reserved))
                return True
            except ConnectionRefusedError:
                await asyncio.sleep(0.001)
    return False


class _Served(NamedTuple):
    """A port that is listened on until the server is stopped, which ends ``serving``."""

    server: Server
    serving: asyncio.Task


async def _clients(gateway: Gateway, settings: Settings) -> _Served:
    """Answer clients from now on."""
    with listening.reserve(settings.host, settings.port) as reserved:
        return await _begun(
            _server(gateway, reserved, _connections(), HEADER_MS), reserved, "Listening at: %s"
        )


async def _probes(gateway: Gateway, settings: Settings) -> _Served:
    """Answer probes on a port of their own, whatever clients hold of the other one."""
    with listening.reserve(settings.host, settings.probe_port, "PRA_PROBE_PORT") as reserved:
        server = _server(gateway.probed, reserved, PROBE_CONNECTIONS, PROBE_HEADER_MS)
        return await _begun(server, reserved, "Probes are answered at: %s" + ALIVE)


async def _begun(server: Server, reserved: socket.socket, said: str) -> _Served:
    serving = asyncio.create_task(server.serve())
    if await _listens(reserved, serving):
        _log.info(said, listening.url(reserved))
    return _Served(server, serving)


async def _brought_back(events: Events, stop: asyncio.Task) -> None:
    """Wait until events that are lost are back, or are not to come back without anybody.

    Whoever asks to stop meanwhile is obeyed at once: what is under way can be ended anywhere.
    """
    if not events.lost():
        return
    work = asyncio.create_task(asyncio.to_thread(events.bring_back))
    await asyncio.wait((stop, work), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        _leave(0)
    work.result()


async def _serve(
    gateway: Gateway, events: Events, stopping: Stopping, settings: Settings, signals: Signals
) -> None:
    """Serve until asked to stop, and leave; with 1 if the server ended by itself."""
    asked = signals.asked_of(asyncio.get_running_loop())
    served = [await _probes(gateway, settings)] if settings.probe_port is not None else []
    stop = asyncio.create_task(asked.next())
    await _brought_back(events, stop)
    served.append(await _clients(gateway, settings))
    await asyncio.wait(
        (stop, *(one.serving for one in served)), return_when=asyncio.FIRST_COMPLETED
    )
    for one in served:
        if one.serving.done():
            _log.critical("the server ended by itself", exc_info=one.serving.exception())
            _leave(1)
    # Until the end of what was announced, requests still come; answers send the next elsewhere.
    stopping.begun = True
    lingering = LINGER if gateway.idle_for() < RECENT else 0.0
    await asked.within(max(announced(), lingering))
    for one in served:
        one.server.stop()
    ended = asyncio.create_task(asyncio.wait([one.serving for one in served]))
    quiet = asyncio.create_task(gateway.quiet_for(FLUSH))
    cut_short = asyncio.create_task(asked.within(GRACE))
    await asyncio.wait((ended, quiet, cut_short), return_when=asyncio.FIRST_COMPLETED)
    if gateway.under_way:
        _log.warning("stopped before %d requests had an answer", gateway.under_way)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End at once.

    Taking the interpreter apart takes tens of milliseconds, which every restart would add
    to the RTO, and waits for threads that clients hold. Nothing here needs a good-bye.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(settings: Settings) -> int:
    """Serve until asked to stop; ends the process.

    Raises:
        PraError: nothing can be served.
    """
    signals = Signals()
    from pra.web import routes

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopping = Stopping()
    events = choice.ready_to_serve(settings)
    requests = Requests() if settings.metrics else None
    gateway = Gateway(
        routes.create_app(events, requests),
        settings.threads,
        routes.MAX_BODY,
        stopping,
        routes.tasks(events),
        apart=(metrics.PATH,) if requests else (),
        counts=requests,
    )
    uvloop.run(_serve(gateway, events, stopping, settings, signals))
    return 0
