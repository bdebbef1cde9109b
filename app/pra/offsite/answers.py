"""What stores answer in place of doing what they were asked, as errors that a person can act on."""

import contextlib
from collections.abc import Iterator

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from pra.base.errors import DiskFull, PraError, UsageError
from pra.offsite.store import NotAllowed, Refusing, Unreachable

_CREDENTIALS = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
    "InvalidToken",
    "403",
)
_FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507")
_REACH = "see that the store can be reached; what is there stays"
_LIKE_NONE = "what answers there does not speak S3 ({})"


@contextlib.contextmanager
def errors(doing: str) -> Iterator[None]:
    """What goes wrong while a store is asked, as an error of ours or as an ``Answer``."""
    try:
        yield
    except ClientError as error:
        raise Answer(doing, error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UsageError(
            doing,
            "there are no credentials, or only half of them",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PRA_OFFSITE_CREDENTIALS to a"
            " file with a section [default]",
        ) from error
    except CredentialRetrievalError as error:
        raise Refusing(doing, str(error), "see what gives this process its credentials") from error
    except (BotoCoreError, ResponseParserError, KeyError) as error:
        raise Unreachable(
            doing,
            _LIKE_NONE.format(error)
            if isinstance(error, (ResponseParserError, KeyError))
            else str(error),
            _REACH,
        ) from error


def refuse_other(answer: dict, field: str, doing: str) -> None:
    """Refuse an answer without a field that every store gives.

    Raises:
        Unreachable
    """
    if field not in answer:
        raise Unreachable(doing, _LIKE_NONE.format(f"no {field}"), _REACH)


class Answer(Exception):
    """What a store answered in place of doing what it was asked.

    Attributes:
        code: its word for it.
        error: the same for people.
    """

    def __init__(self, doing: str, cause: ClientError):
        said = cause.response.get("Error", {})
        self.code = str(said.get("Code", ""))
        super().__init__(self.code)
        happened = f"{self.code}: {said.get('Message', 'it says no more')}"
        self.error = _error_of(self.code, doing, happened)


def _error_of(code: str, doing: str, happened: str) -> PraError:
    if code == "NoSuchBucket":
        return UsageError(doing, happened, "make the bucket, with object lock if the store has it")
    if code in _CREDENTIALS:
        return NotAllowed(doing, happened, "give credentials that may list, read and write there")
    if code == "RequestTimeTooSkewed":
        return Refusing(doing, happened, "set this machine's clock, then try again")
    if code in _FULL:
        return DiskFull(doing, happened, "make room in the store, then try again")
    if code == "NotImplemented":
        return NotAllowed(
            doing, happened, "use a store that honours conditional PUTs (If-None-Match: *)"
        )
    return Refusing(doing, happened, "see what the store says; what is there stays")
