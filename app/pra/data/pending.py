"""A write that a thread waits for while another one may carry it out."""

import threading
import time

from pra.base.errors import OutcomeUnknown, PraError
from pra.data.transaction import Work


class Pending:
    """One write, and the thread that waits for it.

    Until somebody tells what came of it, that is unknown.

    Attributes:
        doing, work: what is to be done.
    """

    def __init__(self, doing: str, work: Work, until: float):
        self.doing, self.work, self._until = doing, work, until
        self._awake: threading.Lock | None = None
        self._told = False
        self._result: object = None
        self._error: Exception | None = None

    def left(self) -> float:
        """How long it may still wait for its turn, in seconds."""
        return max(0.0, self._until - time.monotonic())

    def queue(self) -> None:
        """Get ready to wait; who leads from the beginning never does."""
        self._awake = threading.Lock()
        self._awake.acquire()

    def wait(self, seconds: float = -1) -> bool:
        """Wait until it is woken; False if that takes longer than so many seconds."""
        return self._awake.acquire(timeout=seconds)

    def wake(self) -> None:
        """Let its thread go on: it leads, or has its outcome."""
        self._awake.release()

    def finish(self, result: object, error: Exception | None) -> None:
        """Let this be its outcome."""
        self._result, self._error, self._told = result, error, True

    def fail(self, error: BaseException, doing: str) -> None:
        """Let an error be its outcome that all of a transaction share, who were ``doing`` this.

        What ends a thread, and what cannot be told to each by itself, leaves it unknown.
        """
        twin = _twin(error) if isinstance(error, Exception) else None
        if twin is None:
            self._told = False
            return
        if isinstance(twin, PraError) and twin.doing == doing:
            twin.doing = self.doing
            twin.args = (f"{self.doing}: {twin.happened}",)
        self.finish(None, twin)

    def outcome(self) -> object:
        """What its work returned; raises what went wrong.

        Raises:
            OutcomeUnknown: nobody told.
        """
        error, self._error = self._error, None
        if not self._told:
            raise OutcomeUnknown(
                self.doing,
                "the thread that was writing it, with others, ended before it told what came of it",
                "look before trying again: GET /consultation",
            )
        if error is None:
            return self._result
        try:
            raise error
        finally:
            # What was raised refers to this frame: the two would keep each other.
            del error


def _twin(error: Exception) -> Exception | None:
    """The same error once more: threads that raise the same one would write to it together.

    None where its kind cannot be made again, or would say something else.
    """
    try:
        # As pickle asks: an OSError keeps the names of files beside its arguments. Without
        # __init__, which may take others than those.
        kind, arguments, *_ = error.__reduce__()
        twin = kind.__new__(kind, *arguments)
        twin.__dict__.update(error.__dict__)
        twin.__cause__ = error.__cause__
        same = type(twin) is type(error) and str(twin) == str(error)
    except Exception:
        return None
    return twin if same else None
