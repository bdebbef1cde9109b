"""``python -m benches``: measure, print one JSON document with a row for each figure.

Everything is measured beside its yardstick, in turn, in one run; medians are
compared, since machines are noisy.
"""

import argparse
import json
import shutil
import sys
import tempfile

from benches import copies, replays, writes


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("--sizes", default="1,100,1024", help="of the database, in MiB")
    parser.add_argument("--runs", type=int, default=3, help="of each measurement")
    parser.add_argument("--seconds", type=float, default=4, help="of writing, each time")
    parser.add_argument("--transactions", type=int, default=200_000, help="to replay")
    parser.add_argument("--long", type=int, default=1_000_000, help="transactions for each verb")
    options = parser.parse_args()
    rows = []
    for measure in (
        lambda folder: copies.measure(folder, options.sizes.split(","), options.runs),
        lambda folder: writes.measure(folder, options.seconds, options.runs),
        lambda folder: replays.measure(folder, options.transactions, options.runs),
        lambda folder: replays.measure_verbs(folder, options.long),
    ):
        folder = tempfile.mkdtemp(prefix="pra-bench-")
        try:
            for row in measure(folder):
                print(json.dumps(row), file=sys.stderr, flush=True)
                rows.append(row)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(rows))
    return 0


sys.exit(main())
