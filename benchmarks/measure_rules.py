"""Measure maps drawn by rules: `python benchmarks/measure_rules.py [MODEL] [options]`.

For maps of each size it prints neighbours that the rules do not allow, tiles a second, and the share of the drawn maps
that obeyed the rules; and the same without rules. One thread. Without a model: a network of `--preset` with untrained
weights and `--levels` levels, whose pairs of neighbours are random, a share `--density` of all pairs.

    python benchmarks/measure_rules.py dungeons --size 64 --count 1000
    python benchmarks/measure_rules.py --size 256 --count 1 --density 0.4
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.sampling.rules.adjacency import Pairs, pairs_from_record, pairs_to_record


def random_pairs(levels: int, density: float) -> Pairs:
    """Draw pairs of neighbours; each level may follow itself, so that there are maps."""
    pairs = np.random.default_rng(0).random((2, levels, levels)) < density
    pairs[:, np.arange(levels), np.arange(levels)] = True
    return pairs


def untrained(levels: int, preset: str, density: float) -> pt.PixelModel:
    """Build a network with untrained weights that stores random pairs of neighbours."""
    torch.manual_seed(0)
    image = ImageSpec(channels=1, height=32, width=32, levels=levels, ordered=False)
    model = pt.build("gated-pixelcnn", shape=image, preset=preset).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    model.training_record.adjacency = pairs_to_record(random_pairs(levels, density))
    return model


def violations(pairs: Pairs, samples: pt.Samples) -> int:
    """Count neighbours that are not a pair."""
    x = samples.levels[:, 0]
    return int((~pairs[0][x[:, :, :-1], x[:, :, 1:]]).sum() + (~pairs[1][x[:, :-1], x[:, 1:]]).sum())


def main() -> None:
    """Parse the options, and print a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--levels", type=int, default=16)
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--rules", help="a TOML file of further rules; observed neighbours if left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = pt.load(options.model) if options.model else untrained(options.levels, options.preset, options.density)
    pairs = pairs_from_record(model.training_record.adjacency, model.image.levels)
    rules = options.rules or {"adjacency": "observed"}
    how = {"size": (options.size, options.size), "threads": 1, "batch_size": options.batch_size, "engine": "integer"}
    print(f"{model}\n{int(pairs.sum()):,} of {pairs.size:,} pairs of neighbours")
    for name, settings in (("rules", {"rules": rules}), ("no rules", {})):
        pt.sample(model, 1, seed=0, **{**how, "size": (4, 4)})  # compiled, before the clock runs
        started = time.perf_counter()
        result = pt.sample(model, options.count, seed=0, **how, **settings)
        seconds = time.perf_counter() - started
        acceptance = "" if result.rule_acceptance is None else f", acceptance {result.rule_acceptance:.3f}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"{name:9} {options.count} x {options.size}x{options.size}: {violations(pairs, result):,} violations, "
            f"{result.levels.size / seconds:,.0f} tiles/s{acceptance}, {peak:,.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
