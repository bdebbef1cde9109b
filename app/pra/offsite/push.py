"""Copying what is verified elsewhere: points, and the journal as far as it is on the disk.

Nothing is overwritten and nothing removed, so a push that was killed is finished by the next,
and two at once do the same work. The order is such that what is there leads, at any instant,
to a moment that was.
"""

from itertools import islice

from pra.base import clock, sealing
from pra.base.errors import Damaged, Refused, VolumeGone
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.journal import history
from pra.journal.history import Path, Start
from pra.lineage import marks
from pra.lineage.marks import Mark
from pra.offsite import crypt, journals, names, points, proofs, reach, readers, shipping, stores
from pra.offsite.index import Index
from pra.offsite.outbox import Outbox
from pra.offsite.shipping import Result
from pra.offsite.store import Store
from pra.pitr import targets
from pra.points import catalogue
from pra.points.catalogue import Point
from pra.state import branch

_DOING = "copying elsewhere"


def run(
    settings: Settings, every: bool = False, anew: bool = False, same_keys: bool = False
) -> dict:
    """Copy the newest verified point and the journal, as they are now.

    Args:
        every: copy each verified point that the volume has.
        anew: into copies of their own, beside all that were made of this volume before.
        same_keys: copies that do not say for whom they are were encrypted for the stated keys.

    Returns:
        {"status": "pushed" | "incomplete", "place", "history", "objects", "bytes", "points",
        "faults", "lock"}; "lock" says what is missing for copies that nobody can remove.

    Raises:
        PraError: the store cannot be used; what was copied before stays.
    """
    recipients = crypt.recipients(settings)
    store = stores.of(settings)
    if anew:
        branch.begin(settings.layout, _mark_of(settings.layout))
    begin = not shipping.copied_before(settings, key_of(settings.layout).history)
    pusher = Pusher(settings.layout, store, recipients, begin, same_keys)
    began = clock.now()
    result = pusher.step(every, reached=shipping.reached(settings, pusher.key.history))
    shipping.note(settings, pusher.key.history, began, result)
    faults = [*result.faults, *result.told()]
    return {
        "status": "incomplete" if faults else "pushed",
        "place": store.shown,
        "history": pusher.key.history,
        "objects": result.objects,
        "bytes": result.bytes,
        "points": result.points,
        "faults": faults,
        "lock": next(iter(pusher.lock()), None),
    }


def _mark_of(where: Layout) -> Mark:
    mark = marks.mark_of(where.backup)
    if mark is None:
        raise VolumeGone(
            _DOING,
            f"the backup volume has no mark ({where.backup})",
            "mount it, or set PRA_BACKUP_DIR; python -m pra serve begins anew on empty volumes",
        )
    return mark


def key_of(where: Layout) -> names.Key:
    """What the names of a volume's own copies are made with.

    Raises:
        VolumeGone, Damaged: the volume is not there, or does not say whose it is.
    """
    mark = _mark_of(where)
    return names.Key(mark.lineage, mark.identity, branch.read(where, mark))


class Pusher:
    """Copies one backup volume; remembers what is there between its steps.

    Attributes:
        key: what names are made with.
    """

    def __init__(
        self,
        where: Layout,
        store: Store,
        recipients: crypt.Recipients,
        begin: bool = True,
        same_keys: bool = False,
    ):
        """Look what is there.

        Args:
            begin: where there is nothing, begin; else that is refused: a disk that is not
                mounted, or a bucket that somebody emptied.
            same_keys: what does not say for whom it is was encrypted for these.

        Raises:
            PraError: the volume, or the store, is not as it has to be.
        """
        self._where, self.store = where, store
        self._mark, self.key = _mark_of(where), key_of(where)
        # Before anything is sent: some stores make a bucket that is not there. And what is refused
        # is looked at again every few seconds, so not all of it.
        there = self._is_there()
        if not begin:
            self._refuse_gone(there)
        self._there = Index(store, self.key.history)
        self._there.look(f"{names.READERS}/")
        readers.refuse_other(store.shown, self.key, self._there, recipients)
        if there and not same_keys:
            readers.refuse_unknown(store.shown, self.key, self._there)
        self._there.look("")
        self._out = Outbox(store, recipients, self.key.history, self._there)
        self._points = points.Sender(where, self.key, self._out)
        self._journal = journals.Sender(where, self.key, self._out, store.shown)
        self._base: Point | Start | None = None
        self._introduce(recipients)

    def step(self, every: bool = False, due: bool = True, reached: Start | None = None) -> Result:
        """Copy what is not there yet.

        Args:
            every: each verified point, not only the one from which the journal leads on.
            due: that one also where an earlier one serves.
            reached: where the copies ended before, if that is known.

        Raises:
            AnotherPast: the copies are not of what the volume has; nothing of it was sent.
            PraError: the store failed; what was copied before stays.
        """
        self._refuse_other_volume()
        self._refuse_gone(self._is_there())
        self._out.begin()
        told = self._journal.send()
        behind = bool(self._out.faults)
        path = self._live_path()
        # One of a timeline that began meanwhile waits until that is there.
        every_point = catalogue.scan(self._where)
        verified = [one for one in every_point if _is_whole(one, told)]
        if newer := points.newer_there(self._out, every_point):
            # Of what past the points here are is for a person to tell.
            self._out.faults.append(newer)
            verified = []
        there = self._send_points(path, verified, every, due)
        return Result(
            self._out.objects,
            self._out.bytes,
            [one.name for one in there if isinstance(one, Point)],
            self._out.faults,
            None if behind else self._base,
            reach.end(path, self._journal.known) if path else None,
            reach.gaps(path, reached, self._journal.known) if path and reached else [],
            proofs.newest(self._there, self.key),
            # A segment without a record can be replaced, and holds nothing.
            not every_point
            and all(one.last < one.segment.first for one in self._journal.known.values()),
        )

    def look_for_proofs(self) -> None:
        """Look anew whether somebody has restored the copies."""
        self._there.look(f"{names.PROOFS}/")

    def lock(self) -> list[str]:
        """Renew the lock of what is needed for longer; what is missing for one, as sentences.

        Parts that points share, records and what says whose copies these are may be as old as the
        lab, and their lock ends so long after they were sent.
        """
        if missing := self.store.lock():
            return [missing]
        folders = (names.READERS, names.RECORDS)
        found = [names.text_of(one) for folder in folders for one in self._there.within(folder)]
        needed = [names.ABOUT, *found, *self._points.needed]
        failed = self.store.renew([f"{self.key.history}/{name}" for name in needed])
        return [failed] if failed else []

    def _send_points(
        self, path: Path | None, verified: list[Point], every: bool, due: bool
    ) -> list[Point | Start]:
        """Send those that are wanted; returns those of them that are there."""
        # Those from which the journal could lead to the live timeline's end, the newest first.
        bases = targets.bases(path, verified, None) if path else []
        serves = self._base in bases and self._leads(path, self._base)
        if every:
            wanted = verified
        elif serves and not due:
            wanted = []
        else:
            leading = (one for one in bases if self._leads(path, one))
            wanted = list(islice(leading, 1)) or verified[:1]
        there = [one for one in wanted if isinstance(one, Start)]
        there += self._points.send([one for one in wanted if isinstance(one, Point)])
        based = next((one for one in bases if one in there and self._leads(path, one)), None)
        if based or not serves:
            self._base = based
        return there

    def _leads(self, path: Path, base: Point | Start) -> bool:
        """Whether what is there of the journal leads from a base to the end.

        The empty beginning is one while all of the journal since then is there.
        """
        start = targets.start_of(base) if isinstance(base, Point) else base
        return reach.leads(path, start, self._journal.known)

    def _refuse_other_volume(self) -> None:
        same = marks.mark_of(self._where.backup) == self._mark
        if not same or key_of(self._where).history != self.key.history:
            raise VolumeGone(
                _DOING,
                f"another volume is in the place of the one that was copied, or its copies were"
                f" begun anew ({self._where.backup})",
                "try again: each volume has copies of its own",
            )

    def _is_there(self) -> bool:
        about = f"{self.key.history}/{names.ABOUT}"
        return about in self.store.sizes(about)

    def _refuse_gone(self, there: bool) -> None:
        if not there:
            raise Refused(
                _DOING,
                f"the copies that were in {self.store.shown} are gone",
                "mount the disk if it is one; where they are lost, python -m pra offsite"
                " push --anew begins others",
            )

    def _live_path(self) -> Path | None:
        try:
            return history.live_path(self._where)
        except Damaged:
            return None

    def _introduce(self, recipients: crypt.Recipients) -> None:
        """Say whose copies these are, and for whom; and find out a store that overwrites."""
        readers.note(self.store, self.key, self._there, recipients)
        whose = {"lineage": self._mark.lineage, "id": self._mark.identity}
        if own := branch.read(self._where, self._mark):
            whose["branch"] = own
        content = sealing.seal({"kind": "pra-offsite", "format": 1, **whose})
        name = f"{self.key.history}/{names.ABOUT}"
        sealed = recipients.encrypt(content)
        if self._there.size(names.ABOUT) is None:
            self.store.put(name, sealed)
        if self.store.put(name, sealed):
            raise Refused(
                _DOING,
                f"{self.store.shown} wrote over an object although it was asked not to",
                "use a store that honours conditional PUTs (If-None-Match: *)",
            )


def _is_whole(point: Point, told: set[int]) -> bool:
    """Whether a point is verified, and of one of these timelines."""
    place = (point.manifest or {}).get("position")
    return point.status == "verified" and (place is None or place["timeline"] in told)
