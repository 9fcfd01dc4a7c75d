"""Measure worlds: parts of open floor over real ones, rules, order of visits, speed, memory.

    python benchmarks/measure_worlds.py dungeons --ruled 1024
    python benchmarks/measure_worlds.py dungeons --only speed
    python recipes/zoo/dungeons/generate.py real.npz --side 48 --train 1 --valid 1 --test 1 --windows 400 --first 400000
    python benchmarks/measure_worlds.py dungeons --only parts --maps real.npz

Speeds count the processor time of one thread, so that other programs do not change them, without the start.
Parts are those that open floor falls into, in windows of the size of the real ones (`recipes/zoo/dungeons/rules.py`);
closed ones reach no side of the window, and real maps have none. They are counted without rules, and with passages.

Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

import pointillist as pt
from pointillist.engine.library import KERNELS
from pointillist.sampling.rules.adjacency import pairs_from_record
from pointillist.sampling.worlds import WINDOW, World

sys.path.append(str(Path(__file__).parents[1] / "recipes" / "zoo" / "dungeons"))
from rules import parts as count_parts  # isort: skip

SIDE, CHUNKS = 32, 5
PLACES = ("process", "plain", "avx2", "javascript")
"""Where else 64 chunks are drawn: in another process, there by kernels for other instruction sets, and in Node."""
PLAIN_NUMPY = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL", "OPENBLAS_CORETYPE": "Nehalem"}
"""Variables by which numpy, which encodes known tiles, does without AVX2 and AVX-512."""
LOCAL = {"adjacency": "observed", "counts": [{"levels": ["monster"], "at_most": 4}]}
RULES = {
    **LOCAL,
    "connected": [
        {"levels": ["floor", "door", "locked door", "key", "stairs up", "stairs down", "grass", "chest", "monster"]}
    ],
}


def parts_over_real(model: str, worlds: int, path: Path) -> dict[str, Any]:
    """Compare parts of open floor in windows of worlds of `CHUNKS` x `CHUNKS` chunks with those of real windows."""
    real = np.load(path)
    windows = {"real": [*real["x"][real["extent"] == WINDOW]], "none": [], "passages": []}
    side = windows["real"][0].shape[0]
    for name, rules in (("none", None), ("passages", RULES)):
        for seed in range(100, 100 + worlds):
            tiles = World(model, seed, rules, remembered=CHUNKS**2 + 8).tiles(0, 0, CHUNKS * SIDE, CHUNKS * SIDE)
            starts = range(SIDE // 4, len(tiles) - side, side)
            windows[name] += [tiles[row : row + side, column : column + side] for row in starts for column in starts]
    result: dict[str, Any] = {}
    for name, images in windows.items():
        values, closed = np.array([count_parts(image) for image in images]).T
        error = float(values.std() / len(values) ** 0.5)
        result[name] = {"windows": len(images), "parts": float(values.mean()), "error": error, "closed": closed.mean()}
        result[name]["over_real"] = result[name]["parts"] / result["real"]["parts"]
    return result


def speed(model: str, chunks: int) -> dict[str, float]:
    """Measure tiles a second of one thread: without rules, with local ones, and with passages as well."""
    side, result = max(2, round(chunks**0.5)), {}
    for name, rules in (("none", None), ("local", LOCAL), ("passages", RULES)):
        world = World(model, 7, rules, remembered=6 * (side + 8))
        world.chunk(-20, -20)  # what is compiled or read from the disk at the first chunk is not counted
        started = time.process_time()
        tiles = world.tiles(0, 0, side * SIDE, side * SIDE)
        result[name] = tiles.size / (time.process_time() - started)
    return result


def orders_of_visits(model: str, orders: int, chunk: int) -> dict[str, Any]:
    """Visit 64 chunks in random orders, and elsewhere: see `PLACES`."""
    visits = [(x, y) for y in range(-4, 4) for x in range(-4, 4)]
    how: dict[str, Any] = {"chunk_size": chunk, "margin": min(8, chunk // 2), "remembered": 400}
    first = World(model, 7, **how)
    expected = {chunk: first.chunk(*chunk).tobytes() for chunk in visits}
    differing = 0
    for number in range(orders):
        world = World(model, 7, **how)
        for x, y in np.random.default_rng(number).permutation(visits).tolist():
            differing += world.chunk(x, y).tobytes() != expected[x, y]
    due = hashlib.sha256(World(model, 7, remembered=400).tiles(-128, -128, 256, 256).tobytes()).hexdigest()
    equal = {place: elsewhere(model, place) == due for place in PLACES}
    return {"orders": orders, "differing_chunks": differing, "equal": equal}


def elsewhere(model: str, place: str) -> str:
    """Hash the tiles of 64 chunks that another process draws."""
    if place == "javascript":
        with tempfile.TemporaryDirectory() as folder:
            pt.export(model, js=folder)
            script = (
                f'import {{ open }} from "./{Path(model).name}.js"; import {{ createHash }} from "node:crypto"; '
                "const world = (await open()).world(7, { remembered: 400 }); "
                "const tiles = Uint8Array.from(world.tiles(-128, -128, 256, 256)); "
                'console.log(createHash("sha256").update(tiles).digest("hex"))'
            )
            command = ["node", "--input-type=module", "-e", script]
            return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    code = (
        "import hashlib; from pointillist.sampling.worlds import World; "
        f"print(hashlib.sha256(World({model!r}, 7, remembered=400).tiles(-128, -128, 256, 256).tobytes()).hexdigest())"
    )
    environment = {**os.environ, **({} if place == "process" else {KERNELS: place, **PLAIN_NUMPY})}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def ruled(model: str, chunks: int) -> dict[str, Any]:
    """Draw chunks by rules, and count violations and chunks that cannot be reached."""
    side = max(2, round(chunks**0.5))
    world = World(model, 7, RULES, remembered=6 * (side + 8))
    tiles = world.tiles(0, 0, side * SIDE, side * SIDE)
    pairs = pairs_from_record(world.model.training_record.adjacency, world.model.image.levels)
    violations = int((~pairs[0][tiles[:, :-1], tiles[:, 1:]]).sum() + (~pairs[1][tiles[:-1], tiles[1:]]).sum())
    names = list(world.model.image.level_names or ())
    walkable = np.isin(tiles, [names.index(level) for level in RULES["connected"][0]["levels"]])  # type: ignore[index]
    best = np.zeros((side, side), bool)
    pieces = ndimage.label(walkable)[0]
    for piece in np.unique(pieces[:SIDE, :SIDE][walkable[:SIDE, :SIDE]]):
        blocks = (pieces == piece).reshape(side, SIDE, side, SIDE).any((1, 3))
        best = blocks if blocks.sum() > best.sum() else best
    return {"chunks": side * side, "violations": violations, "chunks_not_reached": int((~best).sum())}


def memory(model: str, sizes: tuple[str, ...]) -> dict[str, float]:
    """Measure the peak memory of the command that writes so many chunks, in MB."""
    result = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "world.csv"
            code = (
                "from pathlib import Path; from pointillist.commands.sampling import world; "
                "from pointillist.commands.sampling.settings import WorldSettings; "
                f"world.world(WorldSettings(model={model!r}, out={str(out)!r}, size={size!r}, seed=7)); "
                "text = Path('/proc/self/status').read_text(); print(int(text.split('VmHWM:')[1].split()[0]) / 1024)"
            )
            run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            result[size] = float(run.stdout.split()[-1])
    return result


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--chunks", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=SIDE, help="side of the chunks of `orders`")
    parser.add_argument("--worlds", type=int, default=20, help="worlds whose parts are counted")
    parser.add_argument("--ruled", type=int, default=64)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--sizes", nargs="*", default=["1x1", "100x100"])
    parser.add_argument("--maps", type=Path, help="windows of real maps, whose parts are counted")
    parser.add_argument("--only", nargs="*", default=["speed", "orders", "rules", "memory_mb"])
    options = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "speed": lambda: speed(options.model, options.chunks),
        "parts": lambda: parts_over_real(options.model, options.worlds, options.maps),
        "orders": lambda: orders_of_visits(options.model, options.orders, options.chunk),
        "rules": lambda: ruled(options.model, options.ruled),
        "memory_mb": lambda: memory(options.model, tuple(options.sizes)),
    }
    result: dict[str, Any] = {}
    for name in options.only:
        result[name] = parts[name]()
        print(json.dumps({name: result[name]}), file=sys.stderr, flush=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
