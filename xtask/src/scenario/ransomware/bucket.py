"""Empties the copies of one lab, as far as the store lets its own credentials.

Says as JSON what came of it. The name of the history is the argument: what others have in the
same bucket is left alone. What holds for the whole bucket is put back where it could be changed,
since it holds for them as well.
"""

import datetime
import json
import os
import sys

from botocore.exceptions import ClientError

from pra.base import settings
from pra.offsite import parallel, stores

GARBAGE = 64
EVERY_WAY = ({}, {"BypassGovernanceRetention": True})

store = stores.of(settings.load())
client, bucket = store._client, store._bucket
below = f"{store._prefix}{sys.argv[1]}/"


def refused(change, **what):
    """Whether the store forbids it; that it does not answer is another thing."""
    try:
        change(Bucket=bucket, **what)
        return False
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500 and status != 501:
            raise
        return True


def versions():
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=below)
    return [
        {"Key": one["Key"], "VersionId": one["VersionId"]}
        for page in pages
        for one in page.get("Versions", [])
    ]


def stays(one):
    return all(refused(client.delete_object, **one, **way) for way in EVERY_WAY)


def stays_locked(one):
    """Whether a version cannot be removed, also by who tries to make its lock a weaker one."""
    if not stays(one):
        return False
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": soon}
    kept = [
        refused(client.put_object_retention, **one, Retention=weaker, **way) for way in EVERY_WAY
    ]
    return all(kept) or stays(one)


def garbage_refused(name):
    return refused(client.put_object, Key=name, Body=os.urandom(GARBAGE))


def removal_refused(name):
    return refused(client.delete_object, Key=name)


def count(tried):
    return sum(not stayed for stayed in tried)


def rules_changed():
    """How many of the bucket's own rules could be weakened; they are as before."""
    rule = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    without = {"ObjectLockEnabled": "Enabled"}
    changes = (
        (client.put_object_lock_configuration, "ObjectLockConfiguration", without, rule),
        (
            client.put_bucket_versioning,
            "VersioningConfiguration",
            {"Status": "Suspended"},
            {"Status": "Enabled"},
        ),
    )
    changed = 0
    for change, name, weaker, before in changes:
        if not refused(change, **{name: weaker}):
            change(Bucket=bucket, **{name: before})
            changed += 1
    return changed, len(changes) - changed


found = versions()
names = sorted({one["Key"] for one in found})
kept = list(parallel.in_order(stays_locked, found))
overwritten = count(parallel.in_order(garbage_refused, names))
removed = count(parallel.in_order(removal_refused, names))
changed, unchanged = rules_changed()
listed = client.list_objects_v2(Bucket=bucket, Prefix=below)["KeyCount"]
print(
    json.dumps(
        {
            "objects": len(names),
            "overwritten": overwritten,
            "removed": removed,
            "listed": listed,
            "versions": len(found),
            "versions_removed": count(kept),
            "versions_refused": sum(kept),
            "rules_changed": changed,
            "rules_refused": unchanged,
        }
    )
)
