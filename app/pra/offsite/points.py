"""Sending points: the parts of a database, what names them, and a look whether all is there."""

from pra.base import clock, layout, sealing
from pra.base.layout import Layout
from pra.disk import look
from pra.offsite import names
from pra.offsite.databases import Cut
from pra.offsite.names import CHUNKS, FENCES, POINTS, ChunkName, Key, PointName
from pra.offsite.outbox import Outbox
from pra.points import manifest
from pra.points.catalogue import Point

_REMOVED = "somebody removed parts of it meanwhile"
_PRUNING = "somebody removes what is not kept there, since {}, or was killed at it:"
_PRUNING += " points count once that has ended, or an hour after that"
_PRUNING += " python -m pra offsite prune ends it"


class Sender:
    """Sends points of one backup volume.

    Attributes:
        needed: what the newest point that was sent needs, names of objects within the history.
    """

    def __init__(self, where: Layout, key: Key, out: Outbox):
        self._where, self._key, self._out = where, key, out
        self.needed: list[str] = []
        # Names of those that were seen to be there with all their parts.
        self._whole: set[str] = set()

    def send(self, points: list[Point]) -> list[Point]:
        """Send points, and look whether all parts of them are there; returns those of which it is.

        Who removes what is not kept says so before he looks what that is, and whoever copies
        looks for that once his point has its name. So each part that a point shares with older
        ones was either seen to be needed, or is found to be missing here, and sent again.
        """
        new = [one for one in points if one.name not in self._whole]
        self._whole |= {one.name for one in self._sent(new)} if new else set()
        return [one for one in points if one.name in self._whole]

    def _sent(self, points: list[Point]) -> list[Point]:
        self._out.there.look(f"{CHUNKS}/")
        self._out.there.look(f"{POINTS}/")
        sent = [(one, macs) for one in points if (macs := self._point(one)) is not None]
        # In this order: where nobody removes any more, all that went is seen to be gone.
        self._out.there.look(f"{FENCES}/")
        self._out.there.look(f"{CHUNKS}/")
        whole = [one for one, macs in sent if self._all_there(macs) or self._again(one)]
        if whole and (fences := self._out.there.within(FENCES)):
            self._out.faults.append(
                _PRUNING.format(clock.rfc3339(min(one.seconds for one in fences)))
            )
            return []
        if whole:
            macs = next(macs for one, macs in sent if one == whole[0])
            self.needed = [names.text_of(ChunkName(mac)) for mac in dict.fromkeys(macs)]
        return whole

    def _all_there(self, macs: list[str]) -> bool:
        size = self._out.there.size
        return all(size(names.text_of(ChunkName(mac))) is not None for mac in macs)

    def _again(self, point: Point) -> bool:
        if self._point(point) is None:
            return False
        self._out.there.look(f"{CHUNKS}/")
        macs = self._point(point)
        if macs is not None and self._all_there(macs):
            return True
        self._out.faults.append(f"{point.name}: {_REMOVED}")
        return False

    def _point(self, point: Point) -> list[str] | None:
        """Send what is missing of a point; the names of its parts, None where it is not there."""
        try:
            raw = look.read_small(self._where.manifest(point.name))
            if raw is None:
                return None
            known = manifest.decode(raw, point.name)
            # Not when it was made: its name was moved up where that second was taken.
            name = PointName(known["serial"], layout.point_epoch(point.name), self._key.mac(raw))
            if self._is_doubtful(point, name):
                return None
            cut = Cut(self._where.point(point.name))
            macs = self._out.send_chunks(self._key, cut)
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            self._out.faults.append(f"{point.name}: {error}")
            return None
        if (cut.sha256, cut.bytes) != (known["sha256"], known["bytes"]):
            self._out.faults.append(f"{point.name}: it does not read back as what was verified")
            return None
        if macs is None:
            return None
        content = sealing.seal({"manifest": raw.decode(), "chunks": macs})
        return macs if self._out.send(name, content) else None

    def _is_doubtful(self, point: Point, name: PointName) -> bool:
        """Whether the copies have another point of that number: of another past of the volume."""
        there = self._out.there.within(POINTS)
        other = any(one.serial == name.serial and one != name for one in there)
        if other:
            self._out.faults.append(
                f"{point.name}: the copies have another point {name.serial}, of another past of"
                " this volume; python -m pra offsite push --anew gives it copies of its own"
            )
        return other


def newer_there(out: Outbox, known: list[Point]) -> str | None:
    """That the copies have a newer point than the volume ever had; None where they have not."""
    there = max((one.serial for one in out.there.within(POINTS)), default=0)
    here = max((one.serial for one in known), default=0)
    if there <= here:
        return None
    return (
        f"the copies have point {there}, the newest of the volume is {here}: it was rolled back, or"
        " lost it; python -m pra offsite push --anew gives it copies of its own"
    )
