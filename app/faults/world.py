"""A pair of volumes, what is done to it, and what must hold of it afterwards.

Everything that opens the database runs in a child of its own: no connection
crosses a fork, and a child can be killed.
"""

import contextlib
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from pra.base import settings
from pra.base.errors import PraError
from pra.base.layout import Layout
from pra.base.settings import Settings
from pra.events import start
from pra.events.sqlite import SqliteEvents
from pra.journal.chain import Gap
from pra.pitr import targets
from pra.points import catalogue, verify
from pra.protect import backup
from pra.recovery import automatic, restore
from pra.sql import connect, counting, schema
from pra.state import volumes

Rows = list[tuple[int, str, str]]


@dataclass
class World:
    """One pair of volumes below a folder, and the journal's mode there.

    Attributes:
        heals: its servers restore a lost database by themselves.
    """

    folder: str
    mode: str = "required"
    heals: bool = False

    @property
    def config(self) -> Settings:
        """The settings of a pod that mounts them."""
        return settings.load(
            {
                "PRA_DATA_DIR": f"{self.folder}/data",
                "PRA_BACKUP_DIR": f"{self.folder}/backup",
                "PRA_JOURNAL": self.mode,
                "PRA_AUTO_RESTORE": "latest" if self.heals else "off",
            }
        )

    @property
    def where(self) -> Layout:
        """The paths on them."""
        return Layout(f"{self.folder}/data", f"{self.folder}/backup")

    @classmethod
    def empty(cls, folder: str, mode: str = "required") -> "World":
        """Two empty volumes."""
        for name in ("data", "backup"):
            os.makedirs(f"{folder}/{name}")
        return cls(folder, mode)

    def copy(self, folder: str) -> "World":
        """The same volumes in another place."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return World(folder, self.mode, self.heals)

    def remove(self) -> None:
        """Delete both volumes."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def lose_data(self) -> None:
        """Delete the data volume and recreate it empty."""
        shutil.rmtree(self.where.data)
        os.mkdir(self.where.data)

    def rows(self) -> Rows:
        """Every row, after a check of the whole file."""
        conn = connect.open_live(os.path.realpath(self.where.link))
        try:
            fault = schema.fault(conn)
            if fault:
                raise AssertionError(f"the database is not whole: {fault}")
            return conn.execute("SELECT id, ts, message FROM events ORDER BY id").fetchall()
        finally:
            conn.close()

    def restore_latest(self) -> dict:
        """Restore the latest moment."""
        return self.bring("latest")

    def bring(self, name: str, force: bool = False) -> dict:
        """Restore the latest moment, or a point by its name, in this process."""
        if name == "latest":
            return restore.run(self.config, targets.latest, force)
        return restore.run(
            self.config,
            lambda where, known: targets.exact_point(catalogue.find(known, name)),
            force,
        )


@dataclass
class Ledger:
    """What a child reported before it ended.

    Attributes:
        sent: messages that were sent.
        keyed: of those, the ones with a key of their own, which is the message as well.
        acknowledged: rows that were acknowledged.
        refused: messages that were refused, so must never appear.
        values: anything else, by name.
    """

    sent: list[str] = field(default_factory=list)
    keyed: list[str] = field(default_factory=list)
    acknowledged: Rows = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    values: dict = field(default_factory=dict)


class Reporter:
    """Writes a ledger through a pipe, so that it survives the writer's death."""

    def __init__(self, fd: int):
        self._fd = fd

    def tell(self, kind: str, value) -> None:
        """Report one thing."""
        os.write(self._fd, json.dumps([kind, value]).encode() + b"\n")

    def add(self, events: SqliteEvents, message: str, keyed: bool = False) -> None:
        """Add an event, with its message as key if asked to, and report what became of it."""
        from pra.base.errors import OutcomeUnknown

        self.tell("sent", message)
        if keyed:
            self.tell("keyed", message)
        try:
            added = events.add(message, message if keyed else None)
        except OutcomeUnknown:
            return
        except (PraError, OSError):
            self.tell("refused", message)
            return
        self.tell("acknowledged", [added["id"], added["timestamp"], added["message"]])


def in_child(work: Callable[[Reporter], None]) -> Ledger:
    """Run ``work`` in a child process; returns what it reported, however it ended.

    An exception in the child is reported as the value "exception".
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work_and_exit(work, Reporter(writing))
    os.close(writing)
    with os.fdopen(reading) as lines:
        ledger = _ledger(lines)
    os.waitpid(child, 0)
    return ledger


def _work_and_exit(work: Callable[[Reporter], None], reporter: Reporter) -> None:
    try:
        with open(os.devnull, "w") as quiet, contextlib.redirect_stderr(quiet):
            work(reporter)
    except BaseException:
        reporter.tell("exception", traceback.format_exc(limit=-6))
    finally:
        sys.stdout.flush()
        os._exit(0)


def _ledger(lines) -> Ledger:
    ledger = Ledger()
    for line in lines:
        kind, value = json.loads(line)
        if kind in ("sent", "keyed", "refused"):
            getattr(ledger, kind).append(value)
        elif kind == "acknowledged":
            ledger.acknowledged.append(tuple(value))
        else:
            ledger.values[kind] = value
    return ledger


def begin(world: World) -> None:
    """What a server does before its first request."""
    config = start.prepare(world.config)
    if SqliteEvents(config, serving=True).lost():
        start.bring_back(config)


def recover(world: World) -> None:
    """What happens after a crash in any case: a start, a write, a backup."""
    begin(world)
    SqliteEvents(world.config).add("after the fault")
    backup.run(world.config)


def check(world: World, before: Rows, ledger: Ledger, states: list[Rows] | None) -> str | None:
    """Check the promise on volumes that a fault left behind, in a child of its own.

    Args:
        before: rows that were there before.
        ledger: what was reported up to the fault.
        states: the only states that are allowed, apart from the ledger's rows;
            None where just the ledger counts.

    Returns:
        What is wrong; None if nothing is.
    """
    outcome = in_child(lambda reporter: _check(world, before, ledger, states, reporter))
    if "exception" in outcome.values:
        return outcome.values["exception"]
    return outcome.values.get("problem", "the check itself died") or None


def rows_of(world: World) -> Rows:
    """Every row, once a server that heals has started on what a fault left."""
    volumes.ensure_initialised(world.where)
    if world.heals:
        _healed(world)
    return world.rows()


def _check(world: World, before: Rows, ledger: Ledger, states, reporter: Reporter) -> None:
    found = rows_of(world)
    problem = _state_problem(found, before, ledger, states)
    if not problem:
        recover(world)
        problem = _retry_problem(world, ledger)
    if not problem:
        live = world.rows()
        problem = _later_problem(world, found, live, ledger) or _retry_problem(world, ledger)
    reporter.tell("problem", problem)


def _healed(world: World) -> None:
    """Where an attempt was killed, the next start ends it; where it failed, a person does."""
    begin(world)
    if volumes.current(world.where) is None:
        told = automatic.told(world.config, automatic.Looked())
        # What a fault left may be in doubt by now: then it is not tried again either.
        waits = told.state in ("failed", "refused")
        assert waits and told.next, f"nobody is told what comes next: {told}"
        world.restore_latest()


def _state_problem(found: Rows, before: Rows, ledger: Ledger, states) -> str | None:
    if states is not None:
        return None if found in states else f"neither the old nor the new state: {found}"
    missing = set(before + ledger.acknowledged) - set(found)
    if missing:
        return f"acknowledged rows are lost: {sorted(missing)}"
    return _phantoms({row[2] for row in set(found) - set(before)}, ledger)


def _phantoms(messages: set[str], ledger: Ledger) -> str | None:
    known = {row[2] for row in ledger.acknowledged}
    in_doubt = messages - known
    strange = in_doubt - set(ledger.sent)
    if strange:
        return f"rows that nobody sent: {sorted(strange)}"
    if in_doubt & set(ledger.refused):
        return f"rows that were refused: {sorted(in_doubt & set(ledger.refused))}"
    return None


def _restore_across_the_fault(world: World) -> None:
    """Restore without the newest point, so that the journal around the fault is replayed.

    Only where a new base had to be made does the journal not lead across.
    """
    newest = catalogue.latest(catalogue.scan(world.where)).name
    files = [world.where.point(newest), world.where.manifest(newest)]
    for path in files:
        os.rename(path, f"{path}.away")
    try:
        world.restore_latest()
    except Gap:
        for path in files:
            os.rename(f"{path}.away", path)
        world.restore_latest()


def _retry_problem(world: World, ledger: Ledger) -> str | None:
    """Send what had a key once more: it is there once, and what was acknowledged is the answer."""
    events = SqliteEvents(world.config)
    for message in ledger.keyed:
        answer = events.add(message, message)
        row = answer["id"], answer["timestamp"], answer["message"]
        # What was refused had not been added, and now it is.
        ledger.refused = [one for one in ledger.refused if one != message]
        found = [one for one in world.rows() if one[2] == message]
        first = {one for one in ledger.acknowledged if one[2] == message}
        if found != [row] or (first and (first != {row} or not answer["replayed"])):
            return f"a retry of {message!r} was answered {answer}, after {first}; there is {found}"
        ledger.acknowledged = [*ledger.acknowledged, *([] if first else [row])]
    with contextlib.closing(connect.open_live(os.path.realpath(world.where.link))) as conn:
        kept = counting.kept(conn)
    if kept != len(world.rows()):
        return f"the database keeps {kept} as the number of its {len(world.rows())} events"
    return None


def _later_problem(world: World, found: Rows, live: Rows, ledger: Ledger) -> str | None:
    if live[: len(found)] != found:
        return "rows changed or vanished with the next write"
    problem = _phantoms({row[2] for row in live[len(found) :]} - {"after the fault"}, ledger)
    if problem:
        return problem
    checked = verify.check_all(world.where, [])
    if not checked["ok"]:
        return f"a point does not verify: {checked}"
    if any(point.status == "foreign" for point in catalogue.scan(world.where)):
        return "half a point was left behind"
    if os.listdir(world.where.temporary):
        return "unfinished files were left behind"
    world.lose_data()
    _restore_across_the_fault(world)
    if world.rows() != live:
        return "the restore brought back other rows than were there"
    folders = [name for name in os.listdir(world.where.data) if name.startswith("g")]
    return None if len(folders) == 1 else f"old generations were left behind: {folders}"
