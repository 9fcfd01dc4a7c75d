"""The yardstick: one incremental sampler written by hand for one model, `gated-pixelcnn`, in numba.

    python benchmarks/handwritten_gated.py [--channels 64 --layers 12 --size 28 --levels 256] [--batch 1 16]
        [--engines step cpu]

It is what a generic engine competes with, and nothing else uses it. Same weights as ours, any number of channels,
layers and levels, for images of one channel, kernels without dilation, no conditions. The vertical stack and the link
are computed a row at a time, by BLAS (numba's `np.dot`, which needs scipy); the horizontal stack and the head at each
site, by a matrix-vector kernel for one image and by BLAS for more. Biases that meet are folded together.
`check` holds it to the full pass: logits at every site, and every draw; a test does, on small models.
Times are CPU time of one thread, which a busy machine disturbs less than wall time.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import pointillist as pt
from handwritten_kernels import Array, F
from handwritten_network import Weights, paint
from pointillist.bench.timing import Case, Times, cpu_time, interleave
from pointillist.bench.workload import Workload
from pointillist.model.pixel_model import inference_mode
from pointillist.networks import GatedPixelCNNConfig
from pointillist.system import describe_machine, single_threaded, today


def pack(model: pt.PixelModel) -> Weights:
    """The weights of a model that this sampler can paint with.

    Raises:
        ValueError: for a model that it was not written for.
    """
    config, net = model.config.backbone, model.backbone
    if not isinstance(config, GatedPixelCNNConfig) or model.image.channels != 1 or not model.image.ordered:
        raise ValueError("The hand-written sampler paints `gated-pixelcnn` on images of one channel only.")
    if (
        set(config.dilations) != {1}
        or config.vertical_residual
        or config.linear_kernel
        or model.conditions.encoders
        or model.conditions.position
        or config.layers < 2
    ):
        raise ValueError("The hand-written sampler knows two layers or more, no dilations and no conditions.")
    first, *later = net.layers
    link = [_matrix(layer.link) for layer in net.layers]
    rows_bias = [_vector(layer.vertical) for layer in net.layers]
    row_bias = [
        _vector(layer.horizontal) + _vector(layer.link) + bias @ matrix
        for layer, bias, matrix in zip(net.layers, rows_bias, link, strict=True)
    ]
    skips = [_vector(layer.out)[-config.head_channels :] for layer in net.layers]
    return Weights(
        _matrix(first.vertical), _matrix(first.horizontal),
        _stack(_matrix(layer.vertical) for layer in later), _stack(_matrix(layer.horizontal) for layer in later),
        _stack(rows_bias), _stack(link), _stack(row_bias),
        _stack(_matrix(layer.out) for layer in net.layers[:-1]),
        _stack(_vector(layer.out)[: config.channels] for layer in net.layers[:-1]),
        _matrix(later[-1].out), _stack(skips).sum(0),
        _matrix(net.head), _vector(net.head), _matrix(net.output), _vector(net.output),
        model.level_embeddings().detach().numpy()[:, 0].astype(F),
    )  # fmt: skip


def _matrix(layer: Any) -> Array:
    weight: torch.Tensor = layer.masked_weight() if hasattr(layer, "masked_weight") else layer.weight
    return np.ascontiguousarray(weight.detach().permute(2, 3, 1, 0).reshape(-1, weight.shape[0]).numpy())


def _vector(layer: Any) -> Array:
    return np.array(layer.bias.detach().numpy())


def _stack(arrays: Any) -> Array:
    return np.stack(list(arrays)).astype(F)


class Handwritten:
    """A packed model, ready to paint."""

    def __init__(self, model: pt.PixelModel) -> None:
        self.weights = pack(model)

    def sample(self, uniforms: NDArray[np.float64], *, keep_logits: bool = False) -> tuple[NDArray[np.int64], Array]:
        """Levels `[b, h, w]` from uniforms of that shape; and the logits `[b, h, w, p]`, or nothing."""
        levels = np.zeros(uniforms.shape, np.int64)
        kept = (*uniforms.shape, self.weights.output_bias.size) if keep_logits else (0, 0, 0, 0)
        logits = np.zeros(kept, F)
        with single_threaded():
            paint(self.weights, uniforms, levels, logits)
        return levels, logits


def check(model: pt.PixelModel, batch: int, height: int, width: int, seed: int = 0) -> float:
    """Compare with the full pass over what was painted; the largest difference of logits.

    Every draw must be the level in whose share of the full pass's distribution, widened by 1e-5, the uniform lies.
    """
    uniforms = np.random.default_rng(seed).random((batch, height, width))
    levels, logits = Handwritten(model).sample(uniforms, keep_logits=True)
    x = torch.from_numpy(levels)[:, None]
    with inference_mode(model):
        params = model.params(x, model.encode(None, batch))
        cdf = model.likelihood.conditional(params, x, 0).double().exp().cumsum(1)
    below = torch.cat([torch.zeros_like(cdf[:, :1]), cdf[:, :-1]], 1).gather(1, x)[:, 0].numpy()
    upto = cdf.gather(1, x)[:, 0].numpy()
    assert ((below - 1e-5 <= uniforms) & (uniforms <= upto + 1e-5)).all(), "a draw is not the full pass's"
    return float(np.abs(params.movedim(1, -1).numpy() - logits).max())


def compare(model: pt.PixelModel, batch: int, engines: list[str], repeats: int) -> dict[str, Times]:
    """Seconds an image of the hand-written sampler and of engines, in turn; opening an engine is left out."""
    size = (model.image.height, model.image.width)
    workload, sampler = Workload(model, size), Handwritten(model)
    uniforms = np.random.default_rng(1).random((batch, *size))
    cases: dict[str, Case] = {"handwritten": lambda: cpu_time(lambda: sampler.sample(uniforms)) / batch}
    for name in engines:
        workload.time_sampling(name, batch)  # warm up
        cases[name] = lambda e=name: workload.time_sampling(e, batch)  # type: ignore[misc]
        cases[f"open {name}"] = lambda e=name: workload.time_setup(e, batch)  # type: ignore[misc]
    result = interleave(cases, repeats)
    pure = {e: result[e].minus(result[f"open {e}"].median_range.median).per(batch) for e in engines}
    return {"handwritten": result["handwritten"], **pure}


def main() -> None:
    """Check, then print the median time of an image at each batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--levels", type=int, default=256)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--engines", nargs="*", default=["cpu", "numpy"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures")
    args = parser.parse_args()
    torch.manual_seed(0)
    settings = {"channels": args.channels, "layers": args.layers}
    model = pt.build("gated-pixelcnn", shape=(1, args.size, args.size), levels=args.levels, **settings).eval()
    written: list[dict[str, Any]] = []
    for batch in args.batch:
        worst = check(model, batch, args.size, args.size)
        print(f"batch {batch}: logits within {worst:.1e} of the full pass")
        with single_threaded():
            result = compare(model, batch, args.engines, args.repeats)
        for name, times in result.items():
            ms, ratio = times.median_range.scaled(1e3), times.ratio_to(result["handwritten"])
            print(f"  {name:12} {ms.median:8.1f} ms an image ({ms.low:.1f} to {ms.high:.1f}), {ratio.median:.2f} times")
            row = {"batch": batch, "engine": name, "milliseconds": asdict(ms), "over_handwritten": asdict(ratio)}
            written.append({**settings, **row})
    if args.json:
        record = {"machine": describe_machine(), "date": today(), "rows": written}
        args.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
