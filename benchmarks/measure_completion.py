"""Measure completion: `python benchmarks/measure_completion.py enumeration|speed|seam|seamless [options]`.

- `enumeration`: total variation of each method from exact enumeration, random weights, 3x3 images of 4 levels and 2x2
  RGB images of 3, for every mask of pixels (`--every N` takes each N-th mask). Where a hole has more than 64 fillings,
  the largest total variation of the levels of one sub-pixel. Draws have noise, so the line `exact` gives the same
  figure for as many draws from the enumerated distribution itself: a method is right where it is no further away.
- `speed`: seconds for 8 completions of a 14x14 hole in 28x28 with the network of `digits`, one thread.
- `seam [MODEL] [IMAGES.npz]`: bits of the first known row under the hole, given everything above it, over those of the
  real images; without images, over those of samples of the model. Of `smc` the mean over its weighted particles.
- `seamless [MODEL]`: bits of the pixels on both sides of the wrapped edges of tiles, scored where they meet in the
  middle, over those of the pixels that are in the middle of the tile as it lies.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time

import numpy as np
import torch
from torch import Tensor

import pointillist as pt
from pointillist.completion.smc import run_particles
from pointillist.conditioning import KnownConfig
from pointillist.sampling.request import Request

DRAWS = 20_000
PARTICLES = 200_000
HOW = {"engine": "numpy", "order": "raster", "threads": 1}
"""Particles are weighted and resampled, so their noise is that of fewer draws: more of them are drawn."""


def random_model(shape: tuple[int, int, int], levels: int, **settings: object) -> pt.PixelModel:
    """A small network with random weights, in float64."""
    torch.manual_seed(0)
    model = pt.build("gated-pixelcnn", shape=shape, levels=levels, channels=8, layers=2, **settings).double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.4)
    return model.requires_grad_(False)


def fillings(model: pt.PixelModel, x: Tensor, known: np.ndarray) -> Tensor:
    """Every image that agrees with `x` where it is known."""
    unknown = torch.from_numpy(~known)
    result = x.expand(model.image.levels ** int(unknown.sum()), -1, -1, -1).clone()
    numbers = list(itertools.product(range(model.image.levels), repeat=int(unknown.sum())))
    result[:, unknown] = torch.tensor(numbers, dtype=torch.int64).reshape(len(result), -1)
    return result


def distance(levels: Tensor, log_weights: Tensor, images: Tensor, exact: Tensor, known: np.ndarray) -> float:
    """Total variation of the weighted draws: of the fillings, or of the levels of a sub-pixel where there are many."""
    weights = (log_weights - log_weights.max()).double().exp()
    weights, probabilities = weights / weights.sum(), exact.exp()
    unknown = torch.from_numpy(~known)
    drawn, listed = levels[:, unknown], images[:, unknown]
    count = int(images.max()) + 1
    if len(images) <= 64:
        powers = count ** torch.arange(drawn.shape[1])
        drawn, listed, count = (drawn * powers).sum(1, True), (listed * powers).sum(1, True), count ** drawn.shape[1]
    worst = 0.0
    for column in range(drawn.shape[1]):
        a = torch.zeros(count, dtype=torch.float64).index_add_(0, drawn[:, column], weights)
        b = torch.zeros(count, dtype=torch.float64).index_add_(0, listed[:, column], probabilities)
        worst = max(worst, float((a - b).abs().sum()) / 2)
    return worst


def enumeration(every: int) -> None:
    """Print the largest and the mean total variation of each method."""
    for shape, levels in (((1, 3, 3), 4), ((3, 2, 2), 3)):
        completing = random_model(shape, levels, known=KnownConfig(width=8, layers=2))
        plain = random_model(shape, levels, orders="raster-all")
        masks = list(itertools.product((False, True), repeat=shape[1] * shape[2]))[:-1]
        masks = masks[every // 2 % len(masks) :: every]
        result: dict[str, list[float]] = {"known": [], "order": [], "smc": [], "sequential": [], "exact": []}
        sums = []
        for number, bits in enumerate(masks):
            mask = np.array(bits).reshape(shape[1:])
            known = np.broadcast_to(mask, shape).copy()
            x = torch.randint(0, levels, (1, *shape))
            images = fillings(completing, x, known)
            batches = images.split(65_536)
            own = torch.cat([completing.log_prob(part, known=mask) for part in batches])
            chosen = torch.multinomial(own.exp(), DRAWS, replacement=True)
            result["exact"].append(distance(images[chosen], torch.zeros(DRAWS), images, own, known))
            sums.append(abs(float(own.exp().sum()) - 1))
            drawn = pt.inpaint(completing, x, mask, DRAWS, "known", seed=number, batch_size=DRAWS, threads=1)
            result["known"].append(distance(drawn.torch(), torch.from_numpy(drawn.log_weights), images, own, known))
            joint = torch.cat([plain.log_prob(part, order="raster") for part in batches])
            asked = Request(seed=number, settings=HOW, known=(x.numpy(), known), method="smc", particles=PARTICLES)
            particles = run_particles(asked.resolve(plain))
            exact = joint.log_softmax(0)
            result["smc"].append(
                distance(
                    torch.from_numpy(particles.levels), torch.from_numpy(particles.weights.logs()), images, exact, known
                )
            )
            how = {"seed": number, "batch_size": DRAWS, "threads": 1}
            drawn = pt.inpaint(plain, x, mask, DRAWS, "sequential", order="raster", **how)
            result["sequential"].append(
                distance(drawn.torch(), torch.from_numpy(drawn.log_weights), images, exact, known)
            )
            try:
                drawn = pt.inpaint(plain, x, mask, DRAWS, "order", **how)
            except pt.ConfigError:
                continue
            joint = torch.cat([plain.log_prob(part, order=drawn.order) for part in batches])
            result["order"].append(
                distance(drawn.torch(), torch.from_numpy(drawn.log_weights), images, joint.log_softmax(0), known)
            )
        print(f"{shape}, {levels} levels, {len(masks)} masks, {DRAWS:,} draws; sums to 1 within {max(sums):.1e}")
        for name, values in result.items():
            if values:
                print(f"  {name:10s} masks {len(values):4d}  largest {max(values):.4f}  mean {np.mean(values):.4f}")


def speed() -> None:
    """Print wall and processor seconds of `digits`, by its known pixels and by particles, after a first call."""
    torch.set_num_threads(1)
    model = pt.load("digits")
    known = np.ones((28, 28), bool)
    known[7:21, 7:21] = False
    x = pt.sample(model, 1, label=3, seed=1, threads=1).levels
    for name, method, how in (
        ("known", "known", {}),
        ("smc, 64 particles, 4 moves", "smc", {}),
        ("smc, 64 particles, no moves", "smc", {"moves": 0}),
    ):
        for call in ("first", "second", "third"):
            wall, cpu = time.perf_counter(), time.process_time()
            result = pt.inpaint(model, x, known, 8, method, seed=0, threads=1, **how)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{name:28s} {call:6s} {wall:6.2f} s, {cpu:5.2f} s of processor  ess {result.ess:.1f}")


def seam(source: str, images: str | None, count: int, particles: int) -> None:
    """Print the ratio of the bits of the row under the hole, for the methods that the model can do."""
    torch.set_num_threads(1)
    model = pt.load(source)
    height, width = model.image.height, model.image.width
    if images is None:
        real, labels = pt.sample(model, count, seed=0, threads=1).levels, None
    else:
        batch = pt.load_data(images, spec=model.image).test.batch(range(count))
        real, labels = batch.levels, batch.labels
    known = np.ones((height, width), bool)
    known[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = False
    row = 3 * height // 4
    methods = (["known"] if "known" in model.conditions.encoders else []) + ["smc", "sequential"]

    def row_bits(levels: np.ndarray, label: np.ndarray | None) -> np.ndarray:
        with torch.inference_mode():
            return -model.log_prob_map(levels, label)[:, :, row].double().flatten(1).sum(1).numpy() / math.log(2)

    def bits(levels: np.ndarray, label: np.ndarray | None) -> float:
        return float(row_bits(levels, label).mean())

    def particle_bits(number: int, label: int | None) -> float:
        asked = Request(
            conditions=[{"label": label}],
            seed=number,
            settings=HOW,
            known=(real[number : number + 1], known),
            method="smc",
            particles=particles,
        )
        result = run_particles(asked.resolve(model))
        logs = result.weights.logs()
        weights = np.exp(logs - logs.max())
        likely = np.argsort(-weights)[:64]  # others weigh next to nothing
        labels = None if label is None else np.full(len(likely), label)
        shares = weights[likely] / weights[likely].sum()
        return float((shares * row_bits(result.levels[likely], labels)).sum())

    base = bits(real, labels)
    print(f"{source}: {count} images, row {row} under a hole of {height // 2}x{width // 2}: {base:.2f} bits when real")
    for method in methods:
        if method == "smc":
            each = [particle_bits(i, None if labels is None else int(labels[i])) for i in range(count)]
            print(f"  smc        {np.mean(each):8.2f} bits, ratio {np.mean(each) / base:.3f}, {particles} particles")
            continue
        filled = []
        for number in range(count):
            label = None if labels is None else int(labels[number])
            how = {"seed": number, "threads": 1}
            result = pt.inpaint(model, real[number], known, 2, method, label=label, **how)
            filled.append(result.levels[result.numbers.argsort()][:1])
        value = bits(np.concatenate(filled), labels)
        print(f"  {method:10s} {value:8.2f} bits, ratio {value / base:.3f}")


def seamless(source: str, count: int) -> None:
    """Print the bits of pixels at the wrapped edges over those inside, along both axes; of all labels in turn."""
    torch.set_num_threads(1)
    model = pt.load(source)
    classes = len(model.config.classes)
    labels = [number % classes for number in range(count)] if classes else None
    tiles = pt.sample_seamless(model, count, labels, sides="both", seed=0, threads=1).levels

    def bits(levels: np.ndarray, axis: int) -> float:
        with torch.inference_mode():
            maps = -model.log_prob_map(levels, labels) / math.log(2)
        size = levels.shape[axis]
        return float(maps.narrow(axis, size // 2 - 1, 2).sum()) / count

    for name, axis in (("x", 3), ("y", 2)):
        inside, edge = bits(tiles, axis), bits(np.roll(tiles, tiles.shape[axis] // 2, axis), axis)
        print(f"{source}, {name}: {count} tiles, {edge:.2f} bits at the edge, {inside:.2f} inside: {edge / inside:.3f}")


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("enumeration", "speed", "seam", "seamless"))
    parser.add_argument("model", nargs="?", default="digits")
    parser.add_argument("images", nargs="?")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--particles", type=int, default=64)
    chosen = parser.parse_args()
    if chosen.what == "enumeration":
        enumeration(chosen.every)
    elif chosen.what == "speed":
        speed()
    elif chosen.what == "seamless":
        seamless(chosen.model, chosen.count)
    else:
        seam(chosen.model, chosen.images, chosen.count, chosen.particles)


if __name__ == "__main__":
    main()
