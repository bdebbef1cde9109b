"""Requests by route and status, and how long they took: counted by this process since its start.

The official client library counts under a lock, for each of a histogram's parts: with that
each write took longer than the aim allows. Here the event loop alone counts, which needs none; the
library is what tells the figures.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pra.base.errors import KINDS, PraError
from pra.base.metrics import Metric, Told

REQUESTS = Metric(
    "pra_http_requests_total", "Requests that were answered.", ("route", "method", "status"), True
)
REFUSALS = Metric(
    "pra_http_refusals_total", "Requests that the application refused.", ("route", "reason"), True
)
DURATION = Metric("pra_http_request_duration_seconds", "From header to answer.", ("route",))
#: Upper bounds of the histogram, in seconds: a disk's flush, and what a client gives up after.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Clients choose paths and methods: those that are none of ours share one word.
OTHER = "other"


class Timed(NamedTuple):
    """The durations of one route: how many were at most each bound, and their sum."""

    route: str
    buckets: list[tuple[str, float]]
    sum: float


class Requests:
    """Counts on the event loop, and tells in any thread."""

    def __init__(self):
        self._routes: dict[str, str] = {}
        self._answers: dict[tuple[str, str, int], int] = {}
        self._durations: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()

    def know(self, routes: Iterable[str]) -> None:
        """These are the routes that there are.

        Each has its refusals at 0 from the start: a series that began with the first of them would
        not have increased to whoever asks for that, and a burst would be nobody's alarm.
        """
        self._routes = {route: route for route in routes}
        with self._guard:
            for route in self._routes:
                for kind in KINDS:
                    self._refusals[route, kind] += 0

    def answered(self, path: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; on the event loop."""
        route = self._routes.get(path, OTHER)
        if method not in METHODS:
            method = OTHER
        answers, key = self._answers, (route, method, status)
        answers[key] = answers.get(key, 0) + 1
        durations = self._durations.get(route)
        if durations is None:
            self._seconds[route] = 0.0
            durations = self._durations[route] = [0] * (len(BOUNDS) + 1)
        durations[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def refused(self, path: str, error: PraError) -> None:
        """The application refused a request; in any thread, and seldom."""
        with self._guard:
            self._refusals[self._routes.get(path, OTHER), error.kind] += 1

    def told(self) -> list[Told]:
        """How many there were of each."""
        answers = {
            (route, method, str(status)): count
            for (route, method, status), count in self._answers.copy().items()
        }
        with self._guard:
            refusals = dict(self._refusals)
        return [Told(REQUESTS, answers), Told(REFUSALS, refusals)]

    def timed(self) -> Iterator[Timed]:
        """How long they took, by route."""
        for route, durations in self._durations.copy().items():
            below, buckets = 0, []
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), durations.copy(), strict=True):
                below += count
                buckets.append((bound, below))
            yield Timed(route, buckets, self._seconds[route])
