"""Copies in a bucket of any store that speaks S3 and honours conditional PUTs."""

import contextlib
from collections.abc import Iterator

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from pra.base.errors import DiskFull, PraError, UsageError
from pra.base.offsite_place import Place
from pra.offsite.store import Refusing, Unreachable

#: How long a store may take for an answer, in seconds.
READ_TIMEOUT = 30
_TAKEN = ("PreconditionFailed", "412")
#: Two PUTs of one name at once: the store asks to come again.
_AGAIN, _TIMES = "ConditionalRequestConflict", 5
_ABSENT = ("NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed")
_CREDENTIALS = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "403",
)
_FULL = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507")
_NO_LOCK = "ObjectLockConfigurationNotFoundError"


class BucketStore:
    """Objects of a bucket below a prefix."""

    def __init__(self, place: Place, credentials: str | None):
        self.shown = place.shown
        self._bucket, self._prefix = place.bucket, place.prefix
        session = botocore.session.Session()
        if credentials is not None:
            session.set_config_variable("credentials_file", credentials)
        options = Config(
            connect_timeout=5,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={"addressing_style": "path"} if place.endpoint else None,
        )
        with self._errors("looking for the copies"):
            self._client = boto3.Session(botocore_session=session).client(
                "s3",
                endpoint_url=place.endpoint,
                # Stores of one's own have none, and signatures need a word.
                region_name=place.region or session.get_config_variable("region") or "us-east-1",
                config=options,
            )

    def put(self, name: str, data: bytes) -> bool:
        """As the protocol says."""
        for left in reversed(range(_TIMES)):
            try:
                with self._errors("writing a copy"):
                    self._client.put_object(
                        Bucket=self._bucket, Key=self._prefix + name, Body=data, IfNoneMatch="*"
                    )
                return True
            except _Answer as answer:
                if answer.code in _TAKEN:
                    return False
                if answer.code != _AGAIN or not left:
                    raise answer.error from answer
        raise AssertionError("unreachable")

    def sizes(self, prefix: str, hidden: bool = False) -> dict[str, int]:
        """As the protocol says."""
        operation, field = ("list_objects_v2", "Contents")
        if hidden:
            operation, field = "list_object_versions", "Versions"
        found: dict[str, int] = {}
        with self._said("listing the copies"):
            pages = self._client.get_paginator(operation).paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for one in page.get(field, []):
                    name = one["Key"][len(self._prefix) :]
                    found[name] = max(found.get(name, 0), one["Size"])
        return found

    def versions(self, name: str, limit: int) -> Iterator[bytes]:
        """As the protocol says; older versions are asked for only when they are wanted."""
        newest = self._content(name, limit)
        if newest is not None:
            yield newest
        for version in self._older(name):
            content = self._content(name, limit, VersionId=version)
            if content is not None and content != newest:
                yield content

    def _older(self, name: str) -> list[str]:
        with self._said("looking for versions of a copy"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix + name
            )
            return [
                one["VersionId"]
                for page in pages
                for one in page.get("Versions", [])
                if one["Key"] == self._prefix + name
            ]

    def _content(self, name: str, limit: int, **version: str) -> bytes | None:
        try:
            with self._errors("reading a copy"):
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=self._prefix + name, **version
                )
                with contextlib.closing(answer["Body"]) as body:
                    if answer["ContentLength"] > limit:
                        return None
                    return body.read()
        except _Answer as answer:
            if answer.code in _ABSENT:
                return None
            raise answer.error from answer

    def lock(self) -> str | None:
        """As the protocol says."""
        try:
            with self._errors("asking for the bucket's object lock"):
                known = self._client.get_object_lock_configuration(Bucket=self._bucket)
        except _Answer as answer:
            if answer.code in (_NO_LOCK, "NotImplemented", "404", "NoSuchObjectLockConfiguration"):
                return "the bucket has no object lock"
            return f"whether the bucket has an object lock is unknown: {answer.error.happened}"
        rule = known.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        if rule.get("Mode") == "COMPLIANCE" and (rule.get("Days") or rule.get("Years")):
            return None
        return "the bucket's object lock has no default retention in COMPLIANCE mode"

    @contextlib.contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        """Errors of the store as such of ours."""
        try:
            with self._errors(doing):
                yield
        except _Answer as answer:
            raise answer.error from answer

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """As ``_said``, with what the store answered as ``_Answer``."""
        doing = f"{doing} in {self.shown}"
        try:
            yield
        except ClientError as error:
            raise _Answer(doing, error) from error
        except NoCredentialsError as error:
            raise UsageError(
                doing,
                "there are no credentials",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or PRA_OFFSITE_CREDENTIALS to a"
                " file with a section [default]",
            ) from error
        except BotoCoreError as error:
            raise Unreachable(
                doing, str(error), "see that the store can be reached; what is there stays"
            ) from error


class _Answer(Exception):
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
        return Refusing(doing, happened, "give credentials that may list, read and write there")
    if code == "RequestTimeTooSkewed":
        return Refusing(doing, happened, "set this machine's clock, then try again")
    if code in _FULL:
        return DiskFull(doing, happened, "make room in the store, then try again")
    if code == "NotImplemented":
        return Refusing(
            doing, happened, "use a store that honours conditional PUTs (If-None-Match: *)"
        )
    return Refusing(doing, happened, "see what the store says; what is there stays")
