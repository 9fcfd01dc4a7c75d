"""The same network with dense masked kernels, as in the papers: full-size kernels times a mask in every step.

Our layers slice a kernel to the taps that it may use. Here it has all k x k taps again, and the others are masked. Used
weights, and so the function, stay the same.
"""

from __future__ import annotations

import copy
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.engine.weights import inference_mode
from pointillist.errors import EngineError
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import CausalConv2d
from pointillist.nn.passes import Pass

TOLERANCE = 1e-3  # of outputs in float32, relative to their size: sums are taken in another order


def as_dense_masked(model: PixelModel) -> PixelModel:
    """Copy a model with every sliced kernel replaced by a masked one of full size.

    Raises:
        EngineError: if the copy computes another function.
    """
    ours = copy.deepcopy(model)
    for layer in ours.modules():
        if isinstance(layer, CausalConv2d) and layer.local_gain is None:  # a few first layers have one, and stay sliced
            _widen(layer)
    _compare(model, ours)
    return ours


def _widen(layer: CausalConv2d) -> None:
    """Give a layer a kernel of odd size with a mask, in place; its class, and so its interface, stays."""
    reach, dilation = layer.reach, layer.dilation
    half = (max(reach["up"], reach["down"]), max(reach["left"], reach["right"]))
    outputs, inputs, rows, columns = layer.weight.shape
    top, left = (half[0] - reach["up"]) // dilation, (half[1] - reach["left"]) // dilation
    used = (..., slice(top, top + rows), slice(left, left + columns))
    kernel = (2 * half[0] // dilation + 1, 2 * half[1] // dilation + 1)
    weight = nn.Conv2d(inputs, outputs, kernel, bias=False).to(layer.weight).weight
    mask = torch.zeros_like(weight)
    mask[used] = 1.0 if layer.mask is None else layer.mask.to(mask)
    with torch.no_grad():
        weight[used] = layer.weight
    layer.weight, layer.mask = weight, mask
    layer.forward = partial(_padded, layer, half)  # type: ignore[method-assign]


def _padded(
    layer: CausalConv2d, half: tuple[int, int], x: Float[Tensor, "b i h w"], ctx: Pass
) -> Float[Tensor, "b o h2 w2"]:
    """Convolve with zero padding; the mask excludes later pixels."""
    return F.conv2d(x, layer.masked_weight(), layer.bias, layer.stride, half, layer.dilation)


def _compare(model: PixelModel, other: PixelModel) -> None:
    """Raise an error if two models compute different functions."""
    image = model.image
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(image.levels, (2, *image.shape), generator=generator).to(model.device)
    with inference_mode(model), inference_mode(other):
        expected, result = (m.outputs(m.canvas(x), m.encode(None, 2)) for m in (model, other))
    difference = float((expected - result).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise EngineError(
            f"The dense masked network of {model.config.model_type} differs from it by {difference:g} in its outputs: "
            "set `--train-batch-size 0`, and report this."
        )
