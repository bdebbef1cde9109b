"""Opening SQLite files the way each use needs it, and SQLite's errors in our words."""

import apsw

from pra import schema
from pra.errors import Damaged, DiskFull, Locked, PraError, ReadOnly, StorageError

#: How long SQLite waits for one of its own locks, in milliseconds.
BUSY_MS = 5000

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE
_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_NEW = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


def open_live(path: str, synced: bool = True) -> apsw.Connection:
    """Open the application's database for reading and writing.

    Never creates it: SQLite deletes the ``-wal`` beside a database that it
    finds missing or empty. ``synchronous`` is set and not assumed.

    Args:
        synced: each COMMIT is durable when it returns; else its maker sees to that.
    """
    conn = apsw.Connection(path, flags=_READ_WRITE)
    try:
        conn.set_busy_timeout(BUSY_MS)
        conn.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
        conn.execute("PRAGMA foreign_keys=ON")
        schema.allow_writes(conn)
    except BaseException:
        conn.close()
        raise
    return conn


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
    conn = apsw.Connection(path, flags=_NEW)
    conn.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY")
    schema.allow_writes(conn)
    return conn


def open_resting(path: str) -> apsw.Connection:
    """Open a file that nobody writes, read-only, leaving nothing beside it."""
    # The characters that mean something in a URI of SQLite: https://sqlite.org/uri.html
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return apsw.Connection(f"file:{quoted}?immutable=1", flags=_READ_ONLY)


class errors:
    """Turn SQLite's exceptions in a ``with`` into errors that say what to do.

    Raises:
        Locked, DiskFull, ReadOnly, Damaged or StorageError.
    """

    def __init__(self, doing: str):
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if isinstance(error, apsw.Error):
            raise _in_our_words(self._doing, error) from error


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
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return Damaged(
            doing, f"the database is damaged ({error})", "restore it: python -m pra restore latest"
        )
    return StorageError(doing, f"SQLite failed ({error})", "check the volume, then try again")
