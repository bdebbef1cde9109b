"""What lies where on the two volumes.

``pra-data``::

    .pra/volume.json     the volume's mark
    .pra-copy/           a copy of that
    app.db -> gN/app.db  the current generation
    gN/app.db            with its -wal and -shm
    gN/app.db-acknowledged   the last number that no journal has
    new-gN/app.db        what is being built; nobody ever wrote to it

``pra-backup``::

    app-EPOCH.db, app-EPOCH.json   points and their manifests
    .pra/volume.json               the volume's mark
    .pra/mode.json                 the journal's mode that the servers run with
    .pra/locks/                    lock files: who may write, back up, restore
    .pra/use/                      who serves the database, and from where
    .pra/timelines/N.json          where each timeline began
    .pra/timelines/N.active        it became the current one
    .pra-copy/                     a copy of the mark and of the timelines' records
    .pra/journal/N-FIRST.seg       the transactions of a timeline from that number on
    .pra/raw/SHA256.db-wal         the -wal of a damaged database that was kept as it was
    .pra/jobs/record               what jobs did, and which are under way
    .pra/jobs/HEX32                a job that is under way
    .pra/damage.json               what the last backup found wrong with the database
    .pra/data-volume.json          what the data volume was on, as the last backup saw it
    .pra/auto-restore.json         what became of restoring by itself
    .pra/offsite.json              how far the copies elsewhere go
    .pra/offsite-branch.json       that the copies elsewhere were begun anew
    .pra/tmp/                      files on their way to a name
"""

import os
import re
from typing import NamedTuple

#: The folder of what is not for people, on each volume, and that of the copies of what
#: decides which history is the latest.
OWN, COPY = ".pra", ".pra-copy"
POINT_NAME = re.compile(r"app-([0-9]{1,12})\.db")
POINT_FILE = re.compile(r"(app-[0-9]{1,12})\.(db|json)")
_BUILDING = "new-"
_GENERATION = re.compile(r"g([0-9]{1,9})")
_LINK_TARGET = re.compile(r"g([0-9]{1,9})/app\.db")


def point_epoch(name: str) -> int | None:
    """The seconds in a point's name; None for any other name."""
    found = POINT_NAME.fullmatch(name)
    return int(found[1]) if found else None


def point_name(epoch: int) -> str:
    """The name of the point of that second."""
    return f"app-{epoch}.db"


def generation_number(name: str) -> int | None:
    """The number in a generation folder's name; None for any other name."""
    found = _GENERATION.fullmatch(name)
    return int(found[1]) if found else None


def is_building(name: str) -> bool:
    """Whether that is the name of a folder in which a generation is being built."""
    return name.startswith(_BUILDING) and generation_number(name[len(_BUILDING) :]) is not None


def link_generation(target: str) -> int | None:
    """The generation that the link's text leads to; None if it is not of ours."""
    found = _LINK_TARGET.fullmatch(target)
    return int(found[1]) if found else None


def twin(path: str) -> str:
    """Where the copy of a file of ours lies."""
    volume, _, name = path.rpartition(f"/{OWN}/")
    return f"{volume}/{COPY}/{name}"


class Layout(NamedTuple):
    """Paths below the two volumes' directories, and the sizes that the volumes are held to.

    Attributes:
        data_bytes, backup_bytes: None where only the file system sets a limit.
    """

    data: str
    backup: str
    data_bytes: int | None = None
    backup_bytes: int | None = None

    def size_of(self, directory: str) -> int | None:
        """What one of the two volumes is held to, in bytes."""
        return {self.data: self.data_bytes, self.backup: self.backup_bytes}[directory]

    @property
    def link(self) -> str:
        """The link to the current database."""
        return f"{self.data}/app.db"

    @property
    def mode(self) -> str:
        """The journal's mode that the servers run with."""
        return f"{self.backup}/.pra/mode.json"

    @property
    def locks(self) -> str:
        """The folder of lock files."""
        return f"{self.backup}/.pra/locks"

    @property
    def uses(self) -> str:
        """The folder of what processes say that serve a database."""
        return f"{self.backup}/.pra/use"

    @property
    def timelines(self) -> str:
        """The folder of timeline records."""
        return f"{self.backup}/.pra/timelines"

    @property
    def journal(self) -> str:
        """The folder of the journal's segments."""
        return f"{self.backup}/.pra/journal"

    @property
    def temporary(self) -> str:
        """The folder of unfinished files, on the volume of their names."""
        return f"{self.backup}/.pra/tmp"

    @property
    def damage(self) -> str:
        """What the last backup found wrong with the database."""
        return f"{self.backup}/.pra/damage.json"

    @property
    def data_volume(self) -> str:
        """What the data volume was on, as the last backup saw it."""
        return f"{self.backup}/.pra/data-volume.json"

    @property
    def auto_restore(self) -> str:
        """What became of restoring by itself."""
        return f"{self.backup}/.pra/auto-restore.json"

    @property
    def offsite(self) -> str:
        """How far the copies elsewhere go."""
        return f"{self.backup}/.pra/offsite.json"

    @property
    def offsite_branch(self) -> str:
        """That the copies elsewhere were begun anew, if they were."""
        return f"{self.backup}/.pra/offsite-branch.json"

    @property
    def jobs(self) -> str:
        """The folder of what jobs did."""
        return f"{self.backup}/.pra/jobs"

    @property
    def job_record(self) -> str:
        """What jobs did."""
        return f"{self.jobs}/record"

    def job(self, identity: str) -> str:
        """The file of a run that is under way, which that keeps locked."""
        return f"{self.jobs}/{identity}"

    @property
    def raw(self) -> str:
        """The folder of what belongs to raw copies."""
        return f"{self.backup}/.pra/raw"

    def raw_wal(self, digest: str) -> str:
        """A -wal that was kept as it was; beside its point it would be taken for the point's."""
        return f"{self.raw}/{digest}.db-wal"

    def generation(self, number: int) -> str:
        """The folder of a generation."""
        return f"{self.data}/g{number}"

    def building(self, number: int) -> str:
        """The folder in which a generation is built, until it is whole."""
        return f"{self.data}/{_BUILDING}g{number}"

    def point(self, name: str) -> str:
        """A point's database file; the name must have been checked."""
        return f"{self.backup}/{name}"

    def manifest(self, name: str) -> str:
        """The manifest beside a point."""
        return f"{self.backup}/{os.path.splitext(name)[0]}.json"

    def timeline(self, number: int) -> str:
        """The record of a timeline."""
        return f"{self.timelines}/{number}.json"

    def activation(self, number: int) -> str:
        """The record that a timeline became the current one."""
        return f"{self.timelines}/{number}.active"
