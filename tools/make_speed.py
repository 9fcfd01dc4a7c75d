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
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from measure_integers import shares_table
from speed.plot import plot_report

ROOT = Path(__file__).parents[1]
SCRIPT = "benchmarks/measure_speed.py"
SHARES_SCRIPT = "benchmarks/measure_integers.py"
FOLDER = ROOT / "docs" / "evidence" / "speed"
PAGE = ROOT / "docs" / "evidence" / "speed.md"
PROCESSORS = "processors"
SHARES = "shares"
PICTURE = "gated-pixelcnn"  # the measurement that the page plots
BASE = (
    *("pixelcnn", "row-lstm", "diagonal-bilstm", "multiscale-pixelrnn", "parallel-multiscale"),
    *("pixelcnn-pp", "pixelsnail", "locally-masked-pixelcnn"),
)
SIZE = "gated-pixelcnn --set model.network.channels=64 --set model.network.layers=12"
DEEP = f"{SIZE} --repeats 3 --threads 1,2"
INTEGERS = (
    f"{SIZE} --repeats 3 --threads 1 --engines naive,integer --batch-sizes 1,16 --train-batch-size 0 --no-startup"
)
RUNS: dict[str, str] = {
    "gated-pixelcnn-integers": INTEGERS,
    "gated-pixelcnn": DEEP,
    "gated-pixelcnn-rgb": "gated-pixelcnn:base --mode rgb --size 16",
    **{name: f"{name}:base" for name in BASE},
    "training-two-levels": f"{SIZE} --levels 2 --train-only --peer",
    "training-gated-pixelcnn": f"{SIZE} --train-only",
    "training-scenes": "scenes --train-only --text 'a red cat on a sofa'",
}
HEAD = f"""# Speed

<!-- Made by tools/make_speed.py from docs/evidence/speed/*.json: do not edit. -->

Sampling is compared with two references. *Naive* is a full forward for every sub-pixel with the same weights, in the
faster memory layout, random draws included, extrapolated from 8 pixels. The *roofline bound* is the time of the
program's operations at the fastest matrix product measured (of float32, or of bytes for `integer`), plus the time to
read its weights once for a batch at the best bandwidth measured. It holds for one thread.

A *call over naive* is the speedup of a whole call of `pt.sample` after the first. One thread is timed by its CPU time,
threads by the clock. Cases are interleaved, a ratio is formed within a round, and the median over rounds stands with
its range. Weights are random, and `integer` is calibrated on random images: neither matters for time. Each measurement
is `python {SCRIPT} MODEL OPTIONS`, or `python tools/make_speed.py --measure NAME`.
On a busy machine only ratios are reliable. Nothing was measured on a GPU.
"""


def measure(names: list[str]) -> None:
    """Run the benchmarks, one after the other."""
    FOLDER.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in names or (*RUNS, SHARES):
        script = [SHARES_SCRIPT, "--repeats", "15"] if name == SHARES else [SCRIPT, *shlex.split(RUNS[name])]
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
    shares = [_shares(read(SHARES))] if (FOLDER / f"{SHARES}.json").exists() else []
    tables = [_measurements(reports), _sampling(reports), _all_processors(), _training(reports)]
    return "\n".join([HEAD, *tables, *shares])


def read(name: str) -> dict[str, Any]:
    """Read the results of one benchmark."""
    result: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return result


def _measurements(reports: dict[str, dict[str, Any]]) -> str:
    """Render what was measured, where and when, with the peaks of the processor and the cost of an image."""
    lines = [
        "## Measurements",
        "",
        "| name | model and options | image | date, processor | busy | GFLOP/s (and of bf16), GOP/s of bytes, GB/s "
        "| parameters; MFLOP an image, by rows and by pixels |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r in reports.items():
        peaks, cost = r["peaks"], r["cost"]
        rates = [f"{peaks[key]:.0f}" for key in ("gflops", "bf16_gflops", "byte_gops", "gigabytes") if key in peaks]
        work = f"{cost['row_flops'] / 1e6:,.0f}, {cost['pixel_flops'] / 1e6:,.0f}"
        where = f"{r['date']}, {r['machine']}"
        busy = f"{r['busy']:.0%}"
        weights = f"{r['parameters']:,}; {work}"
        lines.append(_cells(name, f"`{RUNS[name]}`", r["image"], where, busy, ", ".join(rates), weights))
    versions = "; ".join(dict.fromkeys(r["versions"] for r in reports.values()))
    return "\n".join([*lines, "", f"{versions}." if versions else "", ""])


def _sampling(reports: dict[str, dict[str, Any]]) -> str:
    """Render the times of sampling of every measurement in one table."""
    lines = [
        "## Sampling",
        "",
        "| name | engine | batch | threads | ms per image | over the bound | setup, ms | call over naive |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        for row in report["sampling"]:
            setup = "" if row["setup"] is None else f"{row['setup']:.0f}"
            bound = f"{row['over_roofline']:,.1f}"
            case = (name, row["engine"], row["batch"], row["threads"], f"{row['milliseconds']['median']:,.1f}")
            lines.append(_cells(*case, bound, setup, _ratio(row.get("call_over_naive"), 0)))
    return "\n".join([*lines, "", f"![milliseconds per image of {PICTURE}](speed/{PICTURE}.svg)", ""])


def _all_processors() -> str:
    """Render the speedups of whole calls over all processors."""
    cases: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in _processors():
        cases.setdefault((row["name"], row["engine"], row["batch"]), []).append(row)
    dates: dict[str, set[str]] = {}
    for row in _processors():
        dates.setdefault(row["machine"].split(",")[0], set()).add(row["date"])
    where = "; ".join(f"{machine}, {', '.join(sorted(days))}" for machine, days in dates.items())
    spreads = {}
    for case, rows in cases.items():
        medians = ", ".join(f"{row['median']:,.0f}" for row in rows)
        low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
        spreads[case] = f"{low:,.0f} to {high:,.0f} ({medians})"
    batches = sorted({batch for _, _, batch in cases})
    lines = [
        "## Over all processors",
        "",
        f"Whole calls over naive, one thread: lowest to highest round, and the median on each processor ({where}).",
        "",
        _cells("name", "engine", *(f"batch {batch}" for batch in batches)),
        "|---" * (2 + len(batches)) + "|",
        *(
            _cells(name, engine, *(spreads.get((name, engine, batch), "") for batch in batches))
            for name, engine in dict.fromkeys((name, engine) for name, engine, _ in cases)
        ),
    ]
    return "\n".join([*lines, ""])


def _training(reports: dict[str, dict[str, Any]]) -> str:
    """Render the images per second of the baseline, the speedups of each variant over it, and shares of the peak."""
    trained = {n: r["training"] for n, r in reports.items() if r["training"] and "of_peak" not in r["training"][0]}
    variants = list(dict.fromkeys(row["variant"] for rows in trained.values() for row in rows))[1:]
    lines = [
        "## Training",
        "",
        "Batches of 16, over the *dense masked* network: the same function with full-size kernels times a mask, in",
        "float32 and NCHW. *Sliced* kernels leave the masked taps out.",
        "",
        _cells("name", "dense masked, images/s", *variants),
        "|---" * (2 + len(variants)) + "|",
    ]
    for name, rows in trained.items():
        first, *others = rows
        ratios = [_ratio(row["over_dense_masked"], 2) for row in others]
        lines.append(_cells(name, f"{first['images_per_second']['median']:,.1f}", *ratios))
    lines += [
        "",
        "Operations are of products and convolutions, forward and backward; the peak is the fastest matrix product in",
        "the precision of the variant. pytorch-generative trains its Gated PixelCNN of as many channels and layers, by",
        "Adam; all others are trained by AdamW, not by Muon, which is the default of `train`.",
        "",
        "| name | variant | images/s | over dense masked | over pytorch-generative | GFLOP an image | of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in ((n, row) for n, r in reports.items() for row in r["training"] if "of_peak" in row):
        speed, over = _ratio(row["images_per_second"], 1), _ratio(row["over_peer"], 2)
        case = (name, row["variant"], speed, _ratio(row["over_dense_masked"], 2), over)
        lines.append(_cells(*case, f"{row['gflop']:.2f}", f"{row['of_peak']:.0%}"))
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


def _ratio(spread: dict[str, float] | None, digits: int) -> str:
    if spread is None:
        return ""
    return f"{spread['median']:,.{digits}f} ({spread['low']:,.{digits}f} to {spread['high']:,.{digits}f})"


def _cells(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure([a for a in sys.argv[1:] if a != "--measure"])
    (FOLDER / f"{PICTURE}.svg").write_text(plot_report(read(PICTURE)), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
