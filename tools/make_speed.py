"""Write `docs/evidence/speed.md` and its pictures from `docs/evidence/speed/`: `python tools/make_speed.py`.

    python tools/make_speed.py --measure             # first measure everything anew, which takes about an hour
    python tools/make_speed.py --measure NAME NAME   # or some of it

Measure on a machine that does nothing else. Each file is what `python benchmarks/measure_speed.py ... --json` wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from speed.plot import plot_report

ROOT = Path(__file__).parents[1]
SCRIPT = "benchmarks/measure_speed.py"
FOLDER = ROOT / "docs" / "evidence" / "speed"
PAGE = ROOT / "docs" / "evidence" / "speed.md"
YARDSTICK = "handwritten"
BASE = (
    *("pixelcnn", "row-lstm", "diagonal-bilstm", "multiscale-pixelrnn"),
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
at the best bandwidth measured. On AMD the fastest product
is the engine's own kernel, about twice as fast there as BLAS; files measured on Intel used BLAS alone. For
`integer` it is the fastest product of bytes, with a byte a weight; its program is calibrated on random images.

Setup of an engine (recording the model, compiling its program) has a column of its own. The milliseconds of an image
and the ratios exclude it. *Call over naive* is the speedup of a whole call of `pt.sample`, setup included, as every
call is after the first; files without it are older than the engines that are kept from call to call.

The engines `cpu` (floating point compiled by numba) and `jacobi` are gone since 2026-11-30 (decision
[0070](../decisions/0070-floats-are-the-reference.md)), and the kernels of `integer` were rewritten on that day: whole
calls take less than half the time ([0068](../decisions/0068-integers-near-the-peak.md)). A table of an earlier date
has rows of those engines, and of the former kernels. `multiscale-pixelrnn` has had an integer program since then, too:
on an Intel Xeon a call takes a thirty-fifth of the time of numpy at batch 1, and a ninth at batch 16
([0072](../decisions/0072-stages-in-integers.md)).

The bound is for one thread, also beside rows of two threads, which may therefore lie below 1. Training is compared
with the *dense masked* network: the same function with full-size kernels times a mask, float32, NCHW.

One thread is timed by its CPU time, except where threads are compared (wall time). Cases are interleaved, a ratio is
formed within a round, and the median over rounds is reported with its range. Weights are random, which does not matter
for time.
"""
LIMITS = """## Tried and not kept

Processor time, one thread of an AMD EPYC (Zen 5, 1 MiB of L2 cache, 32 MiB of L3), machine busy; 28x28, 256 levels,
random weights, cases interleaved, the minimum of 4 to 12 rounds, milliseconds per image; 2026-11-25.

- `pixelsnail` base, batch 16, each row sampled in parts of 16, 8, 4, 2 and 1 images, so that keys and values stay in
  cache: 19.7, 17.9, 18.0, 23.2 and 32.5. Smaller parts read the weights of a pixel (2 MB) more often, and beside them
  not even the keys and values of one image fit into L2: the gain is a tenth at most. Prefetching rows of weights, keys
  and values 8 or 16 ahead: 19.4 and 19.1, against 19.2. Neither is in the engine.
- `pixelcnn-pp` base is kept in memory as float32 also with `--quantize int8`. Its products use a stored matrix times
  the scale of its weight normalisation, which has 24 bits, so no column is integers times one scale. Quantized products
  would be slower here: batch 1 takes 15.3 in float32, 17.3 in int8, 18.1 in bf16, with all matrices forced to each.
"""


def measure(names: list[str]) -> None:
    """Run the benchmarks, one after the other."""
    FOLDER.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in names or RUNS:
        command = [sys.executable, SCRIPT, *RUNS[name].split(), "--json", str(FOLDER / f"{name}.json")]
        subprocess.run(command, check=True, env=environment, cwd=ROOT)


def page() -> str:
    """Render the page from the files that exist."""
    reports = {name: read(name) for name in RUNS if (FOLDER / f"{name}.json").exists()}
    parts = [HEAD, *(_section(name, report) for name, report in reports.items())]
    if (FOLDER / f"{YARDSTICK}.json").exists():
        parts.append(_yardstick(read(YARDSTICK)))
    parts.append(LIMITS)
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


def _yardstick(record: dict[str, Any]) -> str:
    lines = [
        "## Compared with a hand-written sampler",
        "",
        "`gated-pixelcnn` only, in numba, equal to the full pass within 1e-5: `handwritten_gated.py` at",
        "commit 587fdd52.",
        f"{record['date']}, {record['machine']}.",
        "",
        "| sampler | batch | ms per image | times the hand-written one |",
        "|---|---|---|---|",
        *(
            _cells(r["engine"], r["batch"], f"{r['milliseconds']['median']:,.1f}", _ratio(r["over_handwritten"], 2))
            for r in record["rows"]
        ),
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
    for known in RUNS:
        if (FOLDER / f"{known}.json").exists():
            (FOLDER / f"{known}.svg").write_text(plot_report(read(known)), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
