"""Show where a call of `pt.sample` by integers spends its time: `python benchmarks/measure_integers.py`.

    python benchmarks/measure_integers.py                                  # gated-pixelcnn 64 x 12 of the speed page
    python benchmarks/measure_integers.py digits --batch-sizes 1,16 --kernels avx2
    python benchmarks/measure_integers.py scenes --text "a cat on a sofa"   # with the model's own guidance
    python benchmarks/measure_integers.py --json shares.json

Milliseconds of processor time an image, of one thread: the least of interleaved calls, in Python and in C. The parts of
C are counted by a library that reads a clock after each operation (`speed/shares.c`; the extra `runtime` has the
compiler). The peak is that of the instruction for products of bytes, in registers alone, measured here.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.engine.c.run import lowered
from pointillist.engine.library import BEST, KERNELS, LEVELS, chosen_level, declare, runtime_text
from pointillist.engine.opcodes import CODES
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.system import describe_machine, describe_versions, today
from speed.workload import Workload

RUNTIME = Path(__file__).parents[1] / "runtime"
SOURCE = Path(__file__).parent / "speed" / "shares.c"
OPTIONS = (
    *("-O3", "-std=c11", "-fno-sanitize=all", "-mllvm", "-force-vector-interleave=1"),
    *("-DPT_LIBRARY", "-shared", "-fPIC"),
)
"""Options of `tools/make_runtime.py`, on the processor at hand."""
PARTS = ("frequencies", "transform", "draws", "canvas")
"""Parts of a run that are no opcode, in the order of `AFTER_FREQUENCIES` and its successors."""
FIRST_PART, COUNTS = 32, 64


def build(folder: Path) -> ctypes.CDLL:
    """Build the library that counts, and load it."""
    for path in (*RUNTIME.glob("*.h"), SOURCE):
        shutil.copy(path, folder)
    (folder / "pointillist.c").write_text(runtime_text("pointillist.c"), encoding="utf-8")
    wide = ["-mprefer-vector-width=512"] if os.uname().machine == "x86_64" else []
    command = [sys.executable, "-m", "ziglang", "cc", *OPTIONS, *wide, SOURCE.name, "-o", "shares.so"]
    subprocess.run(command, cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "shares.so"))
    declare(library)
    library.shares_peak.restype, library.shares_peak.argtypes = ctypes.c_int64, [ctypes.c_int32, ctypes.c_int64]
    return library


def processor_time(work: Callable[[], object]) -> float:
    """Return the seconds of this process, of all its threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


class InC:
    """A library that adds up the processor time of its calls."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library, self.seconds = library, 0.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._library, name)

        def call(*arguments: Any) -> Any:
            start = time.thread_time()
            result = function(*arguments)
            self.seconds += time.thread_time() - start
            return result

        return call


def peak(library: ctypes.CDLL, level: int | None, repeats: int = 7) -> float:
    """Return the operations a second of the instruction of some kernels, two a product; 0 if there is none."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        operations = library.shares_peak(-1 if level is None else level, 1_000_000)
        times.append(time.process_time() - start)
    return operations / min(times) if operations else 0.0


def ticks(library: ctypes.CDLL, call: Callable[[], object], repeats: int) -> np.ndarray:
    """Return the ticks of each part of a call, the least of several calls: some held the time of another program."""
    counts = np.zeros((repeats, COUNTS), np.uint64)
    for row in counts:
        library.shares_begin()
        call()
        library.shares_end(row.ctypes.data_as(ctypes.c_void_p))
    return counts.min(axis=0).astype(np.float64)


def shares(counts: np.ndarray) -> dict[str, float]:
    """Return the ticks of each opcode and part, the largest first."""
    places = CODES | {name: FIRST_PART + i for i, name in enumerate(PARTS)}
    return dict(sorted(((name, float(counts[i])) for name, i in places.items()), key=lambda each: -each[1]))


def measure(
    model: PixelModel, library: ctypes.CDLL, batch: int, repeats: int, text: str | None = None
) -> dict[str, float]:
    """Return milliseconds an image: all of a call, and its parts."""
    program = lowered(model.integer_model().programs[0])
    plain = program.library

    def call() -> None:
        pt.sample(model, batch, seed=1, engine="integer", batch_size=batch, text=text)

    call()
    timed = InC(plain)
    whole, inside = [], []
    for _ in range(repeats):
        program.library = plain
        whole.append(processor_time(call))
        program.library, timed.seconds = timed, 0.0  # type: ignore[assignment]
        call()
        inside.append(timed.seconds)
    program.library = library
    parts = shares(ticks(library, call, repeats))
    program.library = plain
    in_c = min(inside)
    scale = in_c / sum(parts.values())
    result = {
        "call": min(whole),
        "Python": max(0.0, min(whole) - in_c),
        **{k: scale * v for k, v in parts.items() if v},
    }
    return {name: 1e3 * seconds / batch for name, seconds in result.items()}


def speed_page_model() -> PixelModel:
    """Return the model of the speed page, untrained."""
    torch.manual_seed(0)
    image = ImageSpec.infer((1, 28, 28), 256, True)
    return pt.build("gated-pixelcnn", shape=image, channels=64, layers=12).eval()


def shares_table(report: dict[str, Any]) -> list[str]:
    """Render the rows of a table: milliseconds of each part, its share, and how much of the peak is reached."""
    columns = report["columns"]
    head = (f"batch {each['batch']} | share" for each in columns)
    lines = [f"| part | {' | '.join(head)} |", "|---|" + "---|---|" * len(columns)]
    for name in dict.fromkeys(name for each in columns for name in each["milliseconds"]):
        pairs = ((each["milliseconds"].get(name, 0.0), each["milliseconds"]["call"]) for each in columns)
        lines.append(f"| {name} | {' | '.join(f'{part:.2f} | {part / whole:.0%}' for part, whole in pairs)} |")
    for title, name in (("of the peak", "of_peak"), ("of the peak, C alone", "of_peak_in_c")):
        if report["peak_gops"]:
            lines.append(f"| {title} | {' | '.join(f' | {each[name]:.0%}' for each in columns)} |")
    return lines


def report_of(model: PixelModel, batches: list[int], repeats: int, text: str | None = None) -> dict[str, Any]:
    """Measure a model, and return the figures as JSON can hold them."""
    work = Workload(model, (model.image.height, model.image.width))
    work.calibrate()
    cost = work.cost()
    operations, columns = cost.row_flops + cost.pixel_flops, []
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        level = chosen_level()
        if level in (LEVELS["amx"], BEST) and library.pt_has_level(LEVELS["amx"]):
            tiles, level = peak(library, LEVELS["amx"]), LEVELS["avx512-vnni"]  # one row has no tile
        else:
            tiles = 0.0
        best = peak(library, level)
        for batch in batches:
            parts = measure(model, library, batch, repeats, text)
            rate = operations / best if best else 0.0  # seconds an image at the peak
            in_c = parts["call"] - parts["Python"]
            columns.append(
                {
                    "batch": batch,
                    "milliseconds": parts,
                    "of_peak": 1e3 * rate / parts["call"],
                    "of_peak_in_c": 1e3 * rate / in_c,
                }
            )
    return {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "date": today(),
        "peak_gops": best / 1e9,
        "peak_of_tiles_gops": tiles / 1e9,
        "image_gop": operations / 1e9,
        "columns": columns,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", help="a folder or a bundled name; by default that of the speed page")
    parser.add_argument("--batch-sizes", type=lambda text: [int(part) for part in text.split(",")], default=[1, 16, 64])
    parser.add_argument("--kernels", help="plain, avx2, avx-vnni, avx512-vnni, amx or neon: by default the fastest")
    parser.add_argument("--text", help="prompt, with the model's own guidance and temperature")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="file for all results")
    options = parser.parse_args(arguments)
    if options.kernels:
        os.environ[KERNELS] = options.kernels
    torch.set_num_threads(1)
    report = report_of(
        pt.load(options.model) if options.model else speed_page_model(),
        options.batch_sizes,
        options.repeats,
        options.text,
    )
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(
        f"peak of one thread: {report['peak_gops']:.0f} GOP/s by vectors, {report['peak_of_tiles_gops']:.0f} by tiles; "
        f"an image: {report['image_gop']:.2f} GOP\n"
    )
    print("\n".join(shares_table(report)))


if __name__ == "__main__":
    main()
