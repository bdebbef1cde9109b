"""The addresses of servers, also while nobody resolves names.

The name service of a cluster may have been on the node that is lost: asking it then takes
seconds. The address of a Kubernetes service is the same before and after.
"""

import socket
import threading

#: How long a name service is waited for where an address is known, and where none is, in seconds.
KNOWN, UNKNOWN = 0.2, 5.0


class _Asked:
    """One question, asked in a thread of its own: it knows no limit."""

    def __init__(self, host: str, port: int):
        self.found: list[str] = []
        self.error: OSError | None = None
        self.answered = threading.Event()
        threading.Thread(target=self._ask, args=(host, port), daemon=True).start()

    def _ask(self, host: str, port: int) -> None:
        try:
            listed = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            # In the order in which they are to be tried, each once.
            self.found = list(dict.fromkeys(address[0] for *_, address in listed))
        except OSError as error:
            self.error = error
        except UnicodeError:
            # Before anybody is asked: of a name that cannot be written as one.
            self.error = OSError(0, "it is no name of a host")
        finally:
            self.answered.set()


class Addresses:
    """What names resolved to when they last did; one question at a time for each."""

    def __init__(self):
        self._lock = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._asking: dict[str, _Asked] = {}

    def of(self, host: str, port: int) -> list[str]:
        """The addresses of a host.

        Raises:
            OSError: it has none, or nobody answered, and none was ever known.
        """
        with self._lock:
            asked = self._asking.get(host)
            if asked and asked.answered.is_set():
                # Since the last one waited for it: what is true now, only a new question tells.
                self._note(host, asked)
                asked = None
            known = self._known.get(host)
            if asked is None:
                asked = self._asking[host] = _Asked(host, port)
        answered = asked.answered.wait(KNOWN if known else UNKNOWN)
        with self._lock:
            if answered and self._asking.get(host) is asked:
                self._note(host, asked)
        if asked.found:
            return asked.found
        if known:
            return known
        if asked.error:
            raise OSError(f"{host} has no address: {asked.error.strerror}")
        raise TimeoutError(f"no name service answered within {UNKNOWN:g} s for {host}")

    def _note(self, host: str, asked: _Asked) -> None:
        """Keep what a question was answered, unless that was nothing; holding the lock."""
        del self._asking[host]
        if asked.found:
            self._known[host] = asked.found
