"""The arguments of ``python -m pra offsite``."""

import argparse
from collections.abc import Callable


def add(one: argparse.ArgumentParser, json_only: Callable) -> None:
    """Add each action with its arguments.

    Args:
        json_only: adds --json.
    """
    actions = one.add_subparsers(dest="action", required=True, parser_class=type(one))
    for name, (text, add_arguments) in _ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text)
        if add_arguments != _fetch:
            json_only(action)
        add_arguments(action)


def _push(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--all-points", action="store_true", help="each verified point, not the newest alone"
    )
    how = one.add_mutually_exclusive_group()
    how.add_argument(
        "--anew",
        action="store_true",
        help="copies of their own beside those there are, for a volume that was rolled back",
    )
    how.add_argument(
        "--same-keys",
        action="store_true",
        help="note that copies which do not say for whom they are were encrypted for these keys",
    )


def _ship(one: argparse.ArgumentParser) -> None:
    """Nothing: how often is in the settings, as the servers know them."""


def _list(one: argparse.ArgumentParser) -> None:
    """Nothing: names are all that is read."""


def _verify(one: argparse.ArgumentParser) -> None:
    _of_copies(one)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--all", action="store_true", help="every object, not what latest needs")
    how.add_argument(
        "--sample",
        type=int,
        default=20,
        metavar="N",
        help="N more objects at random, and one more point (default %(default)s)",
    )


def _fetch(one: argparse.ArgumentParser) -> None:
    # What it writes is the copy.
    _of_copies(one)
    one.add_argument(
        "target",
        nargs="?",
        default="latest",
        metavar="TARGET",
        help="latest (default), a point's name, before:SEQ, or a moment as restore --to takes it",
    )


def _of_copies(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--identity", metavar="FILE", required=True, help="the private key, of age or of SSH"
    )
    one.add_argument("--history", metavar="NAME", help="how its name begins; see offsite list")
    one.add_argument("--work", metavar="DIR", help="where there is room for the database, twice")


def _prune(one: argparse.ArgumentParser) -> None:
    _of_copies(one)
    one.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")


def _keygen(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", metavar="FILE", help="a new file; who has it can read all copies")


def _bucket(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--lock-days",
        type=_days,
        required=True,
        metavar="N",
        help="for how long nobody removes what is copied, its owner neither",
    )


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise argparse.ArgumentTypeError("it has to be from 1 to 36500 days")
    return int(text)


_ACTIONS = {
    "push": ("copy the newest verified point and the journal, encrypted", _push),
    "ship": ("copy what is new every PRA_OFFSITE_SECONDS, until asked to stop", _ship),
    "list": ("list the copies by their names; needs no private key", _list),
    "verify": ("open the newest copy and restore it aside", _verify),
    "fetch": ("write an exported copy to standard output, for adopt", _fetch),
    "prune": ("remove there what PRA_KEEP_* does not keep; needs credentials that may", _prune),
    "keygen": ("make a private key, and print the public one", _keygen),
    "bucket": ("make the bucket, versioned, with object lock in COMPLIANCE mode", _bucket),
}
