"""Where 8 bits cost a model of photographs bits: `python benchmarks/measure_rounding.py MODEL DATA PHOTOGRAPH...`.

MODEL is `photos` or a model like it, whose products are all 1x1 layers over a window. Features, weights or both of one
product, and then of all, are rounded as an integer program rounds them, everything else stays in floats; the units of
features come from 64 images of DATA, the crops that the model was trained on. The figures are bits/dim more than
without rounding, on the upper half of the views of each photograph that `measure_picture_fit.py` cuts. At the end the
integer program itself, which rounds the weights of the first product to 15 bits, and holds the prediction among its
features as it is. One thread.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

import pointillist as pt
from measure_picture_fit import HEIGHT, views
from pointillist.engine.program import INT8, UINT8
from pointillist.engine.rewrite.grids import narrow_units
from pointillist.training.quantization_aware import round_features, round_weights

CALIBRATION = 64
Grid = tuple[np.ndarray, bool]
"""Units of the features of a product, and whether they are signed."""


class Products(TorchFunctionMode):
    """Call each product of a network with its number, and what it multiplies."""

    def __init__(
        self, grids: dict[int, Grid] | None, features: Sequence[int] = (), weights: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.seen: dict[int, Grid] = {}
        self.grids, self.features, self.weights, self.count = grids, features, weights, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Round what is to be rounded."""
        if func is F.conv2d and args[0].shape[2:] != (1, 1):
            x, weight, *rest = args
            number, self.count = self.count, self.count + 1
            if self.grids is None:
                signed = bool(x.min() < 0)
                self.seen[number] = (
                    narrow_units(x.abs().amax((0, 2, 3)).double().numpy(), INT8 if signed else UINT8),
                    signed,
                )
            else:
                units, signed = self.grids[number]
                x = round_features(x, units, signed=signed) if number in self.features else x
                weight = round_weights(weight, units, rest[0]) if number in self.weights else weight
            args = (x, weight, *rest)
        return func(*args, **(kwargs or {}))


def main() -> None:
    """Print what each rounding costs."""
    torch.set_num_threads(1)
    model = pt.load(sys.argv[1])
    crops = pt.load_data(sys.argv[2], pt.DataOptions(labels=False)).get("train").batch(range(CALIBRATION)).levels
    parts = [_levels(view) for path in map(Path, sys.argv[3:]) for view in views(path).values()]
    with torch.no_grad(), Products(None) as products:
        model.log_prob(torch.as_tensor(np.asarray(crops)))
    grids, every = products.seen, list(products.seen)
    before = bits(model, parts, Products(grids))
    cases = {f"features of product {n + 1}": ([n], []) for n in every} | {
        f"weights of product {n + 1}": ([], [n]) for n in every
    }
    cases |= {"all features": (every, []), "all weights": ([], every), "both": (every, every)}
    print(f"{before:.4f} bits/dim in floats, of {len(parts)} views")
    for name, case in cases.items():
        print(f"{name:<24} {bits(model, parts, Products(grids, *case)) - before:+.4f}", flush=True)
    integers = model.integer_model()
    nats = [-float(integers.log_prob(part).sum()) / part.numel() for part in parts]
    print(f"{'the integer program':<24} {np.mean(nats) / math.log(2) - before:+.4f}")


def _levels(view: Any) -> Tensor:
    return torch.from_numpy(np.asarray(view).copy()).permute(2, 0, 1)[None, :, : HEIGHT // 2].long()


def bits(model: pt.PixelModel, parts: Sequence[Tensor], products: Products) -> float:
    """Return the mean bits/dim of images with rounded products."""
    nats = []
    for part in parts:
        products.count = 0
        with torch.no_grad(), products:
            nats.append(-float(model.log_prob(part)) / part.numel())
    return float(np.mean(nats)) / math.log(2)


if __name__ == "__main__":
    main()
