"""``python -m faults``: run the suites, print one JSON line each; exit 1 if a case failed."""

import argparse
import importlib
import json
import random
import shutil
import sys
import tempfile
import time

SUITES = (
    "kill",
    "power",
    "io",
    "damage",
    "checks",
    "load",
    "destroy",
    "retry",
    "identity",
    "year",
    "fuzz",
)
SHOWN = 5


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--long", action="store_true", help="every case instead of a sample")
    parser.add_argument("--seed", type=int, default=1, help="for the sample and its details")
    parser.add_argument("--list", action="store_true", help="only name the suites")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SUITES))
        return 0
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error(f"unknown suite {sorted(unknown)[0]!r}; known are {', '.join(SUITES)}")
    failed = 0
    for suite in options.suites or SUITES:
        row = run(suite, options.seed, options.long)
        failed += row["failed"]
        print(json.dumps(row), flush=True)
    return 1 if failed else 0


def run(suite: str, seed: int, long: bool) -> dict:
    """Run one suite; returns its row."""
    module = importlib.import_module(f"faults.{suite}")
    folder = tempfile.mkdtemp(prefix="pra-faults-")
    began = time.monotonic()
    count, failures = 0, []
    try:
        for name, problem in module.cases(folder, random.Random(seed), long):
            count += 1
            if problem:
                failures.append({"case": name, "problem": problem})
                print(f"{suite}: {name}: {problem}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "suite": suite,
        "cases": count,
        "passed": count - len(failures),
        "failed": len(failures),
        "seconds": round(time.monotonic() - began, 1),
        "seed": seed,
        "failures": failures[:SHOWN],
    }


sys.exit(main())
