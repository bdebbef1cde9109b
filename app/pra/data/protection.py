"""Whether what is there is what the points and the journal lead to, as /status says it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import apsw

from pra.base.errors import Damaged, PraError, from_os_error
from pra.base.lack import Lack
from pra.base.settings import Settings
from pra.disk import locks
from pra.journal import acknowledged, supported
from pra.journal.acknowledged import Acknowledged
from pra.journal.comparison import TABLES_CHANGED, Mismatch
from pra.journal.records import Record
from pra.journal.writer import Journal
from pra.lineage import marks
from pra.points.catalogue import Points
from pra.sql import guards, schema
from pra.sql.schema import Position
from pra.state import admission, identity, volumes

#: Begins a read transaction, given what it is for.
Read = Callable[[str], AbstractContextManager[apsw.Connection]]
_LOOKING = "looking at the protection"
#: The words of the reasons that are found here.
GUARDS_REMOVED, UNFIT_TABLES, ACKNOWLEDGED_MISSING = (
    "guards_removed",
    "unfit_tables",
    "acknowledged_missing",
)
OTHER_HISTORY, JOURNAL, BEHIND = "other_history", "journal", "behind"
REASONS = (GUARDS_REMOVED, UNFIT_TABLES, ACKNOWLEDGED_MISSING, OTHER_HISTORY, JOURNAL, BEHIND)


class Protection:
    """Compares the current database with its points and its journal.

    It looks without the writer lock, so a difference counts only if nothing was
    written while it was found.
    """

    def __init__(self, settings: Settings):
        self._layout, self._mode = settings.layout, settings.journal
        # Its own view of the journal's end, for one thread at a time.
        self._journal, self._guard = Journal(settings.layout), threading.Lock()

    def lacking(self, read: Read, known: Points | None = None) -> Lack | None:
        """Why the database is not what points and journal lead to; None if it is.

        Args:
            read: begins a read transaction of the current database.
            known: the points that there are, where the caller has listed them.

        Raises:
            PraError: the database cannot be read.
        """
        number = volumes.current(self._layout)
        if number is None:
            return None
        last_unjournaled = Acknowledged(f"{self._layout.generation(number)}/app.db").last()
        with read(_LOOKING) as conn:
            if not guards.guarded(conn):
                return Lack(GUARDS_REMOVED, guards.UNGUARDED)
            here = schema.position(conn)
            unfollowed = self._unfollowed(conn, here)
        lost = acknowledged.missing(here.seq, last_unjournaled) if here else None
        try:
            if here:
                self._refuse_other_history(here)
        except (PraError, OSError) as error:
            return Lack(OTHER_HISTORY, _said(error)) if _place(read) == here else None
        if lost:
            return Lack(ACKNOWLEDGED_MISSING, lost)
        return Lack(UNFIT_TABLES, unfollowed) if unfollowed else self._difference(read, known)

    def _unfollowed(self, conn: apsw.Connection, here: Position | None) -> str | None:
        """What the journal cannot follow; None if it can all, and without one."""
        if self._mode == "off":
            return None
        unfit = supported.fault(conn)
        if unfit:
            return unfit.happened
        changed = here is not None and schema.schema_hash(conn) != here.schema
        return TABLES_CHANGED if changed else None

    def _refuse_other_history(self, here: Position) -> None:
        """Refuse, as a write does, a database that is not the live one of these volumes."""
        identity.refuse_unknown(self._layout, _LOOKING)
        identity.refuse_elsewhere(self._layout, _LOOKING, here)
        if marks.lineage_of(self._layout.data) != here.lineage:
            raise identity.NoPair(_LOOKING, self._layout)
        if self._mode == "required":
            locks.refuse_gone(self._layout, _LOOKING)

    def _difference(self, read: Read, known: Points | None) -> Lack | None:
        """Why the journal and the points do not lead to the database; None if they do."""
        with self._guard:
            before = _place(read)
            if before is None:
                return Lack(OTHER_HISTORY, str(identity.NoPair(_LOOKING, self._layout)))
            try:
                numbers = [before.seq, *(record.seq for record in self._first_brought_in(before))]
                reached = before._replace(seq=numbers[-1])
                admission.refuse_behind(self._layout, _LOOKING, reached, known)
            except (PraError, OSError) as error:
                self._journal.close()
                if _place(read) != before:
                    return None
                behind = isinstance(error, admission.Behind) or getattr(error, "behind", False)
                return Lack(BEHIND if behind else JOURNAL, _said(error))
        return None

    def _first_brought_in(self, here: Position) -> list[Record]:
        """What the next write brings in first; without a journal its state is no concern.

        Raises:
            Mismatch: the database is older than its journal.
            PraError, OSError: they do not fit in another way.
        """
        try:
            return self._journal.inspect(here)
        except (Damaged, Mismatch, OSError) as error:
            behind = isinstance(error, Mismatch) and error.behind
            if behind or self._mode != "off":
                raise
            self._journal.close()
            return []


def _said(error: PraError | OSError) -> str:
    return str(from_os_error(_LOOKING, error) if isinstance(error, OSError) else error)


def _place(read: Read) -> Position | None:
    with read(_LOOKING) as conn:
        return schema.position(conn)
