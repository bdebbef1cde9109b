"""The ways to a server whose name has several addresses: the first that answers is taken."""

import queue
import threading

import psycopg

#: How long a way is tried before the next one is tried as well, in seconds.
_NEXT = 0.25


def first(ways: list[dict[str, str]]) -> psycopg.Connection:
    """A connection on the first way that leads to a primary.

    An address that hangs is not waited for: libpq would, for two seconds each.

    Raises:
        psycopg.Error: none does; what the first way said.
    """
    if len(ways) == 1:
        return _connected(ways[0])
    race = _Race()
    for number, one in enumerate(ways):
        race.start(number, one)
        found = race.winner(number + 1, _NEXT)
        if found:
            return found
    found = race.winner(len(ways), None)
    if found:
        return found
    raise race.failed[min(race.failed)]


def _connected(way: dict[str, str]) -> psycopg.Connection:
    # Each statement of the application is one of a few.
    return psycopg.connect(**way, autocommit=True, prepare_threshold=0)


class _Race:
    """Attempts of which one is taken; those that come later are closed."""

    def __init__(self):
        self.failed: dict[int, psycopg.Error] = {}
        self._ended: queue.SimpleQueue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._over = False

    def start(self, number: int, way: dict[str, str]) -> None:
        threading.Thread(target=self._try, args=(number, way), daemon=True).start()

    def _try(self, number: int, way: dict[str, str]) -> None:
        try:
            found = _connected(way)
        except psycopg.Error as error:
            self._ended.put((number, error))
            return
        with self._lock:
            if not self._over:
                self._over = True
                self._ended.put((number, found))
                return
        found.close()

    def winner(self, started: int, seconds: float | None) -> psycopg.Connection | None:
        """Who arrived, after at most so many seconds; none where all that started failed."""
        while len(self.failed) < started:
            try:
                number, ended = self._ended.get(timeout=seconds)
            except queue.Empty:
                return None
            if isinstance(ended, psycopg.Connection):
                return ended
            self.failed[number] = ended
        return None
