"""Copying what is verified elsewhere: points, and the journal as far as it is on the disk.

Nothing is overwritten and nothing removed, so a push that was killed is finished by the next,
and two at once do the same work. The order is such that what is there leads, at any instant,
to a moment that was.
"""

from pra.base import clock, layout, sealing
from pra.base.errors import Damaged, Refused, VolumeGone
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.disk import look
from pra.journal import history, segments
from pra.journal.history import Start
from pra.journal.segments import Segment
from pra.lineage import marks, timelines
from pra.offsite import crypt, names, readable, shipping, stores
from pra.offsite.databases import Cut
from pra.offsite.names import Piece, PointName, Record
from pra.offsite.outbox import Outbox
from pra.offsite.shipping import Result
from pra.offsite.store import Store
from pra.pitr import targets
from pra.points import catalogue, manifest
from pra.points.catalogue import Point

_DOING = "copying elsewhere"


def run(settings: Settings, every: bool = False) -> dict:
    """Copy the newest verified point and the journal, as they are now.

    Args:
        every: copy each verified point that the volume has.

    Returns:
        {"status": "pushed" | "incomplete", "place", "history", "objects", "bytes", "points",
        "faults", "lock"}; "lock" says what is missing for copies that nobody can remove.

    Raises:
        PraError: the store cannot be used; what was copied before stays.
    """
    recipients = crypt.recipients(settings)
    pusher = Pusher(settings.layout, stores.of(settings), recipients)
    began = clock.now()
    result = pusher.step(every)
    shipping.note(settings, began, result)
    return {
        "status": "incomplete" if result.faults else "pushed",
        "place": pusher.store.shown,
        "history": pusher.key.history,
        "objects": result.objects,
        "bytes": result.bytes,
        "points": result.points,
        "faults": result.faults,
        "lock": pusher.store.lock(),
    }


class Pusher:
    """Copies one backup volume; remembers what is there between its steps.

    Attributes:
        key: what names are made with.
    """

    def __init__(
        self, where: Layout, store: Store, recipients: crypt.Recipients, begin: bool = True
    ):
        """Look what is there.

        Args:
            begin: where there is nothing, begin; else that is refused: a disk that is not
                mounted, or a bucket that somebody emptied.

        Raises:
            PraError: the volume, or the store, is not as it has to be.
        """
        self._where, self.store = where, store
        mark = marks.mark_of(where.backup)
        if mark is None:
            raise VolumeGone(
                _DOING,
                f"the backup volume has no mark ({where.backup})",
                "mount it, or set PRA_BACKUP_DIR; python -m pra serve begins anew on empty volumes",
            )
        self._mark = mark
        self.key = names.Key(mark.lineage, mark.identity)
        folder = f"{self.key.history}/"
        # Before anything is sent: some stores make a bucket that is not there.
        found = store.sizes(folder)
        there = {name[len(folder) :]: size for name, size in found.items()}
        self._out = Outbox(store, recipients, self.key.history, there)
        if not begin:
            self._refuse_gone(names.ABOUT in there)
        self._pieces: dict[tuple[int, int], list[Piece]] = {}
        for text, size in there.items():
            name = names.parse(text)
            # One that is cut off holds nothing; sending it again tells that it is.
            if isinstance(name, Piece) and size > name.end - name.start:
                self._pieces.setdefault((name.timeline, name.first), []).append(name)
        self._whole: set[Segment] = set()
        # Where the journal was begun anew: what was before leads no further.
        self._rebases: set[tuple[int, int]] = set()
        self._base: Point | Start | None = None
        self._introduce(recipients)

    def step(self, every: bool = False, due: bool = True) -> Result:
        """Copy what is not there yet.

        Args:
            every: each verified point, not only the one from which the journal leads on.
            due: that one also where an earlier one serves.

        Raises:
            PraError: the store failed; what was copied before stays.
        """
        if marks.mark_of(self._where.backup) != self._mark:
            raise VolumeGone(
                _DOING,
                f"another volume is in the place of the one that was copied ({self._where.backup})",
                "try again: each volume has copies of its own",
            )
        about = f"{self.key.history}/{names.ABOUT}"
        self._refuse_gone(about in self.store.sizes(about))
        self._out.begin()
        told = {number for number in timelines.numbers(self._where) if self._timeline(number)}
        behind = bool(self._out.faults)
        # One of a timeline that began meanwhile waits until that is there.
        verified = [one for one in catalogue.scan(self._where) if _is_whole(one, told)]
        bases = self._bases(verified)
        serves = self._base in bases
        wanted = verified if every else [] if serves and not due else (bases or verified)[:1]
        there = [one for one in wanted if isinstance(one, Start) or self._point(one)]
        based = [one for one in bases if one in there]
        if based or not serves:
            self._base = based[0] if based else None
        return Result(
            self._out.objects,
            self._out.bytes,
            [one.name for one in there if isinstance(one, Point)],
            self._out.faults,
            None if behind else self._base,
        )

    def _refuse_gone(self, there: bool) -> None:
        if not there:
            raise Refused(
                _DOING,
                f"the copies that were in {self.store.shown} are gone",
                "mount the disk if it is one; python -m pra offsite push begins anew",
            )

    def _bases(self, verified: list[Point]) -> list[Point | Start]:
        """Those from which the journal leads to the live timeline's end, the newest first.

        The empty beginning is one while all of the journal since then is there.
        """
        try:
            path = history.live_path(self._where)
        except Damaged:
            return []
        found = targets.bases(path, verified, None) if path else []
        last = max(self._rebases, default=(0, 0))
        return [one for one in found if _place(one) >= last and self._leads(one)]

    def _leads(self, base: Point | Start) -> bool:
        # Its segment may have been removed before anything was copied.
        return isinstance(base, Point) or (base.timeline, base.place.seq + 1) in self._pieces

    def _introduce(self, recipients: crypt.Recipients) -> None:
        """Say whose copies these are; and find out a store that overwrites."""
        whose = {"lineage": self._mark.lineage, "id": self._mark.identity}
        content = sealing.seal({"kind": "pra-offsite", "format": 1, **whose})
        name = f"{self.key.history}/{names.ABOUT}"
        sealed = recipients.encrypt(content)
        if names.ABOUT not in self._out.there:
            self.store.put(name, sealed)
        if self.store.put(name, sealed):
            raise Refused(
                _DOING,
                f"{self.store.shown} wrote over an object although it was asked not to",
                "use a store that honours conditional PUTs (If-None-Match: *)",
            )

    def _timeline(self, number: int) -> bool:
        """Copy the record of a timeline, then its journal; whether the record is there."""
        try:
            timeline = timelines.read(self._where, number)
        except Damaged as error:
            self._out.faults.append(f"timeline {number} and its journal: {error.happened}")
            return False
        # One that was never the current one has no journal, and decides nothing.
        if timeline is None or not timeline.active:
            return False
        paths = self._where.timeline(number), self._where.activation(number)
        record, activation = (readable.document(path) for path in paths)
        content = sealing.seal({"number": number, "record": record, "activation": activation})
        self._out.send(Record(number, self.key.mac(content)), content)
        for segment in segments.of_timeline(self._where, number):
            if segment not in self._whole:
                self._segment(segment)
        return True

    def _segment(self, segment: Segment) -> None:
        try:
            raw, sealed, header = readable.segment(segment)
        except FileNotFoundError:
            # Retention removed it meanwhile.
            return
        except Damaged as error:
            self._out.faults.append(f"{error.doing}: {error.happened}")
            return
        if header.rebase:
            self._rebases.add((segment.timeline, header.seq))
        mine = self._pieces.setdefault(segment[:2], [])
        if any(one.end > len(raw) or not self._same(one, raw) for one in mine):
            self._out.faults.append(
                f"timeline {segment.timeline} from transaction {segment.first} on: the copies are"
                " of another past of this volume; give it a prefix of its own in PRA_OFFSITE"
            )
            return
        at = readable.covered(mine)
        while at < len(raw):
            end = min(len(raw), at + names.CHUNK)
            self._piece(segment, raw, at, end)
            at = end
        if sealed:
            if len(raw) <= names.CHUNK and (0, len(raw)) not in [(p.start, p.end) for p in mine]:
                # One object in place of many, for whoever restores.
                self._piece(segment, raw, 0, len(raw))
            self._whole.add(segment)

    def _same(self, piece: Piece, raw: bytes) -> bool:
        return self.key.mac(raw[piece.start : piece.end]) == piece.mac

    def _piece(self, segment: Segment, raw: bytes, start: int, end: int) -> None:
        content = raw[start:end]
        piece = Piece(segment.timeline, segment.first, start, end, self.key.mac(content))
        if self._out.send(piece, content):
            self._pieces[segment[:2]].append(piece)

    def _point(self, point: Point) -> bool:
        """Copy a point; whether it is there."""
        try:
            raw = look.read_small(self._where.manifest(point.name))
            if raw is None:
                return False
            known = manifest.decode(raw, point.name)
            # Not when it was made: its name was moved up where that second was taken.
            name = PointName(known["serial"], layout.point_epoch(point.name), self.key.mac(raw))
            if names.text_of(name) in self._out.there:
                return True
            cut = Cut(self.key, self._where.point(point.name))
            macs = self._out.send_chunks(cut)
        except FileNotFoundError:
            return False
        except (ValueError, OSError) as error:
            self._out.faults.append(f"{point.name}: {error}")
            return False
        if (cut.sha256, cut.bytes) != (known["sha256"], known["bytes"]):
            self._out.faults.append(f"{point.name}: it does not read back as what was verified")
            return False
        if macs is None:
            return False
        return self._out.send(name, sealing.seal({"manifest": raw.decode(), "chunks": macs}))


def _is_whole(point: Point, told: set[int]) -> bool:
    """Whether a point is verified, and of one of these timelines."""
    place = (point.manifest or {}).get("position")
    return point.status == "verified" and (place is None or place["timeline"] in told)


def _place(base: Point | Start) -> tuple[int, int]:
    start = targets.start_of(base) if isinstance(base, Point) else base
    return (start.timeline, start.place.seq)
