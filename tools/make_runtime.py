"""Build the libraries of `runtime/pointillist.c` for every platform, to the same bytes on every machine.

    python tools/make_runtime.py             # writes src/pointillist/engine/c/lib; needs the extra `runtime`
    python tools/make_runtime.py --check     # compares instead: exit code 1 names what differs
    python tools/make_runtime.py linux-x86_64 --check

The compiler is clang as `ziglang` ships it, of one release: another one may write other bytes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pointillist.engine.library import runtime_text

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "runtime"
FOLDER = ROOT / "src" / "pointillist" / "engine" / "c" / "lib"
HEADERS = ("pointillist.h", "solver.h", "particles.h", "archive.h")
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", "so"),
    "linux-aarch64": ("aarch64-linux-gnu.2.17", "so"),
    "macos-x86_64": ("x86_64-macos.11.0", "dylib"),
    "macos-aarch64": ("aarch64-macos.11.0", "dylib"),
    "windows-x86_64": ("x86_64-windows-gnu", "dll"),
    "webassembly": ("wasm32-freestanding", "wasm"),
}
"""Platforms, each with the target of the compiler and the suffix of its libraries."""
OPTIONS = (
    "-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-sanitize=all", "-fvisibility=hidden",
    "-mllvm", "-force-vector-interleave=1", "-nostdlib", "-s", "-DPT_LIBRARY",
)  # fmt: skip
"""Vectors of 512 bits where there are any; without interleaving, loops over few channels have no long remainder."""
SHARED = {
    "wasm": ("-msimd128", "-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--export=__heap_base"),
    "dll": ("-shared",),
}
"""Options of a kind of library; of the others `-shared -fPIC`. Relaxed SIMD is not used: its results differ."""


def file_name(target: str) -> str:
    """Return the name of the library of a platform."""
    suffix = TARGETS[target][1]
    return "pointillist.wasm" if suffix == "wasm" else f"pointillist-{target}.{suffix}"


def build(target: str, folder: Path) -> Path:
    """Build the library of a platform, and return its path."""
    triple, suffix = TARGETS[target]
    options = [*OPTIONS, *(["-mprefer-vector-width=512"] if triple.startswith("x86") else [])]
    options += SHARED.get(suffix, ("-shared", "-fPIC"))
    path = folder / file_name(target)
    for name in HEADERS:  # names alone: no path of this machine enters the bytes
        shutil.copy(RUNTIME / name, folder)
    text = runtime_text("pointillist.c", without=("archive.c", "particles.c") if suffix == "wasm" else ())
    (folder / "pointillist.c").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", triple, *options, "pointillist.c", "-o", path.name]
    subprocess.run(command, cwd=folder, check=True)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Build, and write or compare."""
    parser = argparse.ArgumentParser(description="Build the libraries in C.")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--check", action="store_true", help="compare with the libraries that are there")
    options = parser.parse_args(arguments)
    different = []
    with tempfile.TemporaryDirectory() as temporary:
        for target in options.targets:
            path = build(target, Path(temporary))
            data, there = path.read_bytes(), FOLDER / path.name
            same = there.exists() and there.read_bytes() == data
            if not same and options.check:
                different.append(there.name)
            elif not same:
                FOLDER.mkdir(exist_ok=True)
                there.write_bytes(data)
            print(f"{path.name}: {len(data):,} bytes{', the same' if same else ''}")
    if different:
        print(f"{', '.join(different)} differ from what runtime/pointillist.c gives: run `make runtime`.")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
