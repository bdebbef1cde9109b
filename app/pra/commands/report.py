"""How a verb reports what it did."""

import argparse
import json
from collections.abc import Callable

Options = argparse.Namespace


def report(options: Options, document: dict, text: Callable[[], str]) -> None:
    """One JSON document on stdout with --json, else lines for a person."""
    print(json.dumps(document, separators=(",", ":")) if options.json else text())
