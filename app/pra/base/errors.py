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

    Attributes:
        kind: a word for programs, one of few.
        http_status: 4xx where the client is to do otherwise, 503 where it passes, be it that
            somebody sees to it, and 507 where there is no room.
        retry_after: of a 503: when to ask again, in seconds; None where that could do harm.
    """

    kind = "refused"
    exit_code = EXIT_REFUSED
    http_status = 503
    retry_after: int | None = 5

    def __init__(self, doing: str, happened: str, next_step: str):
        super().__init__(f"{doing}: {happened}")
        self.doing, self.happened, self.next_step = doing, happened, next_step


class Refused(PraError):
    """Going on would break a promise, so nothing was changed."""


class Unknown(Refused):
    """There is no such point, transaction or moment: wrong use, and no broken promise."""

    kind = "client"
    exit_code = EXIT_USAGE


class NeedsRestore(Refused):
    """The data volume holds no database although restore points exist."""

    kind = "needs_restore"


class NoKeys(Refused):
    """The database cannot remember the keys of requests, as yet: nothing was added."""

    retry_after = 60


class VolumeGone(Refused):
    """The backup volume is not mounted, or not initialised."""

    kind = "volume_gone"


class Locked(Refused):
    """Somebody else holds what is needed; trying again is reasonable."""

    kind = "locked"
    exit_code = EXIT_TIMEOUT
    retry_after = 1


class Damaged(Refused):
    """A file does not hold what it should."""

    kind = "damaged"


class RecordLost(Damaged):
    """A record that says which history is the live one is lost; the database itself is sound."""


class UsageError(PraError):
    """Wrong use or wrong configuration."""

    kind = "client"
    exit_code = EXIT_USAGE
    http_status = 400


class KeyReused(UsageError):
    """The key of a request was used before, for another message: nothing was added."""

    http_status = 422


class RuleBroken(Refused):
    """A rule that somebody gave the database refused a change, and always will."""

    kind = "rule"
    http_status = 422


class StorageError(PraError):
    """The operating system or SQLite failed to read or write."""

    kind = "storage"
    exit_code = EXIT_IO


class DiskFull(StorageError):
    """No space is left on a volume."""

    kind = "no_room"
    http_status = 507


class NoRoom(DiskFull):
    """There would not be enough space, so nothing was begun."""

    exit_code = EXIT_REFUSED


class ReadOnly(StorageError):
    """A volume cannot be written."""

    kind = "read_only"
    exit_code = EXIT_REFUSED


class OutcomeUnknown(StorageError):
    """A COMMIT failed in a way that leaves open whether the row exists."""

    kind = "unknown_outcome"
    # Who asked again at once might write twice, unless the request has a key.
    retry_after = None


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


#: Every word by which errors are told apart.
KINDS = (
    "refused",
    "needs_restore",
    "volume_gone",
    "locked",
    "damaged",
    "client",
    "rule",
    "storage",
    "no_room",
    "read_only",
    "unknown_outcome",
)
