"""What ``python -m pra offsite`` does."""

import signal
import sys
from typing import TYPE_CHECKING

from pra.base import clock, layout
from pra.base.errors import EXIT_REFUSED, PraError, UsageError
from pra.base.settings import Settings
from pra.commands.report import Options, report

if TYPE_CHECKING:
    from pra.offsite.copies import Objects
    from pra.offsite.fetch import Asking


def push(config: Settings, options: Options) -> int:
    """Copy elsewhere what is not there yet."""
    from pra.offsite import push as pusher
    from pra.state import mode

    how = mode.for_verb(config, "copying elsewhere")
    done = pusher.run(how, options.all_points, options.anew, options.same_keys)
    report(options, done, lambda: "\n".join(_pushed(done)))
    return EXIT_REFUSED if done["faults"] else 0


def _pushed(done: dict) -> list[str]:
    lines = [
        f"{done['place']}: {done['objects']} objects, {done['bytes']} bytes were sent;"
        f" points there: {', '.join(done['points']) or 'none'}"
    ]
    lines += [f"NOT COPIED: {one}" for one in done["faults"]]
    return lines + ([f"WARNING: {done['lock']}"] if done["lock"] else [])


def ship(config: Settings, options: Options) -> int:
    """Copy what is new until asked to stop."""
    from pra.offsite import ship as shipper
    from pra.state import mode

    shipper.until_stopped(mode.for_verb(config, "copying elsewhere"))
    return 0


def listing(config: Settings, options: Options) -> int:
    """List the copies by their names."""
    from pra.offsite import copies, stores

    store, own = stores.of(config), _own(config)
    seen = {one.history: one for one in copies.histories(store)}
    # Also what somebody deleted, where the store keeps that: adopt and verify read it.
    all_of_them, looked = copies.with_hidden(store)
    hidden = {one.history: one for one in all_of_them}
    found = [
        {**_listed(one), "own": name == own, "hidden": name not in seen}
        for name, one in sorted({**hidden, **seen}.items())
    ]
    document = {"place": store.shown, "histories": found, "deleted_seen": looked}
    lines = [*map(_line, found)] or ["there are no copies"]
    if not looked:
        lines.append(
            "what somebody deleted is not told: the credentials may not list versions"
            " (s3:ListBucketVersions)"
        )
    report(options, document, lambda: "\n".join(lines))
    return 0


def _own(config: Settings) -> str | None:
    """The history of the backup volume that is at hand; None where there is none."""
    from pra.offsite import push as pusher

    try:
        return pusher.key_of(config.layout).history
    except (PraError, OSError):
        return None


def _listed(objects: "Objects") -> dict:
    names = [layout.point_name(one.epoch) for one in objects.points]
    return {
        "history": objects.history,
        "points": names,
        "newest": clock.rfc3339(objects.points[0].epoch) if names else None,
        "segments": len(objects.pieces),
        "objects": objects.count,
        "bytes": objects.bytes,
    }


def _line(one: dict) -> str:
    return (
        f"{one['history'][:12]}  {len(one['points'])} points, newest {one['newest'] or 'none'};"
        f" {one['segments']} segments of the journal; {one['bytes']} bytes"
        f"{'; of the backup volume here' if one['own'] else ''}"
        f"{'; DELETED by somebody, and kept by the store' if one['hidden'] else ''}\n"
        + "\n".join(f"  {name}" for name in one["points"])
    )


def _end_tidily() -> None:
    """Have a SIGTERM end what runs as Ctrl-C does: what was decrypted aside goes with it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def verify(config: Settings, options: Options) -> int:
    """Open the newest copy, or all, and restore it aside."""
    _end_tidily()
    from pra.offsite import check

    found = check.run(config, _asking(options, "latest"), options.all, options.sample)
    report(options, found, lambda: "\n".join(_verified(found)))
    return 0 if found["ok"] else EXIT_REFUSED


def _verified(found: dict) -> list[str]:
    latest = found["latest"]
    lines = [f"{one['name']}  {one['reason'] or 'sound'}" for one in found["points"]]
    if latest:
        lines.append(f"latest can be restored: {latest['rows']} rows")
    if found["proven"]:
        lines.append(f"noted beside the copies: proven at {clock.rfc3339(found['proven'])}")
    elif found["ok"]:
        lines.append(f"NOT NOTED: {found['unnoted']}")
    return lines + [f"DAMAGED: {one}" for one in found["faults"]]


def fetch(config: Settings, options: Options) -> int:
    """Write an exported copy of a moment to standard output."""
    from pra.offsite import fetch as fetcher

    if sys.stdout.isatty():
        raise UsageError(
            "fetching a copy",
            "standard output is a terminal",
            "send it to a file: python -m pra offsite fetch --identity FILE > copy.tar",
        )
    _end_tidily()
    done = fetcher.run(config, _asking(options, options.target), sys.stdout.buffer)
    lines = [f"pra: {done['goal']}: {done['rows']} rows"]
    lines += [f"pra: WARNING: {one}" for one in [*done["warnings"], *done["faults"]]]
    print("\n".join(lines), file=sys.stderr)
    return 0


def _asking(options: Options, target: str) -> "Asking":
    from pra.offsite import crypt
    from pra.offsite.fetch import Asking

    identity = crypt.read_identity(options.identity)
    return Asking(identity, target, options.history, options.work)


def prune(config: Settings, options: Options) -> int:
    """Remove there what is not kept."""
    from pra.offsite import prune as pruner

    _end_tidily()
    done = pruner.run(config, _asking(options, "latest"), options.dry_run)
    report(options, done, lambda: "\n".join(_pruned(done)))
    return EXIT_REFUSED if done["faults"] else 0


def _pruned(done: dict) -> list[str]:
    held = done["held"]
    lines = [
        f"{'would remove' if done['dry_run'] else 'removed'} {len(done['points'])} points and"
        f" {done['segments']} segments: {done['objects']} objects, {done['bytes']} bytes"
    ]
    if held["objects"]:
        lines.append(
            f"a lock still holds {held['objects']} objects, {held['bytes']} bytes, until"
            f" {held['until']} at the latest"
        )
    if done["leftovers"]:
        lines.append(f"{done['leftovers']} files of uploads that were killed are gone")
    return lines + [f"NOT READ: {one}" for one in done["faults"]]


def keygen(config: Settings, options: Options) -> int:
    """Make a private key, and print the public one."""
    from pra.offsite import crypt

    public = crypt.make_identity(options.file)
    report(options, {"public": public, "file": options.file}, lambda: public)
    return 0


def bucket(config: Settings, options: Options) -> int:
    """Make the bucket, versioned and locked."""
    from pra.offsite import stores
    from pra.offsite.bucket import BucketStore

    store = stores.of(config)
    if not isinstance(store, BucketStore):
        raise UsageError(
            "making the bucket", f"{store.shown} is a folder", "set PRA_OFFSITE to s3://BUCKET"
        )
    made = store.make(options.lock_days)
    done = {"place": store.shown, "made": made, "lock_days": options.lock_days}
    report(options, done, lambda: f"{store.shown}: locked for {options.lock_days} days")
    return 0


#: By the word for each on the command line.
ACTIONS = {
    "push": push,
    "ship": ship,
    "list": listing,
    "verify": verify,
    "fetch": fetch,
    "prune": prune,
    "keygen": keygen,
    "bucket": bucket,
}
