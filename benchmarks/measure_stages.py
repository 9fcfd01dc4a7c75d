"""Whole calls of `pt.sample` of networks of several stages, by engine: `python benchmarks/measure_stages.py`.

Preset base with random weights, 28x28, 256 levels, one thread; milliseconds of processor time an image, the least of
three rounds in which the engines take turns. It takes about three minutes of an idle core; docs/decisions, 0072, has
what is printed.
"""

from __future__ import annotations

import time

import numpy as np
import torch

import pointillist as pt

NETWORKS = ("multiscale-pixelrnn", "parallel-multiscale")
ENGINES = ("numpy", "torch", "integer")
ROUNDS = 3


def seconds(model: pt.PixelModel, engine: str, batch: int) -> float:
    """Time a call, in seconds of processor time."""
    started = time.process_time()
    pt.sample(model, batch, seed=1, engine=engine, batch_size=batch, threads=1)
    return time.process_time() - started


def main() -> None:
    """Print a line for each network and batch size."""
    torch.set_num_threads(1)
    for network in NETWORKS:
        torch.manual_seed(0)
        model = pt.build(network, shape=(1, 28, 28), levels=256, preset="base").eval()
        images = np.random.default_rng(0).integers(0, 256, (16, 1, 28, 28))
        pt.quantize_integer(model, torch.from_numpy(images))
        pt.sample(model, 1, seed=0, engine="integer")  # the first call lowers the programs
        for batch in (1, 16):
            rounds = [[seconds(model, engine, batch) for engine in ENGINES] for _ in range(ROUNDS)]
            least = np.array(rounds).min(0) / batch * 1000
            print(f"| {network} | {batch} | {' | '.join(f'{value:.1f}' for value in least)} |", flush=True)


if __name__ == "__main__":
    main()
