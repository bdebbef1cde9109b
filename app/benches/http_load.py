"""Requests as fast as a server answers, or at a rate: raw sockets in one thread.

One process with a selector, which does no more for a request than to send prepared
bytes and to find the end of the answer: some hundredths of a millisecond. ``ceiling``
measures what it reaches against a peer that does nothing.
"""

import contextlib
import multiprocessing
import selectors
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

Address = tuple[str, int]
_PATIENCE = 10


class Load(NamedTuple):
    """What a load came to.

    Attributes:
        rate: answers a second.
        p99: of the times to an answer, in seconds.
        failed: requests without a whole answer, or with another status than 200.
        done: answers.
    """

    rate: float
    p99: float
    failed: int
    done: int


def request(path: str, keep_alive: bool = True) -> bytes:
    """The bytes of a GET."""
    close = "" if keep_alive else "Connection: close\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{close}\r\n".encode()


class _Client:
    """One connection, with at most one request on its way."""

    def __init__(self, address: Address):
        self._address = address
        self.socket: socket.socket | None = None
        self._got = b""
        self.began = 0.0

    def send(self, sent: bytes, began: float, selector: selectors.BaseSelector) -> None:
        """Send a request, on a new connection where there is none."""
        if self.socket is None:
            self.socket = socket.create_connection(self._address, timeout=_PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(self.socket, selectors.EVENT_READ, self)
        self._got, self.began = b"", began
        self.socket.sendall(sent)

    def receive(self) -> bytes | None:
        """The whole answer; None as long as it is not there.

        Raises:
            ConnectionError: the connection ended before.
        """
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionResetError("no whole answer")
        self._got += piece
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return None
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        return self._got if len(body) >= int(length) else None

    def close(self, selector: selectors.BaseSelector) -> None:
        """End the connection."""
        if self.socket is not None:
            selector.unregister(self.socket)
            self.socket.close()
            self.socket = None


def run(
    address: Address,
    sent: bytes,
    clients: int,
    seconds: float,
    rate: float | None = None,
    until: threading.Event | None = None,
) -> Load:
    """Load a server.

    Args:
        sent: the bytes of each request.
        clients: connections; each has one request on its way at most.
        seconds: for how long.
        rate: requests a second, each timed from the moment at which it was due; None: a
            client sends its next one as soon as it has its answer.
        until: ends it earlier; a client then stops at its first failure.
    """
    return _Run(address, sent, clients, rate, until).measure(seconds)


class _Run:
    def __init__(self, address, sent, clients, rate, until):
        self._sent, self._rate, self._until = sent, rate, until
        self._selector = selectors.DefaultSelector()
        self._free = deque(_Client(address) for _ in range(clients))
        self._latencies: list[float] = []
        self._failed = 0

    def measure(self, seconds: float) -> Load:
        began = time.monotonic()
        self._due, end = began, began + seconds
        while (now := time.monotonic()) < end and self._goes_on():
            self._send(now)
            wait = end - now if self._rate is None else max(0.0, self._due - now)
            for key, _ in self._selector.select(min(wait, 0.1)):
                self._receive(key.data)
        took = time.monotonic() - began
        for key in list(self._selector.get_map().values()):
            key.data.close(self._selector)
        self._selector.close()
        done = sorted(self._latencies)
        p99 = done[int(len(done) * 0.99)] if done else float("inf")
        return Load(len(done) / took, p99, self._failed, len(done))

    def _goes_on(self) -> bool:
        return self._until is None or not self._until.is_set()

    def _send(self, now: float) -> None:
        while self._free and (self._rate is None or self._due <= now):
            client = self._free.popleft()
            try:
                client.send(self._sent, self._due if self._rate else now, self._selector)
            except ConnectionRefusedError:
                # Nobody listens: the request was not begun, and this client is done.
                client.close(self._selector)
            except OSError:
                self._lost(client)
            if self._rate:
                self._due += 1 / self._rate

    def _receive(self, client: _Client) -> None:
        try:
            answer = client.receive()
        except OSError:
            self._lost(client)
            return
        if answer is None:
            return
        self._latencies.append(time.monotonic() - client.began)
        self._failed += not answer.startswith(b"HTTP/1.1 200")
        if b"\r\nconnection: close" in answer[:400].lower():
            client.close(self._selector)
        self._free.append(client)

    def _lost(self, client: _Client) -> None:
        self._failed += 1
        client.close(self._selector)
        if self._until is None:
            self._free.append(client)


def health(address: Address, limit: float = 3.0) -> float:
    """Seconds until /health was answered; the limit if it was not."""
    began = time.monotonic()
    try:
        with socket.create_connection(address, timeout=limit) as connection:
            connection.sendall(request("/health", keep_alive=False))
            if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                return time.monotonic() - began
    except OSError:
        pass
    return limit


@contextlib.contextmanager
def held(address: Address, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which something was sent and nothing follows."""
    with contextlib.ExitStack() as opened:
        found = []
        for _ in range(count):
            connection = opened.enter_context(socket.create_connection(address, timeout=_PATIENCE))
            connection.sendall(sent)
            found.append(connection)
        yield found


@contextlib.contextmanager
def trickling(address: Address, count: int) -> Iterator[None]:
    """Connections that each send one byte a second of a header that does not end."""
    over = threading.Event()

    def trickle(connections):
        while True:
            for connection in connections:
                if over.wait(1 / count):
                    return
                with contextlib.suppress(OSError):
                    connection.send(b"a")

    with held(address, b"GET / HTTP/1.1\r\nX-Slow: ", count) as connections:
        thread = threading.Thread(target=trickle, args=(connections,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def ceiling(seconds: float, clients: int) -> float:
    """Answers a second of a peer that sends the same bytes whatever it gets, one core each."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    peer = context.Process(target=_answer_anything, args=(theirs,), daemon=True)
    peer.start()
    address = ours.recv()
    loads = [run(address, request("/"), clients, seconds) for _ in range(3)]
    if any(load.failed for load in loads):
        raise RuntimeError("the peer of the client's own measurement failed")
    peer.terminate()
    peer.join()
    return statistics.median(load.rate for load in loads)


def _answer_anything(pipe) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname())
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\nContent-Type: application/json\r\n\r\n"
    answer += b'{"status":"Bonjour tout le monde !"}\n'
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                if key.fileobj.recv(65536):
                    key.fileobj.send(answer)
                    continue
            except ConnectionError:
                # Closed with an answer on its way, as a slice ends.
                pass
            selector.unregister(key.fileobj)
            key.fileobj.close()
