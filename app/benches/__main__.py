"""``python -m benches [PART…]``: measure, print one JSON document with a row for each figure.

Everything is measured beside its yardstick, in turn, in one run; medians are
compared, since machines are noisy.
"""

import argparse
import json
import sys
from functools import partial

from benches import copies, counts, metrics, postgres, replays, replicated, writes
from benches import lab as labs

#: What can be measured by itself, in this order: how, in a folder, with the options.
PARTS = {
    "copies": lambda folder, asked: copies.measure(folder, asked.sizes.split(","), asked.runs),
    "writes": lambda folder, asked: writes.measure(folder, asked.seconds, asked.runs),
    "replicated": lambda folder, asked: replicated.measure(folder, asked.seconds, asked.runs),
    "counts": lambda folder, asked: counts.measure(folder, asked.long, asked.runs),
    "replays": lambda folder, asked: replays.measure(folder, asked.transactions, asked.runs),
    "metrics": lambda folder, asked: metrics.measure(
        folder, asked.points, asked.seconds, asked.runs
    ),
    "verbs": lambda folder, asked: replays.measure_verbs(folder, asked.long),
}


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS) + "; else all")
    parser.add_argument("--sizes", default="1,100,1024", help="of the database, in MiB")
    parser.add_argument("--runs", type=int, default=3, help="of each measurement")
    parser.add_argument("--seconds", type=float, default=4, help="of writing, each time")
    parser.add_argument("--points", type=int, default=10_000, help="that /metrics tells of")
    parser.add_argument("--transactions", type=int, default=200_000, help="to replay")
    parser.add_argument("--long", type=int, default=1_000_000, help="transactions for each verb")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    rows = []
    for part, measure in PARTS.items():
        if options.parts and part not in options.parts:
            continue
        try:
            rows += labs.rows_of(partial(measure, asked=options))
        except postgres.Missing as missing:
            print(f"{part} is not measured: {missing}", file=sys.stderr)
    print(json.dumps(rows))
    return 0


sys.exit(main())
