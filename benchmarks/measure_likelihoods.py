"""Compare likelihoods for pictures with 256 levels: `python benchmarks/measure_likelihoods.py FOLDER [WORD ...]`.

FOLDER holds `photo_patches64.npz`, `cifar10_subset.npz` and `pneumoniamnist.npz`. Each row is a training on one thread
(gated-pixelcnn, its defaults but for the number of steps), in a process of its own, and is stored at once in
`docs/evidence/likelihoods.jsonl`; a row that is there is not measured again. Words choose rows by data, preset,
likelihood or seed. Only training images are used: the validation images are those of other photographs, or a random
tenth where the images do not say where they come from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.system import describe_machine, today

ROWS = Path(__file__).parents[1] / "docs" / "evidence" / "likelihoods.jsonl"
KEY = ("data", "preset", "likelihood", "steps", "seed")
PLAN = [
    ("photographs", "small", "categorical", 130, 0),
    ("photographs", "small", "mixture", 130, 0),
    ("photographs", "default", "categorical", 130, 0),
    ("photographs", "default", "mixture", 130, 0),
    ("photographs", "small", "categorical", 400, 0),
    ("photographs", "small", "mixture", 400, 0),
    ("grey photographs", "small", "categorical", 130, 0),
    ("grey photographs", "small", "mixture", 130, 0),
    ("x-rays", "small", "categorical", 130, 0),
    ("x-rays", "small", "mixture", 130, 0),
    ("cifar10", "small", "categorical", 130, 0),
    ("cifar10", "small", "mixture", 130, 0),
]

Row = dict[str, Any]


def images(data: str, folder: Path) -> pt.DataSplits:
    """The training and validation images of a data set, RGB or grey, with 256 levels."""
    if data == "cifar10":
        x = np.load(folder / "cifar10_subset.npz")["x_train"]
        chosen = np.random.default_rng(0).permutation(len(x))
        return splits(x[chosen[:2000]], x[chosen[2000:2200]], (32, 32))
    if data == "x-rays":
        archive = np.load(folder / "pneumoniamnist.npz")
        return splits(archive["x_train"][:2000], archive["x_val"][:200], (28, 28))
    archive = np.load(folder / "photo_patches64.npz")
    x, photo = archive["x_train"], archive["photo_train"]
    if data.startswith("grey"):
        x = np.stack([grey_of(image) for image in x])
    names = np.unique(photo)
    held_out = np.isin(photo, names[-3:])
    choose = np.random.default_rng(0).permutation
    train, valid = (np.flatnonzero(part) for part in (~held_out, held_out))
    return splits(x[choose(train)[:104]], x[choose(valid)[:64]], (32, 32))


def grey_of(image: np.ndarray) -> np.ndarray:
    """Brightness as Pillow computes it."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))


def splits(train: np.ndarray, valid: np.ndarray, size: tuple[int, int]) -> pt.DataSplits:
    """Wrap two arrays of pictures."""
    options = {"size": size, "valid_fraction": 0.0, "values": "pictures"}
    return pt.DataSplits(*(pt.load_data(x, **options).train for x in (train, valid)))


def measure(folder: Path, data: str, preset: str, likelihood: str, steps: int, seed: int) -> Row:
    """Train in this process, and evaluate on the validation images."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    out = images(data, folder)
    assert out.train is not None
    assert out.valid is not None
    spec = out.train.spec
    model = pt.build(
        "gated-pixelcnn", shape=spec, likelihood=likelihood, preset=None if preset == "default" else preset
    )
    started, cpu = time.perf_counter(), time.process_time()
    settings = {"steps": steps, "seed": seed, "machine.threads": 1, "intervals.evaluate": max(1, steps // 4)}
    result = pt.train(model, out, settings)
    row: Row = dict(zip(KEY, (data, preset, likelihood, steps, seed), strict=True))
    row |= {"valid_bits_per_dim": round(result.valid_bits_per_dim, 4), "cpu_seconds": round(time.process_time() - cpu)}
    row |= {"seconds": round(time.perf_counter() - started), "train_images": len(out.train)}
    row |= {"valid_images": len(out.valid), "parameters": model.num_parameters()}
    return row | {"load": round(os.getloadavg()[0], 1), "date": today(), "machine": describe_machine()}


def read() -> list[Row]:
    """The rows that were measured."""
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()] if ROWS.exists() else []


def main(folder: str, words: list[str]) -> None:
    """Measure what is missing, row by row."""
    for key in PLAN:
        known = {tuple(row[k] for k in KEY) for row in read()}
        if key in known or (words and not set(words) & set(map(str, key))):
            continue
        command = [sys.executable, __file__, "--row", folder, *map(str, key)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        with ROWS.open("a", encoding="utf-8") as file:
            file.write(done.stdout.splitlines()[-1] + "\n")
        print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--row":
        folder, data, preset, likelihood, steps, seed = sys.argv[2:]
        print(json.dumps(measure(Path(folder), data, preset, likelihood, int(steps), int(seed))))
    else:
        main(sys.argv[1], sys.argv[2:])
