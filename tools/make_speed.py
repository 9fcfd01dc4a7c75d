"""Write `docs/evidence/speed.md` and its pictures from `docs/evidence/speed/`: `python tools/make_speed.py`.

    python tools/make_speed.py --measure             # first measure all again, which takes about 35 minutes
    python tools/make_speed.py --measure NAME NAME   # or some of it, such as `pixelcnn` or `shares`

Measure on a machine that does nothing else. Each file is what `python benchmarks/measure_speed.py ... --json` wrote;
`shares.json` is of `python benchmarks/measure_integers.py --json`. `processors.json` keeps the speedups of whole calls
on every processor that was measured; the newest row of a processor replaces the one before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from measure_integers import shares_table
from pointillist.sampling.config import ENGINES
from speed.plot import plot_report

ROOT = Path(__file__).parents[1]
SCRIPT = "benchmarks/measure_speed.py"
SHARES_SCRIPT = "benchmarks/measure_integers.py"
FOLDER = ROOT / "docs" / "evidence" / "speed"
PAGE = ROOT / "docs" / "evidence" / "speed.md"
PROCESSORS = "processors"
SHARES = "shares"
BASE = (
    *("pixelcnn", "row-lstm", "diagonal-bilstm", "multiscale-pixelrnn", "parallel-multiscale"),
    *("pixelcnn-pp", "pixelsnail", "locally-masked-pixelcnn"),
)
WIDE = "gated-pixelcnn --set model.network.channels=128 --set model.network.head_channels=128"
SIZE = "gated-pixelcnn --set model.network.channels=64 --set model.network.layers=12 --repeats 3"
DEEP = f"{SIZE} --threads 1,2"
INTEGERS = f"{SIZE} --threads 1 --engines naive,integer --batch-sizes 1,16 --train-batch-size 0 --no-startup"
RUNS: dict[str, str] = {
    "gated-pixelcnn-integers": INTEGERS,
    "gated-pixelcnn": DEEP,
    "gated-pixelcnn-128": WIDE,
    "gated-pixelcnn-rgb": "gated-pixelcnn:base --mode rgb --size 16",
    **{name: f"{name}:base" for name in BASE},
}
HEAD = """# Speed

<!-- Made by tools/make_speed.py from docs/evidence/speed/*.json: do not edit. -->

Sampling is compared with two references. *Naive* is a full forward for every sub-pixel with the same weights, in the
faster memory layout, random draws included, extrapolated from 8 pixels. The *roofline bound* is the time of the
program's operations at the fastest float32 matrix product measured, plus the time to read its weights once for a batch
at the best bandwidth measured. For `integer` it is the fastest product of bytes, with a byte a weight; its program is
calibrated on random images.

Setup of an engine (recording the model, compiling its program) has a column of its own. The milliseconds of an image
and the ratios exclude it. *Call over naive* is the speedup of a whole call of `pt.sample`, setup included, as every
call is after the first; files without it are older than the engines that are kept from call to call.

The bound is for one thread, also beside rows of two threads, which may therefore lie below 1. Training is compared
with the *dense masked* network: the same function with full-size kernels times a mask, float32, NCHW.

One thread is timed by its CPU time, except where threads are compared (wall time). Cases are interleaved, a ratio is
formed within a round, and the median over rounds is reported with its range. Weights are random, which does not matter
for time.
"""
FORMER = """The engines `cpu` (floating point compiled by numba) and `jacobi` are gone since 2026-11-30 (decision
[0070](../decisions/0070-floats-are-the-reference.md)), and the kernels of `integer` were rewritten on that day: whole
calls take less than half the time ([0068](../decisions/0068-integers-near-the-peak.md)). A table of an earlier date
has rows of those engines, and of the former kernels; on AMD its bound comes from the products of the former engine,
twice as fast there as BLAS. `multiscale-pixelrnn` has had an integer program since then, too:
on an Intel Xeon a call takes a thirty-fifth of the time of numpy at batch 1, and a ninth at batch 16
([0072](../decisions/0072-stages-in-integers.md)).
"""
"""Stands on the page while a table has rows of an engine that is gone."""


def measure(names: list[str]) -> None:
    """Run the benchmarks, one after the other."""
    FOLDER.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in names or (*RUNS, SHARES):
        script = [SHARES_SCRIPT, "--repeats", "15"] if name == SHARES else [SCRIPT, *RUNS[name].split()]
        command = [sys.executable, *script, "--json", str(FOLDER / f"{name}.json")]
        subprocess.run(command, check=True, env=environment, cwd=ROOT)
        if name in RUNS:
            keep_processor(name, read(name))


def keep_processor(name: str, report: dict[str, Any]) -> None:
    """Write the speedups of whole calls to the file of all processors."""
    case = {"name": name, "machine": report["machine"]}
    kept = [row for row in _processors() if {key: row[key] for key in case} != case]
    kept += [
        {**case, "date": report["date"], **{key: row[key] for key in ("engine", "batch")}, **row["call_over_naive"]}
        for row in report["sampling"]
        if row.get("call_over_naive") and row["threads"] == 1
    ]
    text = json.dumps(kept, indent=1) + "\n"
    (FOLDER / f"{PROCESSORS}.json").write_text(text, encoding="utf-8")


def _processors() -> list[dict[str, Any]]:
    path = FOLDER / f"{PROCESSORS}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return rows


def page() -> str:
    """Render the page from the files that exist."""
    reports = {name: read(name) for name in RUNS if (FOLDER / f"{name}.json").exists()}
    engines = {row["engine"] for report in reports.values() for row in report["sampling"]}
    parts = [HEAD, *([] if engines <= set(ENGINES) else [FORMER]), _all_processors()]
    parts += [_section(name, report) for name, report in reports.items()]
    if (FOLDER / f"{SHARES}.json").exists():
        parts.append(_shares(read(SHARES)))
    return "\n".join(parts)


def read(name: str) -> dict[str, Any]:
    """Read the results of one benchmark."""
    result: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return result


def _section(name: str, r: dict[str, Any]) -> str:
    peaks, cost = r["peaks"], r["cost"]
    busy = f" **The machine was {r['busy']:.0%} busy: only ratios are reliable.**" if r["busy"] > 0.2 else ""
    lines = [
        f"## {r['name']}, {r['image']}",
        "",
        f"`python {SCRIPT} {RUNS[name]}`; {r['date']}, {r['machine']}; {r['versions']}.{busy}",
        f"Peak performance: {peaks['gflops']:.0f} GFLOP/s{_bytes(peaks)} and {peaks['gigabytes']:.0f} GB/s. "
        f"{r['parameters']:,} parameters; "
        f"an image takes {cost['row_flops'] / 1e6:,.0f} MFLOP by rows and {cost['pixel_flops'] / 1e6:,.0f} by pixels, "
        f"a batch reads {(cost['row_bytes'] + cost['pixel_bytes']) / 1e6:,.0f} MB of weights. Recording takes "
        f"{r['recording']['median']:.1f} ms.",
        *(_startup(s) for s in r["startup"]),
        "",
        "| engine | batch | threads | ms per image | over naive | over one thread | over the bound | setup, ms "
        "| call over naive | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_sampling(row) for row in r["sampling"]),
        "",
        f"![milliseconds per image](speed/{name}.svg)",
        "",
    ]
    if r["training"]:
        lines += [
            f"| training, batch {r['training'][0]['batch']} | images/s | speedup over dense masked | memory, MB |",
            "|---|---|---|---|",
            *(_training(row) for row in r["training"]),
            "",
        ]
    return "\n".join(lines)


def _all_processors() -> str:
    """Render the speedups of whole calls over all processors."""
    cases: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in _processors():
        cases.setdefault((row["name"], row["engine"], row["batch"]), []).append(row)
    lines = [
        "## Over all processors",
        "",
        "Whole calls of `pt.sample` over naive, one thread: the lowest and the highest round on all processors, and",
        "the median on each with its date. Measurements of engines that are gone, and of former kernels, are left out.",
        "",
        "| model | engine | batch | lowest to highest | median on each processor |",
        "|---|---|---|---|---|",
    ]
    for (name, engine, batch), rows in cases.items():
        spread = f"{min(row['low'] for row in rows):,.0f} to {max(row['high'] for row in rows):,.0f}"
        each = "; ".join(f"{row['machine'].split(',')[0]}, {row['date']}: {row['median']:,.0f}" for row in rows)
        lines.append(_cells(name, engine, batch, spread, each))
    return "\n".join([*lines, ""])


def _shares(report: dict[str, Any]) -> str:
    lines = [
        "## Where a call of integers spends its time",
        "",
        f"`python {SHARES_SCRIPT} --repeats 15`, milliseconds an image of `gated-pixelcnn`, 64 x 12;",
        f"{report['date']}, {report['machine']}; {report['versions']}.",
        f"Peak of products of bytes, in registers alone: {report['peak_gops']:.0f} GOP/s; an image: "
        f"{report['image_gop']:.2f} GOP.",
        "",
        *shares_table(report),
    ]
    return "\n".join([*lines, ""])


def _bytes(peaks: dict[str, Any]) -> str:
    return f", {peaks['byte_gops']:.0f} GOP/s of bytes" if peaks.get("byte_gops") else ""


def _startup(s: dict[str, Any]) -> str:
    return (
        f"With `{s['engine']}` the first image of a process takes {s['first_use']:.2f} s more than the second, and "
        f"{s['later_use']:.2f} s more in the next process."
    )


def _sampling(row: dict[str, Any]) -> str:
    return _cells(
        row["engine"],
        row["batch"],
        row["threads"],
        f"{row['milliseconds']['median']:,.1f}",
        _ratio(row["over_naive"], 0),
        _ratio(row["over_one_thread"], 2),
        f"{row['over_roofline']:,.1f}",
        "" if row["setup"] is None else f"{row['setup']:.0f}",
        _ratio(row.get("call_over_naive"), 0),
        "" if row["megabytes"] is None else f"{row['megabytes']:.0f}",
    )


def _training(row: dict[str, Any]) -> str:
    return _cells(
        row["variant"],
        f"{row['images_per_second']['median']:,.1f}",
        _ratio(row["over_dense_masked"], 2),
        f"{row['megabytes']:.0f}",
    )


def _ratio(spread: dict[str, float] | None, digits: int) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:,.{digits}f} ({spread['low']:,.{digits}f} to {spread['high']:,.{digits}f})"


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure([a for a in sys.argv[1:] if a != "--measure"])
    for known in RUNS:
        if (FOLDER / f"{known}.json").exists():
            (FOLDER / f"{known}.svg").write_text(plot_report(read(known)), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
