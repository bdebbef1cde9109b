"""A stop that was announced: how long it takes, and what answers say meanwhile."""

import math
import os
import stat
import tempfile
import time

#: The longest stop that can be announced, in seconds: whatever was left behind there, a
#: server ends.
LONGEST = 60.0


def _notice() -> str:
    return os.path.join(tempfile.gettempdir(), "stopping")


def announced() -> float:
    """Seconds until the end of the time that a stop was announced to take; else 0.

    The command before the stop (preStop in k8s/20-deployment.yaml) writes down
    how long new connections may still come, and then waits as long. Deleted by
    force, a pod gets its SIGTERM after one second of that.
    """
    try:
        # Nobody may write to a pipe of that name.
        with open(os.open(_notice(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return 0.0
            seconds = float(file.read(32))
    except (OSError, ValueError):
        return 0.0
    if not math.isfinite(seconds):
        return 0.0
    # A clock that was set back must not make it longer.
    passed = max(0.0, time.time() - about.st_mtime)
    return max(0.0, min(seconds, LONGEST) - passed)


class Stopping:
    """Whether clients should go elsewhere with their next request.

    Attributes:
        begun: the server was asked to stop.
    """

    def __init__(self):
        self._path = _notice()
        self.begun = False

    def send_elsewhere(self) -> bool:
        """Whether an answer closes its connection, so that the next request finds another pod.

        Asked at each answer, so that it holds from the moment of the announcement on.
        A notice that outlived its container announces nothing.
        """
        return self.begun or (os.access(self._path, os.F_OK) and announced() > 0)
