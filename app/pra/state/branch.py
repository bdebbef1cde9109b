"""Which copies elsewhere are a backup volume's own, where they were begun anew.

After a volume was rolled back, what it holds is another past than what was copied of it. The
copies of the two are then kept apart by a word of their own, which lies on the volume.
"""

from pra.base import layout
from pra.base.layout import Layout
from pra.disk import files
from pra.lineage import marks, sealed
from pra.lineage.marks import Mark

_KIND = "pra-offsite-branch"


def read(where: Layout, mark: Mark) -> str:
    """The word for a volume's own copies; empty while they were never begun anew.

    Raises:
        RecordLost: neither of its two copies can be read.
    """
    content = sealed.read(where.offsite_branch, "looking for this volume's copies", _check)
    # What was copied from another volume, file by file, says nothing of this one.
    own = content is not None and (content["lineage"], content["id"]) == tuple(mark)
    return content["branch"] if own else ""


def begin(where: Layout, mark: Mark) -> None:
    """Begin anew: from here on the volume's copies are apart from all before."""
    # Two that differ would say nothing: the one that is left of a killed change is sound.
    files.remove(layout.twin(where.offsite_branch))
    whose = {"lineage": mark.lineage, "id": mark.identity}
    sealed.write(where.offsite_branch, {"kind": _KIND, **whose, "branch": marks.new_identity()})


def _check(content: dict) -> str | None:
    fields = ("lineage", "id", "branch")
    whole = all(isinstance(content.get(name), str) for name in fields)
    return None if whole and content.get("kind") == _KIND else "it is no such record"
