"""The verbs of volumes: each does one thing, reports it as text or JSON, returns its exit code."""

import contextlib
import sys
from typing import TYPE_CHECKING

from pra.base import clock
from pra.base.errors import EXIT_REFUSED, UsageError
from pra.base.settings import Settings
from pra.commands.report import Options, report

if TYPE_CHECKING:
    from pra.points.catalogue import Point
    from pra.recovery.arguments import Asked


def backup(config: Settings, options: Options) -> int:
    """Make a point, then remove what retention no longer keeps."""
    from pra.protect import backup as maker
    from pra.protect import new_volume
    from pra.state import mode

    if options.new_volume:
        made = new_volume.run(config)
    else:
        config = mode.for_verb(config, "making a backup")
        made = maker.run(config, options.accept)
    return _made(config, options, made)


def define(config: Settings, options: Options) -> int:
    """Change the tables, and make the journal's new base."""
    from pra.protect import define as definer
    from pra.state import mode

    config = mode.for_verb(config, "changing the tables")
    return _made(config, options, definer.run(config, options.sql))


def _made(config: Settings, options: Options, made: "Point") -> int:
    """Report a point that was made; a suspect one is a refusal."""
    from pra.points import catalogue as catalogue
    from pra.protect import notices

    point = made.as_dict(clock.now())
    told = notices.found(config, catalogue.scan(config.layout))
    for notice in told:
        print(f"pra: {notice.what}\nnext: {notice.next}", file=sys.stderr)
    listed = [notice.as_dict() for notice in told]
    if point["status"] == "verified":
        report(
            options,
            {"status": "ok", "point": point, "notices": listed},
            lambda: f"{point['name']}: {point['rows']} rows, {point['bytes']} bytes, verified",
        )
        return 0
    document = {
        "status": "quarantined",
        "point": point,
        "notices": listed,
        "error": f"{point['name']} is quarantined: {point['reason']}",
        "next": notices.after_a_loss(config, point["reason"]),
        "exit_code": EXIT_REFUSED,
    }
    report(options, document, lambda: f"{document['error']}\nnext: {document['next']}")
    return EXIT_REFUSED


def points(config: Settings, options: Options) -> int:
    """List the points and the journal's reach."""
    from pra.pitr import bounds
    from pra.points import catalogue as catalogue
    from pra.state import identity, mode

    known = catalogue.scan(config.layout)
    newest = catalogue.latest(known)
    now = clock.now()
    listed = [point.as_dict(now) for point in known]
    journal = bounds.summary(config.layout, known)
    document = {
        "points": listed,
        "latest": newest.name if newest else None,
        "journal": {"mode": mode.shown(config), **journal} if journal else None,
        "registry": identity.faults(config.layout),
    }
    lines = [*map(_line, listed), _reach_line(journal), *document["registry"]]
    report(options, document, lambda: "\n".join(lines))
    return 0


def _line(point: dict) -> str:
    rows = "?" if point["rows"] is None else point["rows"]
    return (
        f"{point['name']}  {point['created']}  {rows:>9} rows  {point['bytes']:>12} bytes  "
        f"{point['status']}{'  ' + point['reason'] if point['reason'] else ''}"
    )


def _reach_line(journal: dict | None) -> str:
    if journal is None or journal["from"] is None:
        return "no journal"
    lines = [f"any moment from {journal['from']} to {journal['to']}"]
    if journal["damage"]:
        lines.append(f"WARNING: the journal is damaged: {journal['damage']}")
    if journal["doubt"]:
        lines.append(f"WARNING: the journal's end is in doubt: {journal['doubt']}")
    return "\n".join(lines)


def verify(config: Settings, options: Options) -> int:
    """Check points completely."""
    from pra.points import verify as checker

    result = checker.check_all(config.layout, options.names)
    report(
        options,
        result,
        lambda: "\n".join(
            f"{one['name']}  {'sound' if one['ok'] else one['reason']}" for one in result["points"]
        ),
    )
    return 0 if result["ok"] else EXIT_REFUSED


def restore(config: Settings, options: Options) -> int:
    """Bring a moment back, or plan it."""
    from pra.recovery import arguments

    return _restore(config, options, arguments.of_options(config, options))


def undo(config: Settings, options: Options) -> int:
    """Bring back what was there before the last restore, or plan it."""
    from pra.recovery import arguments

    return _restore(config, options, arguments.undo())


def _restore(config: Settings, options: Options, asked: "Asked") -> int:
    from pra.commands import answers
    from pra.state import mode

    config = mode.for_verb(config, "restoring")
    force = options.force or config.restore_force
    if options.plan:
        from pra.recovery import plan

        planned = plan.run(config, asked.choose, force)
        report(options, planned, lambda: answers.planned(planned))
        return 0
    from pra.recovery import restore as restorer

    if options.take_over:
        config = config._replace(restore_take_over=True)
    result = restorer.run(config, asked.choose, force, asked.target)
    report(options, result, lambda: answers.restored(result))
    return 0


def export(config: Settings, options: Options) -> int:
    """Write an exported copy to standard output."""
    from pra.protect import export as exporter
    from pra.state import mode

    if sys.stdout.isatty():
        raise UsageError(
            "exporting", "standard output is a terminal", "python -m pra export > copy.tar"
        )
    exporter.run(mode.for_verb(config, "exporting"), sys.stdout.buffer)
    return 0


def adopt(config: Settings, options: Options) -> int:
    """Make an exported copy the database, or plan that, or only check the file."""
    from pra.points import archive

    with _opened(options.file) as stream:
        if not options.check:
            from pra.recovery import arguments

            return _restore(config, options, arguments.adopt(archive.Copy(stream)))
        found = archive.check(stream)
    report(
        options,
        {"status": "sound", **found},
        lambda: f"sound: {found['rows']} rows as of {found['created']}",
    )
    return 0


def _opened(name: str):
    if name == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    return open(name, "rb")


def log(config: Settings, options: Options) -> int:
    """List the journal's transactions."""
    from pra.journal import log as journal_log

    found = journal_log.transactions(config.layout, options.largest, options.limit)
    report(
        options,
        {"transactions": found},
        lambda: "\n".join(
            f"{one['seq']:>10}  {one['time']}  +{one['added']} ~{one['changed']} -{one['deleted']}"
            for one in found
        ),
    )
    return 0


def prove(config: Settings, options: Options) -> int:
    """Prove that writes are journaled."""
    from pra.data import proof
    from pra.state import mode

    result = proof.run(mode.for_verb(config, "proving that writes are journaled", exactly=True))
    report(
        options,
        result,
        lambda: (
            f"transaction {result['seq']} is in the journal, and changed nothing"
            if result["status"] == "journaled"
            else "there is no journal: the servers run with PRA_JOURNAL=off"
        ),
    )
    return 0


def prune(config: Settings, options: Options) -> int:
    """Remove what retention no longer keeps."""
    from pra.protect import retention

    result = retention.run(config, options.dry_run)
    report(
        options,
        result,
        lambda: (
            f"{'would remove' if options.dry_run else 'removed'} {len(result['removed'])} points"
            f" and {result['segments']} segments, {result['bytes']} bytes"
        ),
    )
    return 0


def offsite(config: Settings, options: Options) -> int:
    """Copy elsewhere, look at the copies, or bring them back."""
    from pra.commands import offsite as actions

    return actions.ACTIONS[options.action](config, options)
