"""The verbs of ``python -m pra``. Each imports what it needs when it runs: starting fast counts."""

import argparse
import json
import os
import sys

from pra import clock, settings
from pra.errors import EXIT_IO, EXIT_REFUSED, PraError, UsageError, from_os_error
from pra.layout import Layout


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit code.

    0 done; 1 refused, or a check failed; 2 wrong use or configuration; 4 input or output failed.
    """
    as_json = "--json" in arguments
    try:
        options = _parser().parse_args(arguments)
        code = options.run(settings.load(), options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader went away; pointing stdout elsewhere keeps the exit quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_IO
    except PraError as error:
        return _fail(error, as_json)
    except OSError as error:
        return _fail(from_os_error("python -m pra " + " ".join(arguments[:1]), error), as_json)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UsageError(
            "reading the command line", message, "python -m pra --help shows what there is"
        )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m pra", description="The workshop's application.")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)

    def verb(name, run, text):
        one = verbs.add_parser(name, help=text, description=text)
        one.add_argument("--json", action="store_true", help="one JSON document on stdout")
        one.set_defaults(run=run)
        return one

    verb("serve", _serve, "serve the application over HTTP")
    one = verb("backup", _backup, "make a verified restore point")
    one.add_argument(
        "--accept",
        action="store_true",
        help="take the database as it is, also if most rows are gone (after a wanted mass delete)",
    )
    verb("points", _points, "list the restore points, newest first")
    one = verb("verify", _verify, "check points completely (all by default)")
    one.add_argument("names", nargs="*", metavar="NAME")
    one = verb("restore", _restore, "bring a point back")
    one.add_argument("point", nargs="?", metavar="NAME|latest")
    one.add_argument("--force", action="store_true", help="also a quarantined or damaged point")
    one = verb("dump", _dump, "write every row as JSON lines")
    one.add_argument("--point", metavar="NAME", help="of this point instead of the database")
    return parser


def _fail(error: PraError, as_json: bool) -> int:
    if as_json:
        _print_json({"status": "error", "error": str(error), "next": error.next_step})
    else:
        print(f"pra: {error}\nnext: {error.next_step}", file=sys.stderr)
    return error.exit_code


def _print_json(document: dict) -> None:
    print(json.dumps(document, separators=(",", ":")))


def _where(config: settings.Settings) -> Layout:
    return Layout(config.data_dir, config.backup_dir)


def _serve(config, options) -> int:
    from pra import serve

    return serve.run(config)


def _backup(config, options) -> int:
    from pra import backup

    point = backup.run(config, options.accept).as_dict(clock.now())
    verified = point["status"] == "verified"
    document = {"status": "ok" if verified else "quarantined", "point": point}
    if not verified:
        document["error"] = f"{point['name']} is quarantined: {point['reason']}"
        document["next"] = (
            "restore latest, or, if the rows were deleted on purpose: backup --accept"
        )
    if options.json:
        _print_json(document)
    elif verified:
        print(f"{point['name']}: {point['rows']} rows, {point['bytes']} bytes, verified")
    else:
        print(f"pra: {document['error']}\nnext: {document['next']}", file=sys.stderr)
    return 0 if verified else EXIT_REFUSED


def _points(config, options) -> int:
    from pra import points

    known = points.scan(_where(config))
    newest = points.latest(known)
    now = clock.now()
    listed = [point.as_dict(now) for point in known]
    if options.json:
        latest = newest.name if newest else None
        _print_json({"points": listed, "latest": latest, "journal": None})
        return 0
    for point in listed:
        rows = "?" if point["rows"] is None else point["rows"]
        print(
            f"{point['name']}  {point['created']}  {rows:>9} rows  {point['bytes']:>12} bytes  "
            f"{point['status']}{'  ' + point['reason'] if point['reason'] else ''}"
        )
    return 0


def _verify(config, options) -> int:
    from pra import verify

    result = verify.check_all(_where(config), options.names)
    if options.json:
        _print_json(result)
    else:
        for one in result["points"]:
            print(f"{one['name']}  {'sound' if one['ok'] else one['reason']}")
    return 0 if result["ok"] else EXIT_REFUSED


def _restore(config, options) -> int:
    from pra import restore

    result = restore.run(config, options.point or config.restore_point, options.force)
    if options.json:
        _print_json(result)
    else:
        print(f"{result['point']} is back: {result['rows']} rows")
        print(f"what was there before: {result['safety_point'] or 'nothing'}")
    return 0


def _dump(config, options) -> int:
    from pra import dump

    dump.run(config, options.point, sys.stdout)
    return 0
