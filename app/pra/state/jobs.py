"""What jobs did: the record of each run that changes something, on the backup volume.

A pod that finished is gone, and with it what it said. So each run adds itself to a small file
that whoever watches reads: how often each job ended in which way, when, and how long it took.
The file has its size from the beginning and is written in place, so that a full disk keeps
no failure from being recorded; of its two halves the older one is written, so that one is
whole at any instant.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from pra.base import clock, sealing
from pra.base.errors import (
    EXIT_IO,
    EXIT_TIMEOUT,
    EXIT_USAGE,
    PraError,
    from_os_error,
    no_space,
)
from pra.base.layout import Layout
from pra.disk import fairlock, files, held, look
from pra.lineage import marks

#: The verbs that are recorded.
JOBS = ("backup", "restore", "undo", "adopt", "export", "prune", "define")
OK, QUARANTINED, REFUSED, WRONG_USE = "ok", "quarantined", "refused", "wrong_use"
NO_ROOM, FAILED, TIMEOUT, DIED = "no_room", "failed", "timeout", "died"
#: How a run can end.
OUTCOMES = (OK, QUARANTINED, REFUSED, WRONG_USE, NO_ROOM, FAILED, TIMEOUT, DIED)
_BY_EXIT_CODE = {EXIT_USAGE: WRONG_USE, EXIT_IO: FAILED, EXIT_TIMEOUT: TIMEOUT}
#: Size of each half, in bytes, and how many runs under way are noted.
HALF, MOST_RUNNING = 8192, 16
_KIND, _FORMAT = "pra-jobs", 1
#: How long a run waits for another one to write its line, in seconds.
_WAIT = 2.0


class Ended(NamedTuple):
    """The last run with one outcome: when it ended, and after how long; None: nobody knows."""

    at: float
    seconds: float | None


class Job(NamedTuple):
    """What is known of one job.

    Attributes:
        runs: how many ended, by outcome.
        last: the last of each, by outcome.
        seconds: how long the last one took that ended by itself; None before the first.
    """

    runs: dict[str, int]
    last: dict[str, Ended]
    seconds: float | None

    def with_run(self, outcome: str, ended: Ended) -> "Job":
        """As it is after one more run."""
        runs = {**self.runs, outcome: self.runs.get(outcome, 0) + 1}
        seconds = self.seconds if ended.seconds is None else ended.seconds
        return Job(runs, {**self.last, outcome: ended}, seconds)


class Running(NamedTuple):
    """A run that began: the name of the file that it keeps locked, its job, and since when."""

    id: str
    job: str
    began: float


class Record(NamedTuple):
    """All of it, as it was after so many changes."""

    number: int
    jobs: dict[str, Job]
    running: list[Running]

    def of(self, job: str) -> Job:
        """What is known of a job."""
        return self.jobs.get(job, Job({}, {}, None))

    def with_run(self, job: str, outcome: str, ended: Ended) -> "Record":
        """As it is after one more run."""
        return self._replace(jobs={**self.jobs, job: self.of(job).with_run(outcome, ended)})

    def without_dead(self, where: Layout, mine: str = "") -> "Record":
        """With those that began and whose process is gone counted as such."""
        found = self._replace(running=[])
        for one in self.running:
            if one.id == mine or _alive(where, one):
                found.running.append(one)
            else:
                found = found.with_run(one.job, DIED, Ended(one.began, None))
        return found


class Run:
    """One run.

    Attributes:
        outcome: how it ends, unless by an error.
    """

    def __init__(self, where: Layout, job: str):
        self._where, self._job = where, job
        self._id, self._fd = marks.new_identity(), -1
        self._began, self._since = clock.now(), time.monotonic()
        self.outcome = OK

    def begin(self) -> None:
        """Note that it began, where the volume can take that: else its end alone is recorded."""
        with contextlib.suppress(PraError, OSError):
            if marks.readable(self._where.backup) is None:
                return
            _make_folder(self._where)
            self._fd = files.open_new(self._where.job(self._id))
            # Nobody else knows of it as yet.
            files.try_lock(self._fd)
            _change(self._where, self._with_beginning)

    def end(self, outcome: str) -> None:
        """Record how it ended; where that fails, it is said, and the run is what it is."""
        try:
            if marks.readable(self._where.backup) is not None:
                _change(self._where, lambda record: self._with_end(record, outcome))
        except (PraError, OSError) as error:
            print(f"pra: this run is not in the record of jobs: {error}", file=sys.stderr)
        self._leave()

    def _with_beginning(self, record: Record) -> Record:
        record = record.without_dead(self._where, self._id)
        mine = Running(self._id, self._job, round(self._began, 3))
        return record._replace(running=[*record.running, mine][:MOST_RUNNING])

    def _with_end(self, record: Record, outcome: str) -> Record:
        record = record.without_dead(self._where, self._id)
        others = [one for one in record.running if one.id != self._id]
        took = round(time.monotonic() - self._since, 3)
        ended = Ended(round(clock.now(), 3), took)
        return record._replace(running=others).with_run(self._job, outcome, ended)

    def _leave(self) -> None:
        if self._fd >= 0:
            files.close(self._fd)
            self._fd = -1
            with contextlib.suppress(OSError):
                files.remove(self._where.job(self._id))


@contextlib.contextmanager
def recorded(where: Layout, job: str) -> Iterator[Run]:
    """Record a run: that it began, and how it ended.

    One that is interrupted or killed has no end: who comes next finds that its process is gone.
    """
    run = Run(where, job)
    run.begin()
    try:
        yield run
    except Exception as error:
        run.end(outcome_of(error))
        raise
    run.end(run.outcome)


def prepare(where: Layout) -> None:
    """Make the file while there is room for it; best done, and nothing depends on it."""
    with contextlib.suppress(PraError, OSError):
        if marks.readable(where.backup) is not None and look.size(where.job_record) is None:
            _change(where, lambda record: record)


def seen(where: Layout) -> Record:
    """The record as it is now; takes no lock, and changes nothing.

    Raises:
        OSError: it cannot be read.
    """
    while True:
        record = _read(where)
        found = record.without_dead(where)
        # A run that just ended has left its file, and the record that it wrote says so.
        if found.running == record.running or _read(where).number == record.number:
            return found


def outcome_of(error: Exception) -> str:
    """How a run ended that ended by an error."""
    if no_space(error):
        return NO_ROOM
    if isinstance(error, OSError):
        error = from_os_error("", error)
    if isinstance(error, PraError):
        return _BY_EXIT_CODE.get(error.exit_code, REFUSED)
    return FAILED


def _alive(where: Layout, one: Running) -> bool:
    with held.looking(where.job(one.id)) as (fd, ended):
        return fd >= 0 and not ended


def _change(where: Layout, change) -> None:
    """Change the record, durably; one after the other.

    Raises:
        PraError, OSError: it was not.
    """
    lock = fairlock.FairLock(f"{where.locks}/jobs")
    try:
        lock.acquire("recording a run", _WAIT)
        before = _read(where)
        after = change(before)
        _write(where, after._replace(number=before.number + 1))
        for one in {*before.running} - {*after.running}:
            files.remove(where.job(one.id))
    finally:
        lock.close()


def _read(where: Layout) -> Record:
    """The newer of the two halves that is whole; an empty one where none is."""
    raw = look.read_small(where.job_record, 2 * HALF) or b""
    found = [_decoded(raw[at : at + HALF]) for at in (0, HALF)]
    return max(filter(None, found), key=lambda one: one.number, default=Record(0, {}, []))


def _write(where: Layout, record: Record) -> None:
    """Write the half that is the older one."""
    half = _encoded(record).ljust(HALF, b"\0")
    if len(half) > HALF:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), where.job_record)
    at = record.number % 2 * HALF
    if look.size(where.job_record) != 2 * HALF:
        _make_folder(where)
        empty = bytes(HALF)
        files.write_replacing(where.job_record, empty + half if at else half + empty)
        return
    fd = files.open_write(where.job_record)
    try:
        files.write_durably(fd, half, at)
    finally:
        files.close(fd)


def _make_folder(where: Layout) -> None:
    if not look.is_folder(where.jobs):
        files.make_directory(where.jobs)


def _encoded(record: Record) -> bytes:
    return sealing.seal(
        {
            "kind": _KIND,
            "format": _FORMAT,
            "number": record.number,
            "jobs": record.jobs,
            "running": record.running,
        }
    )


def _decoded(raw: bytes) -> Record | None:
    """One half; None where it is not whole, or of another version."""
    try:
        content = sealing.unseal(raw.rstrip(b"\0"))
        if (content.get("kind"), content.get("format")) != (_KIND, _FORMAT):
            return None
        jobs = {
            name: Job(runs, {how: Ended(*one) for how, one in last.items()}, seconds)
            for name, (runs, last, seconds) in content["jobs"].items()
        }
        return Record(content["number"], jobs, [Running(*one) for one in content["running"]])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
