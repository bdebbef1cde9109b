"""Copies in a bucket of any store that speaks S3 and honours conditional PUTs."""

import contextlib
import os
from collections.abc import Iterator, Sequence

import boto3
import botocore.session
from botocore.config import Config

from pra.base.offsite_place import Place
from pra.offsite import answers, parallel
from pra.offsite.answers import Answer
from pra.offsite.locking import Locks
from pra.offsite.store import NotAllowed

#: How long a store may take for an answer, in seconds.
READ_TIMEOUT = 30
_TAKEN = ("PreconditionFailed", "412")
#: Two PUTs of one name at once: the store asks to come again.
_AGAIN, _TIMES = "ConditionalRequestConflict", 5
_ABSENT = ("NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed")


class BucketStore:
    """Objects of a bucket below a prefix."""

    def __init__(self, place: Place, credentials: str | None):
        self.shown = place.shown
        self._bucket, self._prefix = place.bucket, place.prefix
        session = botocore.session.Session()
        if credentials is not None:
            session.set_config_variable("credentials_file", credentials)
            # Variables of who types it (AWS_ACCESS_KEY_ID, AWS_PROFILE) come first otherwise.
            session.set_config_variable("profile", "default")
        options = Config(
            connect_timeout=5,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={"addressing_style": "path"} if place.endpoint else None,
        )
        with answers.errors(f"looking for the copies in {self.shown}"):
            self._client = boto3.Session(botocore_session=session).client(
                "s3",
                endpoint_url=place.endpoint,
                # Stores of one's own have none, and signatures need a word.
                region_name=place.region or session.get_config_variable("region") or "us-east-1",
                config=options,
            )
        self._locks = Locks(self._client, self._bucket, self._prefix, self.shown)

    def put(self, name: str, data: bytes) -> bool:
        """As the protocol says."""
        for left in reversed(range(_TIMES)):
            try:
                with self._errors("writing a copy"):
                    self._client.put_object(
                        Bucket=self._bucket, Key=self._prefix + name, Body=data, IfNoneMatch="*"
                    )
                return True
            except Answer as answer:
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
                # A page that asks people to sign in reads as an empty listing.
                answers.refuse_other(page, "Name", f"listing the copies in {self.shown}")
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
        # None, for who may not look; whoever could not for a while has to hear of it.
        with contextlib.suppress(NotAllowed), self._said("looking for versions of a copy"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix + name
            )
            return [
                one["VersionId"]
                for page in pages
                for one in page.get("Versions", [])
                if one["Key"] == self._prefix + name
            ]
        return []

    def _content(self, name: str, limit: int, **version: str) -> bytes | None:
        try:
            with self._errors("reading a copy"):
                answer = self._client.get_object(
                    Bucket=self._bucket, Key=self._prefix + name, **version
                )
                with contextlib.closing(answer["Body"]) as body:
                    if answer.get("ContentLength", 0) > limit:
                        return None
                    content = bytearray()
                    while part := body.read(limit + 1 - len(content)):
                        content += part
                    return bytes(content) if len(content) <= limit else None
        except Answer as answer:
            if answer.code in _ABSENT:
                return None
            raise answer.error from answer

    def remove(self, names: Sequence[str]) -> dict[str, float]:
        """As the protocol says."""
        if not names:
            return {}
        below = os.path.commonprefix(names).rpartition("/")[0]
        versions = self._versions(below)
        known = [(name, versions.get(name) or [None]) for name in names]
        held = parallel.in_order(lambda one: (one[0], self._remove(*one)), known)
        return {name: until for name, until in held if until is not None}

    def _remove(self, name: str, versions: list[str | None]) -> float | None:
        """Remove versions; until when a lock holds one of them, None if all are gone."""
        held = []
        for version in versions:
            more = {"VersionId": version} if version else {}
            try:
                with self._errors("removing a copy"):
                    self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name, **more)
            except Answer as answer:
                until = self._locks.until(name, more)
                if until is None:
                    raise answer.error from answer
                held.append(until)
        return max(held, default=None)

    def _versions(self, prefix: str) -> dict[str, list[str]]:
        """Every version, and every delete marker, by name."""
        found: dict[str, list[str]] = {}
        with self._said("looking for versions of the copies"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    name = one["Key"][len(self._prefix) :]
                    found.setdefault(name, []).append(one["VersionId"])
        return found

    def hide(self, name: str) -> None:
        """As the protocol says."""
        with self._said("taking a name out of the listing"):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def sweep(self) -> int:
        """As the protocol says: an upload is one request, of which nothing is left."""
        return 0

    def make(self, lock_days: int) -> bool:
        """Make the bucket, with versions that nobody removes for so many days.

        Returns:
            Whether it was not there; one that is there is locked from now on.

        Raises:
            PraError: the store refuses, or has no object lock.
        """
        where = {}
        region = self._client.meta.region_name
        if self._client.meta.endpoint_url.endswith(".amazonaws.com") and region != "us-east-1":
            where["CreateBucketConfiguration"] = {"LocationConstraint": region}
        made = True
        try:
            with self._errors("making the bucket"):
                self._client.create_bucket(
                    Bucket=self._bucket, ObjectLockEnabledForBucket=True, **where
                )
        except Answer as answer:
            if answer.code != "BucketAlreadyOwnedByYou":
                raise answer.error from answer
            made = False
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": lock_days}}
        with self._said("locking the bucket"):
            self._client.put_object_lock_configuration(
                Bucket=self._bucket,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )
        return made

    def lock(self) -> str | None:
        """As the protocol says."""
        return self._locks.missing()

    def renew(self, names: Sequence[str]) -> str | None:
        """As the protocol says."""
        return self._locks.renew(names)

    @contextlib.contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        """Errors of the store as such of ours."""
        try:
            with self._errors(doing):
                yield
        except Answer as answer:
            raise answer.error from answer

    def _errors(self, doing: str) -> contextlib.AbstractContextManager[None]:
        """As ``_said``, with what the store answered as ``Answer``."""
        return answers.errors(f"{doing} in {self.shown}")
