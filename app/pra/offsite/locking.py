"""The object lock of a bucket: whether there is one, until when it holds, and renewing it."""

import datetime
from collections.abc import Sequence

from pra.base import clock
from pra.offsite import answers, parallel
from pra.offsite.answers import Answer

_NONE = (
    "ObjectLockConfigurationNotFoundError",
    "NoSuchObjectLockConfiguration",
    "NotImplemented",
    "404",
)
_DAY = 86_400


class Locks:
    """The locks of what is in a bucket below a prefix."""

    def __init__(self, client, bucket: str, prefix: str, shown: str):
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._shown = shown

    def missing(self) -> str | None:
        """What is missing so that nobody can remove a copy before its time; None if nothing is."""
        try:
            rule = self._rule()
        except Answer as answer:
            if answer.code in _NONE:
                return "the bucket has no object lock"
            return f"whether the bucket has an object lock is unknown: {answer.error.happened}"
        if _days(rule):
            return None
        return "the bucket's object lock has no default retention in COMPLIANCE mode"

    def _rule(self) -> dict:
        with answers.errors(f"asking for the bucket's object lock in {self._shown}"):
            known = self._client.get_object_lock_configuration(Bucket=self._bucket)
        return known.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})

    def until(self, name: str, version: dict[str, str] | None = None) -> float | None:
        """Until when an object is locked, in seconds since 1970; None if it is not."""
        try:
            with answers.errors(f"asking how long a copy is locked in {self._shown}"):
                answer = self._client.get_object_retention(
                    Bucket=self._bucket, Key=self._prefix + name, **(version or {})
                )
        except Answer:
            return None
        until = answer.get("Retention", {}).get("RetainUntilDate")
        return until.timestamp() if until and until.timestamp() > clock.now() else None

    def renew(self, names: Sequence[str]) -> str | None:
        """Lock objects for the whole time of the bucket's rule, those that are past half of it.

        Returns:
            What could not be renewed, and why, as a sentence; None where nothing is amiss.
        """
        try:
            days = _days(self._rule())
        except Answer:
            days = 0
        if not days:
            # That is said already.
            return None
        until = clock.now() + days * _DAY
        failed = [
            reason
            for reason in parallel.in_order(lambda name: self._renewed(name, until, days), names)
            if reason
        ]
        if not failed:
            return None
        return (
            f"the lock of {len(failed)} objects that the newest point needs cannot be renewed"
            f" ({failed[0]}): allow s3:GetObjectRetention and s3:PutObjectRetention"
        )

    def _renewed(self, name: str, until: float, days: int) -> str | None:
        held = self.until(name)
        if held is not None and held > until - days * _DAY / 2:
            return None
        moment = datetime.datetime.fromtimestamp(until, datetime.timezone.utc)
        try:
            with answers.errors(f"renewing a lock in {self._shown}"):
                self._client.put_object_retention(
                    Bucket=self._bucket,
                    Key=self._prefix + name,
                    Retention={"Mode": "COMPLIANCE", "RetainUntilDate": moment},
                )
        except Answer as answer:
            return answer.error.happened
        return None


def _days(rule: dict) -> int:
    """For how many days a rule locks what comes, so that nobody removes it; 0: it does not."""
    if rule.get("Mode") != "COMPLIANCE":
        return 0
    return rule.get("Days") or 365 * (rule.get("Years") or 0)
