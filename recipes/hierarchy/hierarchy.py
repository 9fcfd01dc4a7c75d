"""A hierarchy: a chain of ordinary models, each with the coarser picture as its hint, and its lossless code length.

    python recipes/hierarchy/hierarchy.py reduce photo_patches64.npz recipes/hierarchy/photos64.toml photos8.npz
    pointillist train photos8.npz --config recipes/hierarchy/photos8.toml --out runs/photos8
    pointillist train photo_patches64.npz --config recipes/hierarchy/photos64.toml --out runs/photos64
    python recipes/hierarchy/hierarchy.py measure photo_patches64.npz runs/photos8 runs/photos64
    python recipes/hierarchy/hierarchy.py sample samples.png runs/photos8 runs/photos64 --size 128

The finer model has the rule `lowres:N` as its hint, the means of blocks of N x N pixels, and the coarser one is trained
on those means. The chain may go on: a third model, coarser still, is trained on the means of the hint of the second.

The coarse picture is a function of the picture x, so -log2 p(coarse(x)) - log2 p(x | coarse(x)) bits are the length of
a lossless code of x: the coarse picture first, then all pixels given it. The finer model also gives some probability to
pictures with other means, which is lost: over all x the probabilities sum to at most 1.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.analysis.evaluation.memorization import lossless_size
from pointillist.conditioning.hint import hint_rule
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from pointillist.data import ImageDataset
from pointillist.files.settings_tree import read_toml
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.system import describe_machine, today
from pointillist.training.runs.config import RunConfig


def coarse(x: np.ndarray, rule: HintPreprocessor, image: ImageSpec) -> np.ndarray:
    """Reduce images `[n c h w]` by the rule of a hint: one pixel for each block, int64 `[n c h/N w/N]`."""
    return rule.of(x, image)[:, :, :: rule.factor, :: rule.factor]


def reduce(images: str, config: Path, out: Path) -> None:
    """Write the coarse pictures of each split, by the data and the hint's rule of the run file of the finer model."""
    run = RunConfig.from_dict(read_toml(config))
    rule = HintPreprocessor.parse(run.model.conditions["hint"].rule)
    splits, members = pt.load_data(images, run.data.options), {}
    for name in splits.names:
        split = splits.get(name)
        small = coarse(split.batch(range(len(split))).levels, rule, split.spec)
        members[f"x_{name}"] = small.transpose(0, 2, 3, 1).astype(np.uint8)
    np.savez_compressed(out, **members)
    print(f"{out}: " + ", ".join(f"{len(x):,} {name[2:]} of {x.shape[1]}x{x.shape[2]}" for name, x in members.items()))


def measure(models: Sequence[PixelModel], x: np.ndarray, **query: Any) -> list[np.ndarray]:
    """Score images `[n c h w]` by a chain of models, the coarsest first, each given the next coarser picture.

    Returns:
        the negative log-likelihood of each image under each model, in nats, `[n]`; the sum of all is the code length.
    """
    nats: list[np.ndarray] = []
    for model in reversed(models):
        hint = None if model is models[0] else coarse(x, hint_rule(model.conditions.hint_reader), model.image)
        nats.insert(0, pt.evaluate(model, x, hint=hint, **query).nats_per_image)
        x = x if hint is None else hint
    return nats


def sample(models: Sequence[PixelModel], n: int, *, seed: int, size: int, **settings: Any) -> list[pt.Samples]:
    """Sample `n` square images from a chain, the coarsest first, and return the samples of each model."""
    factors = [hint_rule(model.conditions.hint_reader).factor for model in models[1:]]
    samples: list[pt.Samples] = []
    for i, model in enumerate(models):
        settings["hint"] = samples[-1].levels if samples else None
        side = size // math.prod(factors[i:])
        samples.append(pt.sample(model, n, seed=seed + i, size=side, **settings))
    return samples


def report(models: Sequence[PixelModel], images: ImageDataset) -> None:
    """Print bits/dim of the chain and of lossless codecs, and the time of a sample of 128x128 pixels."""
    levels = images.batch(range(len(images))).levels
    nats = measure(models, levels)
    scale = math.log(2) * levels[0].size
    print(
        f"{today()}, {describe_machine()}\n{len(images):,} images, bits for each of their {levels[0].size:,} sub-pixels"
    )
    for i, stage in enumerate(nats):
        print(f"stage {i}    {stage.mean() / scale:.4f}, of {models[i].image.height}x{models[i].image.width} pixels")
    print(f"chain      {sum(nats).mean() / scale:.4f}\nJPEG XL    {jpeg_xl(levels):.4f}\n{lossless_size(images)}")
    for _ in range(2):  # the first prepares the engine
        started, processor = time.perf_counter(), time.process_time()
        sample(models, 1, seed=0, size=128, threads=1)
    seconds, busy = time.perf_counter() - started, time.process_time() - processor
    print(f"sample     128x128: {seconds:.2f} s, {busy:.2f} s of processor time")


def jpeg_xl(levels: np.ndarray) -> float:
    """Bits/dim of all images as one tall picture, lossless, at effort 9."""
    import imagecodecs

    tall = np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1).reshape(-1, *levels.shape[:0:-2]))
    return 8 * len(imagecodecs.jpegxl_encode(tall, lossless=True, effort=9)) / levels.size


def main() -> None:
    """Run a command of the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("reduce", "measure", "sample"))
    parser.add_argument("paths", nargs="+", help="of reduce: IMAGES CONFIG OUT; else IMAGES or OUT, and the runs")
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    first, *rest = args.paths
    if args.command == "reduce":
        reduce(first, Path(rest[0]), Path(rest[1]))
        return
    models = [pt.load(run) for run in rest]
    if args.command == "measure":
        report(models, pt.load_data(first, spec=models[-1].image, labels=False).test)
    else:
        sample(models, 16, seed=0, size=args.size)[-1].save(first)


if __name__ == "__main__":
    main()
