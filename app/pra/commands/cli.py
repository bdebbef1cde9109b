"""The command line of ``python -m pra``: arguments, exit codes, errors as text or JSON.

Starting fast counts in a recovery, so the verbs import what they need when they run.
"""

import argparse
import json
import os
import sys

from pra.base import settings
from pra.base.errors import EXIT_IO, PraError, UsageError, from_os_error

_EXIT_CODES = (
    "exit codes: 0 done; 1 refused, or a check failed; 2 wrong use or configuration, or there is"
    " no such point, transaction or moment; 4 input or output failed; 5 somebody else held what"
    " was needed for too long"
)


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit code, as the help lists them."""
    as_json = "--json" in arguments
    try:
        options = _parser(arguments).parse_args(arguments)
        code = _run(settings.load(), options)
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


def _run(config: settings.Settings, options: argparse.Namespace) -> int:
    if options.verb in _ANYWHERE:
        from pra.commands import anywhere as verbs
    else:
        _refuse_without_volumes(config, options.verb)
        from pra.commands import verbs

    act = getattr(verbs, options.verb)
    if options.verb in _ANYWHERE:
        return act(config, options)
    from pra.commands import recorded

    return recorded.run(config, options, act) if recorded.wanted(options) else act(config, options)


def _refuse_without_volumes(config: settings.Settings, verb: str) -> None:
    if config.database_url is not None:
        raise UsageError(
            f"python -m pra {verb}",
            "the events are in PostgreSQL (PRA_DATABASE_URL), and this is for those on volumes",
            "python -m pra status tells of replicas and archive; moments are brought back by"
            " PostgreSQL's own backups and archived write-ahead log",
        )


class _Help(argparse.HelpFormatter):
    """As wide as most terminals: argparse would ask for the width with every argument."""

    def __init__(self, prog: str):
        super().__init__(prog, width=88)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options):
        super().__init__(formatter_class=_Help, **options)

    def error(self, message: str):
        raise UsageError(
            "reading the command line", message, "python -m pra --help shows what there is"
        )


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    """What reads these arguments: of verbs that they do not name it knows the names alone."""
    parser = _Parser(
        prog="python -m pra", description="The workshop's application.", epilog=_EXIT_CODES
    )
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    for name, (text, add_arguments) in _VERBS.items():
        one = verbs.add_parser(name, help=text, description=text)
        if name in arguments:
            add_arguments(one)
    return parser


def _json_only(one: argparse.ArgumentParser) -> None:
    one.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _backup(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument(
        "--accept",
        action="store_true",
        help="take the database as it is, also if most rows are gone (after a wanted mass delete)",
    )
    one.add_argument(
        "--new-volume",
        action="store_true",
        help="after the backup volume was lost: take the empty one in its place",
    )


def _verify(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("names", nargs="*", metavar="NAME")


def _restore(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument(
        "point",
        nargs="?",
        metavar="TARGET",
        help="a point's name, latest, undo, current (what is there becomes the live history),"
        " before:SEQ, or a moment as --to takes it"
        " (default: PRA_RESTORE_POINT)",
    )
    moment = one.add_mutually_exclusive_group()
    moment.add_argument(
        "--to",
        metavar="TIME",
        help="a moment, included: 2026-11-21T10:15:00Z, 2026-11-21T11:15:00+01:00, '10 min ago'",
    )
    moment.add_argument(
        "--to-before", type=int, metavar="SEQ", help="just before that transaction; see log"
    )
    _force_or_plan(one)


def _undo(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    _force_or_plan(one)


def _force_or_plan(one: argparse.ArgumentParser) -> None:
    one.add_argument("--force", action="store_true", help="also what is quarantined or has gaps")
    one.add_argument("--plan", action="store_true", help="say what would be gained and lost")
    _take_over(one)


def _take_over(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--take-over",
        action="store_true",
        help="fill a data volume without a mark also while another one is served",
    )


def _export(one: argparse.ArgumentParser) -> None:
    """Nothing: what it writes is the copy."""


def _adopt(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("file", nargs="?", default="-", metavar="FILE", help="default: standard input")
    one.add_argument("--check", action="store_true", help="only check the file; needs no volumes")
    one.add_argument("--plan", action="store_true", help="say what would be gained and lost")
    _take_over(one)
    one.set_defaults(force=False)


def _moment(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("text", metavar="TIME", help="as restore --to takes it")


def _log(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("--largest", action="store_true", help="those that touch most rows first")
    one.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")


def _prune(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("--dry-run", action="store_true", help="only say what would go")


def _define(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("sql", metavar="SQL", help="such as 'CREATE TABLE ...', in one transaction")


def _migrate(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument(
        "--wait",
        type=float,
        default=0,
        metavar="SECONDS",
        help="how long it may take in all, also to wait for a database that is away (0: 60 s, and"
        " one that is away is not waited for)",
    )


def _offsite(one: argparse.ArgumentParser) -> None:
    from pra.commands import offsite_arguments

    offsite_arguments.add(one, _json_only)


def _dump(one: argparse.ArgumentParser) -> None:
    _json_only(one)
    one.add_argument("--point", metavar="NAME", help="of this point instead of the database")


#: What each verb does, and what adds its arguments.
_VERBS = {
    "serve": ("serve the application over HTTP", _json_only),
    "backup": ("make a verified restore point", _backup),
    "points": ("list the restore points, newest first, and the journal's reach", _json_only),
    "verify": ("check points completely (all by default)", _verify),
    "restore": (
        "bring a moment back: a point, the latest, a time, before a transaction",
        _restore,
    ),
    "undo": ("bring back what was there before the last restore", _undo),
    "export": (
        "write an exported copy, one file with the whole database, to standard output",
        _export,
    ),
    "adopt": ("make an exported copy the database; what was there is kept", _adopt),
    "moment": ("say which moment a text means, in UTC", _moment),
    "log": ("list the journal's transactions, newest first", _log),
    "prove": (
        "write a transaction that changes no row, and find it in the journal",
        _json_only,
    ),
    "define": ("change the tables, and make the journal's new base", _define),
    "prune": ("remove what the retention settings no longer keep", _prune),
    "offsite": ("keep encrypted copies in a bucket or a folder, and bring them back", _offsite),
    "status": ("say how many events there are and how they are protected", _json_only),
    "migrate": ("give PostgreSQL the tables that this version wants", _migrate),
    "about": ("say what the application runs on: versions, kernel, file systems", _json_only),
    "dump": ("write every row as JSON lines", _dump),
}
#: Those that work whichever database has the events.
_ANYWHERE = {"serve", "status", "migrate", "about", "moment", "dump"}


def _fail(error: PraError, as_json: bool) -> int:
    if as_json:
        # A job passes on what its pod wrote, and not its exit code.
        document = {
            "status": "error",
            "error": str(error),
            "next": error.next_step,
            "exit_code": error.exit_code,
        }
        print(json.dumps(document, separators=(",", ":")))
    else:
        print(f"pra: {error}\nnext: {error.next_step}", file=sys.stderr)
    return error.exit_code
