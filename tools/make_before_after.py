"""Measure a source tree for `docs/decisions/before-after.json` and print the comparison as a table in Markdown.

    python tools/make_before_after.py after                              # this checkout
    python tools/make_before_after.py before --source /tmp/old/src       # a `git worktree` of the commit before

The figures are those of `tools/measure_structure.py` and `tools/trace_flows.py`. Without a column nothing is measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "decisions" / "before-after.json"
COMMAND = "python tools/make_before_after.py {before,after} --source SRC"


def measure(source: Path) -> dict[str, Any]:
    """The figures of the package in `source`, with commit, date and machine."""
    structure = _output(source, "measure_structure.py", "--source", str(source / "pointillist"), "--json")
    flows = _output(source, "trace_flows.py", "--source", str(source), "--json")
    git = ["git", "-C", str(source), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return {"commit": commit, **_where(), "command": COMMAND, "structure": structure, "flows": flows}


def _where() -> dict[str, str]:
    """Date and machine."""
    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    name = " ".join(cpu.split()[:2])
    return {"date": f"{datetime.date.today()}", "machine": f"{name}, {os.cpu_count()} cores, {platform.system()}"}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _output(source: Path, script: str, *options: str) -> Any:
    command = [sys.executable, str(Path(__file__).with_name(script)), *options]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{script} failed.")
    return json.loads(done.stdout)


def table(columns: dict[str, Any]) -> str:
    """The figures of the columns that are there, one a row."""
    names = [f"{name} ({column['commit']})" for name, column in columns.items()]
    rows = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for part in ("structure", "flows"):
        for name in next(iter(columns.values()))[part]:
            if name not in ("cycles", "repeated"):
                values = [_text(column[part].get(name)) for column in columns.values()]
                rows.append(f"| {name.replace('_', ' ')} | {' | '.join(values)} |")
    return "\n".join(rows)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {count}" for key, count in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def main() -> None:
    """Fill in a column, or print the table of those that are there."""
    parser = argparse.ArgumentParser(description="Measure a source tree before or after a change.")
    parser.add_argument("column", nargs="?", choices=["before", "after"])
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="folder that holds the package `pointillist`")
    options = parser.parse_args()
    columns = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    if options.column:
        columns[options.column] = measure(options.source.resolve())
        FILE.parent.mkdir(exist_ok=True, parents=True)
        FILE.write_text(json.dumps(columns, indent=2) + "\n", encoding="utf-8")
    print(table(columns))


if __name__ == "__main__":
    main()
