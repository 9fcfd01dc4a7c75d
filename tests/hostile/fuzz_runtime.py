"""Damage integer programs, and run what the library in C accepts, under the address and undefined-behaviour sanitizers.

    python -m tests.hostile.fuzz_runtime --cases 1000000 --seed 1

Needs a C compiler with sanitizers, `cc` or what `CC` names. See `fuzz.c`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import pointillist as pt
from pointillist.engine.c.lower import lower
from pointillist.model.portable import load

RUNTIME = Path(__file__).parents[2] / "runtime"
HARNESS = Path(__file__).with_name("fuzz.c")
SLICE = 10_000
OPTIONS = ("-O1", "-g", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wno-psabi")
TOKENS = {"encoder": "learned+tokens", "num_tokens": 3, "width": 4, "buckets": 8}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gated": ("gated-pixelcnn", {"shape": (1, 2, 3), "levels": 2, "layers": 2, "classes": ("a", "b")}),
    "rgb": ("gated-pixelcnn", {"shape": (3, 3, 2), "levels": 4, "layers": 1, "channels": 6}),
    "mixture": ("pixelcnn-pp", {"shape": (3, 3, 4), "levels": 8, "likelihood": "mixture", "layers": 1}),
    "factored": ("pixelcnn", {"shape": (2, 2, 3), "levels": 7, "likelihood": "factored", "mixtures": 2, "layers": 1}),
    "tokens": (
        "gated-pixelcnn",
        {
            "shape": (1, 2, 3),
            "levels": 2,
            "layers": 1,
            "conditions": {"text": {"encoder": "learned+tokens", "num_tokens": 3}},
        },
    ),
    "attention": ("pixelsnail", {"shape": (1, 3, 3), "levels": 4, "blocks": 1, "layers": 1, "heads": 2}),
    "row": ("row-lstm", {"shape": (1, 3, 3), "levels": 4, "layers": 1}),
    "diagonal": ("diagonal-bilstm", {"shape": (1, 3, 3), "levels": 4, "layers": 1}),
    "s-curve": ("locally-masked-pixelcnn", {"shape": (1, 3, 3), "levels": 4, "layers": 1, "orders": ("s-curve",)}),
}
"""Small models, which together have every opcode of their networks."""
BUNDLED = ("photos",)
"""Bundled models: `photos` has the opcodes of a local gain."""


def compiler() -> str | None:
    """Return the path of a C compiler; None if there is none."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """Compile the fuzzer, and return its path."""
    path, command = folder / "fuzz", compiler()
    assert command is not None, "a C compiler is needed"
    subprocess.run([command, *OPTIONS, "-I.", "-o", str(path), str(HARNESS), "pointillist.c"], cwd=RUNTIME, check=True)
    return path


def write_programs(folder: Path) -> list[Path]:
    """Write the programs that are damaged, and return their paths."""
    paths = []
    for name, (network, settings) in MODELS.items():
        torch.manual_seed(0)
        model = pt.build(network, **{"channels": 4, **settings}).eval()
        x = torch.randint(0, settings["levels"], (2, *settings["shape"]))
        paths.append(folder / f"{name}.bin")
        paths[-1].write_bytes(lower(pt.quantize_integer(model, x).programs[0]).tobytes())
    for bundled in pt.list_pretrained():
        if bundled.name in BUNDLED:
            paths.append(folder / f"{bundled.name}.bin")
            paths[-1].write_bytes(lower(load(bundled.folder).programs[0]).tobytes())
    return paths


def run(cases: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Run so many cases; the exit code is 0 if nothing was found."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        return run_built(build(folder), write_programs(folder), cases, seed)


def run_built(fuzzer: Path, programs: list[Path], cases: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Run cases by a fuzzer that is compiled."""
    command = [str(fuzzer), str(cases), str(seed), *map(str, programs)]
    return subprocess.run(command, capture_output=True, text=True)


def main() -> int:
    """Run cases in slices, each of the next seed, so that a finding is soon run again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        fuzzer, programs = build(Path(temporary)), write_programs(Path(temporary))
        for number, start in enumerate(range(0, options.cases, SLICE)):
            cases, seed = min(SLICE, options.cases - start), options.seed + number
            result = run_built(fuzzer, programs, cases, seed)
            print(f"seed {seed}: {result.stdout.strip()}{result.stderr}", flush=True)
            if result.returncode:
                return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
