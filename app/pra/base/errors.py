"""Errors that a person can act on: what was being done, what happened, what comes next."""

import errno

#: Exit codes of the verbs: a promise broken or refused, wrong use, input/output failure,
#: a wait that ran out. The jobs' manifests try again after the last two alone.
EXIT_REFUSED, EXIT_USAGE, EXIT_IO, EXIT_TIMEOUT = 1, 2, 4, 5


class PraError(Exception):
    """An expected failure.

    Args:
        doing: what was being done, as a phrase ("restoring app-1763719200.db").
        happened: what went wrong.
        next_step: what the reader can do about it.
    """

    exit_code = EXIT_REFUSED
    http_status = 503
    retry_after: int | None = None

    def __init__(self, doing: str, happened: str, next_step: str):
        super().__init__(f"{doing}: {happened}")
        self.doing, self.happened, self.next_step = doing, happened, next_step


class Refused(PraError):
    """Going on would break a promise, so nothing was changed."""


class Unknown(Refused):
    """There is no such point, transaction or moment: wrong use, and no broken promise."""

    exit_code = EXIT_USAGE


class NeedsRestore(Refused):
    """The data volume holds no database although restore points exist."""


class VolumeGone(Refused):
    """The backup volume is not mounted, or not initialised."""


class Locked(Refused):
    """Somebody else holds what is needed; trying again is reasonable."""

    exit_code = EXIT_TIMEOUT
    retry_after = 1


class Damaged(Refused):
    """A file does not hold what it should."""

    http_status = 500


class RecordLost(Damaged):
    """A record that says which history is the live one is lost; the database itself is sound."""


class UsageError(PraError):
    """Wrong use or wrong configuration."""

    exit_code = EXIT_USAGE
    http_status = 400


class StorageError(PraError):
    """The operating system or SQLite failed to read or write."""

    exit_code = EXIT_IO
    http_status = 500


class DiskFull(StorageError):
    """No space is left on a volume."""

    http_status = 507


class NoRoom(DiskFull):
    """There would not be enough space, so nothing was begun."""

    exit_code = EXIT_REFUSED


class ReadOnly(StorageError):
    """A volume cannot be written."""

    exit_code = EXIT_REFUSED
    http_status = 503


class OutcomeUnknown(StorageError):
    """A COMMIT failed in a way that leaves open whether the row exists."""


def no_space(error: Exception) -> bool:
    """Whether an error says that a volume is full: the system's, SQLite's or our own."""
    full = errno.ENOSPC, errno.EDQUOT
    return isinstance(error, DiskFull) or isinstance(error, OSError) and error.errno in full


def from_os_error(doing: str, error: OSError) -> StorageError:
    """Turn an operating system error into the matching StorageError."""
    text = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(doing, f"no space left{where}", "free space on the volume, then try again")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnly(
            doing, f"{text}{where}", "make the volume writable for this user, then try again"
        )
    return StorageError(doing, f"{text}{where}", "check the volume, then try again")
