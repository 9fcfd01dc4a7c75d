"""Measure the exact engine against the floating-point one: one thread, the same network and uniforms, in one run.

    OMP_NUM_THREADS=1 python benchmarks/exact_engine.py

Prints CPU milliseconds an image for both engines at batch 1 and 16, drawing included, and their ratio. Each is the
least of several runs, taken in turns. Compilation and opening are not included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import pointillist as pt
from pointillist.engine.batch import SampleBatch
from pointillist.engine.cpu import CpuSampler, DrawSpec
from pointillist.exact.sampler import sample_batch
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.engines import record_stage


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="gated-pixelcnn")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--levels", type=int, default=256)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = (1, arguments.size, arguments.size)
    settings = {"channels": 64, "layers": 12} if arguments.network == "gated-pixelcnn" else {"preset": "small"}
    model = pt.build(arguments.network, shape=shape, levels=arguments.levels, **settings).eval()
    images = torch.randint(0, arguments.levels, (8, *shape))
    pt.quantize_exact(model, images, images=8)
    for batch in arguments.batches:
        engines = {"cpu": float_engine(model, batch), "exact": exact_engine(model, batch)}
        best = dict.fromkeys(engines, np.inf)
        for engine in engines.values():
            engine()
        for _ in range(arguments.runs):
            for name, engine in engines.items():
                started = time.process_time()
                engine()
                best[name] = min(best[name], (time.process_time() - started) / batch * 1000)
        print(
            f"{arguments.network} batch {batch:2}: cpu {best['cpu']:.2f} ms, exact {best['exact']:.2f} ms an image, "
            f"ratio {best['cpu'] / best['exact']:.2f}"
        )


def float_engine(model: PixelModel, batch: int) -> Callable[[], None]:
    """Return a call that samples a batch in floating point."""
    height, width = model.image.height, model.image.width
    program = record_stage(model, model.stages(height, width)[0], model.encode(None, 1), height, width, model.order())
    mixtures = getattr(model.likelihood, "mixtures", 0)
    draw = DrawSpec(model.likelihood.name, model.level_embeddings().detach().numpy(), 1, mixtures)
    sampler = CpuSampler(program, draw)

    def run() -> None:
        levels, uniforms = _noise(batch, height, width)
        sampler.sample(SampleBatch(levels, np.zeros(levels.shape, bool), uniforms, np.zeros(batch)))

    return run


def exact_engine(model: PixelModel, batch: int) -> Callable[[], None]:
    """Return a call that samples a batch in integers."""
    exact, order = model.exact().integers, model.order()
    height, width = model.image.height, model.image.width
    inputs = exact.inputs(batch, (height, width), order)

    def run() -> None:
        levels, uniforms = _noise(batch, height, width)
        images = SampleBatch(levels, np.zeros(levels.shape, bool), uniforms, np.zeros(batch))
        sample_batch(exact.program(order), inputs, images)

    return run


def _noise(batch: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    uniforms = np.random.default_rng(0).random((batch, 1, height, width))
    return np.zeros(uniforms.shape, np.int64), uniforms


if __name__ == "__main__":
    main()
