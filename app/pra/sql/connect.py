"""Opening SQLite files the way each use needs it, and SQLite's errors as those of this package.

Every page carries a checksum, which SQLite's own extension cksumvfs writes into it and
compares whenever the page is read from the file: a disk that changed a row is found out
by the first reader, and nothing wrong is copied into a point. Pages that are still in the
-wal have none yet; they get it when they are moved into the database.
"""

import contextlib
import os

import apsw

from pra.base.errors import (
    Damaged,
    DiskFull,
    Locked,
    PraError,
    ReadOnly,
    RuleBroken,
    StorageError,
)
from pra.disk import look
from pra.sql import guards

#: How long SQLite waits for one of its own locks, in milliseconds; see locks.WRITE_WAIT.
BUSY_MS = 2000

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE
_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_NEW = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_VFS = "cksmvfs"
#: Bytes at the end of a page that hold its checksum; cksumvfs wants just these.
_RESERVED = 8


def checksums() -> str:
    """The name of the VFS that writes and compares checksums, loaded where it is not yet.

    Raises:
        StorageError: this apsw comes without it.
    """
    if _VFS in apsw.vfs_names():
        return _VFS
    # apsw.sqlite_extra finds it as well, and its imports would cost each start 90 ms.
    path = os.path.join(os.path.dirname(apsw.__file__), "sqlite_extra_binaries", "cksumvfs")
    with contextlib.closing(apsw.Connection(":memory:")) as conn:
        conn.enable_load_extension(True)
        try:
            conn.load_extension(path)
        except apsw.ExtensionLoadingError as error:
            raise StorageError(
                "loading SQLite's page checksums",
                f"{path} cannot be loaded ({error})",
                "install apsw as app/requirements.txt pins it: its wheels bring cksumvfs",
            ) from error
    return _VFS


def open_live(path: str, synced: bool = True) -> apsw.Connection:
    """Open the application's database for reading and writing.

    Never creates it, and never looks at an emptied one: SQLite deletes the ``-wal`` beside
    a database that it finds missing or empty, and makes one without tables of it at the first
    chance. ``synchronous`` is set and not assumed.

    Args:
        synced: each COMMIT is durable when it returns; else its maker sees to that.

    Raises:
        Damaged: it was emptied, or holds no table of ours.
    """
    _refuse_emptied(path)
    return _prepared(apsw.Connection(path, flags=_READ_WRITE, vfs=checksums()), synced)


def emptied(path: str) -> bool:
    """Whether a database is missing or empty beside a log, which may hold all of its rows."""
    return not look.size(path) and bool(look.size(f"{path}-wal"))


#: What comes next where the database's file holds nothing of ours.
_KEPT_FIRST = (
    "python -m pra restore latest keeps what is there as a safety point and takes what points"
    " and journal have"
)


def _refuse_emptied(path: str) -> None:
    """Refuse a file of no bytes: SQLite would make a database without tables of it."""
    if emptied(path) or look.size(path) == 0:
        log = ", and its log (-wal) may hold all of its rows" if emptied(path) else ""
        raise Damaged("opening the database", f"{path} is missing or empty{log}", _KEPT_FIRST)


def _refuse_without_tables(conn: apsw.Connection) -> None:
    """Refuse a file that became a database without our rows after it was emptied."""
    # Whoever uses it learns what else is wrong with it, in words of its own.
    with contextlib.suppress(apsw.Error):
        if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name='events'").fetchone():
            raise Damaged(
                "opening the database",
                "it has no table of events: its file was emptied, or is another one",
                _KEPT_FIRST,
            )


def _prepared(conn: apsw.Connection, synced: bool = True) -> apsw.Connection:
    try:
        conn.set_busy_timeout(BUSY_MS)
        conn.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
        conn.execute("PRAGMA foreign_keys=ON")
        guards.allow_writes(conn)
        _refuse_without_tables(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def open_unchecked(path: str) -> apsw.Connection:
    """As ``open_live``, reading pages whatever their checksums say.

    For what others wrote past this application, who know nothing of checksums.

    Raises:
        Damaged: it was emptied, or holds no table of ours.
    """
    _refuse_emptied(path)
    conn = apsw.Connection(path, flags=_READ_WRITE, vfs=checksums())
    # Only once a page was read does the VFS know that there are checksums to be left out.
    with contextlib.suppress(apsw.IOError):
        conn.execute("PRAGMA schema_version").fetchone()
    conn.execute("PRAGMA checksum_verification=OFF")
    return _prepared(conn)


def open_for_copy(path: str) -> apsw.Connection:
    """Open a live database to copy what is there: checked, unless others can have written it.

    Their pages fit no checksum, and what they wrote is worth keeping; that they did is said
    by the missing guards.
    """
    conn = open_unchecked(path)
    if not guards.guarded(conn):
        return conn
    conn.close()
    return open_live(path)


def give_checksums(conn: apsw.Connection) -> None:
    """Write every page anew, with its checksum; nobody else may have a transaction open."""
    conn.reserve_bytes(reserve=_RESERVED)
    conn.execute("VACUUM")


def has_checksums(conn: apsw.Connection) -> bool:
    """Whether the pages carry checksums, and are checked; of databases made otherwise not."""
    conn.execute("PRAGMA schema_version").fetchone()
    return int(conn.execute("PRAGMA checksum_verification").fetchone()[0]) == 1


def use_log(conn: apsw.Connection) -> None:
    """Put a database in WAL mode, which it stays in; the file of its log is there afterwards.

    Raises:
        StorageError: SQLite left it as it was, which it does not call an error.
    """
    mode = conn.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    # The first look at the database makes the file.
    conn.execute("PRAGMA schema_version").fetchone()
    if mode != "wal":
        raise StorageError(
            "opening the database's log",
            f"it stays in the mode {mode}",
            "check that the volume is writable and that nobody else has the database open",
        )


def open_new(path: str) -> apsw.Connection:
    """Create a database that nobody else knows of yet; its maker syncs it afterwards."""
    conn = apsw.Connection(path, flags=_NEW, vfs=checksums())
    conn.reserve_bytes(reserve=_RESERVED)
    conn.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY")
    guards.allow_writes(conn)
    return conn


def open_target(path: str) -> apsw.Connection:
    """Create a database for SQLite's backup to fill.

    The VFS computes checksums once it has seen the first page, which the backup writes
    last; pages that leave a full cache before would be without. It is there already.
    """
    conn = open_new(path)
    conn.execute("CREATE TABLE first_page(x); DROP TABLE first_page")
    return conn


def open_resting(path: str) -> apsw.Connection:
    """Open a file that nobody writes, read-only, leaving nothing beside it."""
    return apsw.Connection(resting(path), flags=_READ_ONLY, vfs=checksums())


def resting(path: str) -> str:
    """The URI of a file that nobody writes."""
    # The characters that mean something in a URI of SQLite: https://sqlite.org/uri.html
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?immutable=1"


#: What a checksum that does not fit means; which of the two, nobody can tell from the page.
WRONG_PAGE = (
    "a page of the database is not what was written: the disk changed it, or somebody wrote"
    " past the application"
)
_AFTER_DAMAGE = (
    "python -m pra restore latest brings back the right rows, as far as the points and the"
    " journal have them; --plan says what differs; where they have nothing, python -m pra restore"
    " current --force takes the database as it reads now"
)


def wrong_page(error: apsw.Error) -> bool:
    """Whether a page was read that does not fit its checksum."""
    return getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_DATA


class errors:
    """Turn SQLite's exceptions in a ``with`` into errors that say what to do.

    Raises:
        Locked, DiskFull, ReadOnly, Damaged, RuleBroken or StorageError.
    """

    def __init__(self, doing: str):
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, apsw.Error):
            raise _in_our_words(self._doing, error) from error
        if isinstance(error, UnicodeDecodeError):
            # Of a text of the database: SQLite does not look at its bytes.
            raise _damaged(self._doing, "a text is not UTF-8") from error


def rule_broken(doing: str, rule: str) -> RuleBroken:
    """The error where a trigger, an index or a constraint does not let a change pass.

    Args:
        rule: what it says.
    """
    return RuleBroken(
        doing,
        f"a rule of the database refused it ({rule}); nothing was changed",
        "send what the rule lets pass; python -m pra define 'SQL' changes the rule",
    )


def _damaged(doing: str, what: str) -> Damaged:
    return Damaged(
        doing, f"the database is damaged ({what})", "restore it: python -m pra restore latest"
    )


def _in_our_words(doing: str, error: apsw.Error) -> PraError:
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return Locked(doing, f"the database is locked ({error})", "try again in a moment")
    if isinstance(error, apsw.FullError):
        return DiskFull(
            doing, f"the data volume is full ({error})", "free space on it, then try again"
        )
    if isinstance(error, (apsw.ReadOnlyError, apsw.PermissionsError)):
        return ReadOnly(
            doing, f"the data volume cannot be written ({error})", "make it writable, then retry"
        )
    # That a guard refuses says that the application is at fault, and not what was sent.
    if isinstance(error, apsw.ConstraintError) and not guards.refused(error):
        return rule_broken(doing, str(error))
    if wrong_page(error):
        return Damaged(doing, WRONG_PAGE, _AFTER_DAMAGE)
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return _damaged(doing, str(error))
    return StorageError(doing, f"SQLite failed ({error})", "check the volume, then try again")
