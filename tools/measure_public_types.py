"""Measure which public names have complete types: `python tools/measure_public_types.py`, or `make public-types`.

`pyright --verifytypes` reads the package as a user's checker does, with what is installed in the environment of this
Python. Exit code 1 if more than `MOST` names are incomplete.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MOST = 5
"""Incomplete names on 2026-12-02, which may only become fewer: two classes, whose bases in scikit-learn and zarr
have no types, and what returns one."""


def environment() -> dict[str, str]:
    """Return the variables with which pyright resolves imports by this Python: it asks the first `python` of PATH."""
    return {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}


def pyright(*arguments: str) -> str:
    """Run pyright, and return what it prints."""
    command = [sys.executable, "-m", "pyright", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment()).stdout


def measure() -> dict[str, Any]:
    """Return the report of pyright on the package."""
    report: dict[str, Any] = json.loads(pyright("--outputjson", "--ignoreexternal", "--verifytypes", "pointillist"))
    return report


def incomplete(report: dict[str, Any]) -> list[str]:
    """List the public names of a report without complete types, with what is missing."""
    return [
        f"{symbol['name']}: {symbol['diagnostics'][0]['message'].splitlines()[0] if symbol['diagnostics'] else ''}"
        for symbol in report["typeCompleteness"]["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
    ]


def share(report: dict[str, Any]) -> float:
    """Return the share of public names whose types are known."""
    counts = report["typeCompleteness"]["exportedSymbolCounts"]
    return float(counts["withKnownType"] / sum(counts.values()))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the names without complete types")
    options = parser.parse_args()
    report = measure()
    names = incomplete(report)
    if options.list:
        print("\n".join(names))
    counts = report["typeCompleteness"]["exportedSymbolCounts"]
    print(f"{share(report):.1%} of {sum(counts.values()):,} public names have complete types ({counts})")
    return int(len(names) > MOST)


if __name__ == "__main__":
    sys.exit(main())
