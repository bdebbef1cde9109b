"""Sending the journal: the record of each timeline, then what is new of its segments."""

from pra.base import sealing
from pra.base.errors import Damaged
from pra.base.layout import Layout
from pra.disk import look
from pra.journal import segments
from pra.journal.segments import Segment
from pra.lineage import timelines
from pra.offsite import names, past, reach, readable
from pra.offsite.names import Key, Piece, Record
from pra.offsite.outbox import Outbox
from pra.offsite.readable import Readable


class Sender:
    """Sends the journal of one backup volume.

    Attributes:
        known: the segments that were on the volume, and what of them is there.
    """

    def __init__(self, where: Layout, key: Key, out: Outbox, shown: str):
        """Send nothing as yet.

        Args:
            shown: the place of the copies, in words.
        """
        self._where, self._key, self._out, self._shown = where, key, out, shown
        self.known: reach.Known = {}
        # Segments that cannot change any more, and the files of those that nobody writes now.
        self._whole: set[Segment] = set()
        self._still: dict[Segment, tuple[int, ...] | None] = {}
        # Segments that this has just added to: somebody else may have at the same moment.
        self._added: set[Segment] = set()

    def send(self) -> set[int]:
        """Send what is new; returns the timelines that are there.

        Raises:
            AnotherPast: the copies are not of what the volume has.
        """
        numbers = timelines.numbers(self._where)
        past.refuse_newer(self._shown, self._out.there, numbers)
        live = self._live()
        return {number for number in numbers if self._timeline(number, live)}

    def _live(self) -> int:
        """The timeline that writers add to; 0 where that cannot be told."""
        try:
            live = timelines.live(self._where)
        except Damaged:
            return 0
        return live.number if live else 0

    def _timeline(self, number: int, live: int) -> bool:
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
        name = Record(number, self._key.mac(content))
        past.refuse_other_record(self._shown, self._out.there, name)
        self._out.send(name, content)
        own = segments.of_timeline(self._where, number)
        if number == live and own:
            past.refuse_segments_beyond(self._shown, self._out.there, number, own[-1].first)
        for position, segment in enumerate(own):
            if segment not in self._whole:
                self._segment(segment, number >= live and position + 1 == len(own))
        return True

    def _segment(self, segment: Segment, written: bool) -> None:
        """Copy what is new of a segment.

        Args:
            written: it is the one that writers add to.
        """
        signature = None if written else look.signature(segment.path)
        if signature and self._still.get(segment) == signature:
            return
        try:
            found = readable.segment(segment)
        except FileNotFoundError:
            # Retention removed it meanwhile.
            return
        except Damaged as error:
            self._out.faults.append(f"{error.doing}: {error.happened}")
            return
        there = self._bring_up(segment, found)
        self.known[segment[:2]] = reach.Seen(segment, found.header, found.last, there)
        if there:
            self._still[segment] = signature
            if found.sealed:
                self._whole.add(segment)

    def _bring_up(self, segment: Segment, found: Readable) -> bool:
        """Send what is new of a segment; whether all of it is there then.

        Raises:
            AnotherPast: what is there of it is not what the volume has.
        """
        mine = self._out.there.pieces(*segment[:2])
        at = readable.covered(mine)
        if segment in self._added or at < len(found.content):
            self._added.discard(segment)
            # A copy of this volume that is in use elsewhere adds to the same segment.
            self._out.there.look(f"{names.folder_of(*segment[:2])}/")
            mine = self._out.there.pieces(*segment[:2])
            at = readable.covered(mine)
        if not self._continues(segment, found, mine):
            return False
        whole = True
        while at < len(found.content):
            end = min(len(found.content), at + names.CHUNK)
            whole = self._piece(segment, found.content, at, end) and whole
            at = end
        length = len(found.content)
        alone = (0, length) in [(one.start, one.end) for one in mine]
        if found.sealed and length <= names.CHUNK and not alone:
            # One object in place of many, for whoever restores.
            whole = self._piece(segment, found.content, 0, length) and whole
        return whole

    def _continues(self, segment: Segment, found: Readable, mine: list[Piece]) -> bool:
        """Whether what is there of a segment is what the volume has, as far as that goes."""
        what = f"timeline {segment.timeline} from transaction {segment.first} on"
        beyond = any(one.end > len(found.content) for one in mine)
        if past.other_pieces(mine, found.content, self._key.mac):
            raise past.AnotherPast(self._shown, f"{what} differs")
        if beyond and not found.fault:
            raise past.AnotherPast(self._shown, f"{what}: they have more than the volume")
        if beyond:
            self._out.faults.append(
                f"{what}: after {found.last} it is damaged on the volume ({found.fault}); the"
                " copies have more of it, which stays"
            )
        return not beyond

    def _piece(self, segment: Segment, raw: bytes, start: int, end: int) -> bool:
        content = raw[start:end]
        piece = Piece(segment.timeline, segment.first, start, end, self._key.mac(content))
        self._added.add(segment)
        return self._out.send(piece, content)
