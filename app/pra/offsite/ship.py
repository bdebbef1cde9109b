"""Copying what is new all the time, until asked to stop."""

import signal
import sys
import threading
import time
from collections.abc import Callable

from pra.base import clock
from pra.base.errors import PraError, from_os_error
from pra.base.settings import Settings
from pra.offsite import crypt, push, shipping, stores
from pra.offsite.past import AnotherPast
from pra.offsite.push import Pusher


def until_stopped(settings: Settings) -> None:
    """Copy until SIGTERM or SIGINT; a step that is under way comes to its end.

    Raises:
        UsageError: the settings name no place, or nobody to encrypt for.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    Shipper(settings).run(stopped.wait)


#: How often to look whether somebody has restored the copies, in seconds.
_PROOFS = 60


class Shipper:
    """Copies one backup volume, again and again.

    What fails is said, once for each reason, and tried again at the next turn: nothing that is
    there is lost by that, and the lag that /status tells of grows.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._recipients = crypt.recipients(settings)
        stores.refuse_none(settings)
        self._pusher: Pusher | None = None
        self._point_at: float | None = None
        self._looked_at: float | None = None
        self._proofs_at: float | None = None
        self._said: str | None = None
        self._unlocked: str | None = None

    def run(self, wait: Callable[[float], bool]) -> None:
        """Copy, wait, copy.

        Args:
            wait: waits so many seconds; whether it was asked to stop.
        """
        while True:
            self.turn()
            if wait(self._settings.offsite_seconds):
                return

    def turn(self) -> None:
        """Copy what is new, and note how far the copies go."""
        began = clock.now()
        try:
            self._step(began)
        except (PraError, OSError) as error:
            # What was sent without an answer may be there: it looks again. Not where it has seen
            # all, and that is of another past: looking again would find the same.
            if not isinstance(error, AnotherPast):
                self._pusher = None
            known = error if isinstance(error, PraError) else from_os_error("copying", error)
            shipping.note_failure(self._settings, known)
            self._say(str(known), known.next_step)

    def _step(self, began: float) -> None:
        now, every = time.monotonic(), self._settings.offsite_point_seconds
        due = self._point_at is None or now - self._point_at >= every
        if self._looked_at is not None and now - self._looked_at >= every:
            # So often it also looks whether all that it sent is there still.
            self._pusher = None
        begun = self._pusher is None
        if begun:
            self._pusher, self._looked_at = self._begun(), now
            self._proofs_at = now
        elif now - self._proofs_at >= _PROOFS:
            self._pusher.look_for_proofs()
            self._proofs_at = now
        history = self._pusher.key.history
        result = self._pusher.step(
            due=due or self._settings.journal == "off",
            reached=shipping.reached(self._settings, history),
        )
        if result.points:
            self._point_at = now
        if begun:
            self._warn(next(iter(self._pusher.lock()), None))
        shipping.note(self._settings, history, began, result)
        faults = [*result.faults, *result.told()]
        for fault in faults[:1]:
            self._say(fault, "python -m pra offsite push says what else it left out")
        if not faults:
            self._say(None, "")

    def _begun(self) -> Pusher:
        where, store = self._settings.layout, stores.of(self._settings)
        begin = not shipping.copied_before(self._settings, push.key_of(where).history)
        return Pusher(where, store, self._recipients, begin)

    def _warn(self, unlocked: str | None) -> None:
        if unlocked != self._unlocked:
            self._unlocked = unlocked
            said = f"WARNING: {unlocked}" if unlocked else "the copies are locked now"
            print(f"pra: {said}", file=sys.stderr, flush=True)

    def _say(self, what: str | None, next_step: str) -> None:
        if what != self._said:
            self._said = what
            said = f"{what}\nnext: {next_step}" if what else "the copies elsewhere are whole again"
            print(f"pra: {said}", file=sys.stderr, flush=True)
