"""The same network as textbooks write it: kernels of full size, multiplied by a mask at every step.

Only what our layers do differently is undone: a kernel that was sliced to the taps it may use has all k x k of them
again, the others masked. Weights that are used, and so the function, stay the same.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.errors import EngineError
from pointillist.nn import CausalConv2d
from pointillist.nn.weight_norm import WeightNormalised
from pointillist.passes import Pass
from pointillist.pixel_model import PixelModel
from pointillist.scoring import evaluating

TOLERANCE = 1e-3  # of parameters in float32, relative to their size: sums are taken in another order


class TextbookConv2d(nn.Module):
    """A masked convolution with a kernel of odd size, padded so that the size of the image stays."""

    mask: Tensor

    def __init__(self, layer: CausalConv2d) -> None:
        super().__init__()
        reach, self.dilation, self.stride = layer.reach, layer.dilation, layer.stride
        half = [max(reach["up"], reach["down"]), max(reach["left"], reach["right"])]
        outputs, inputs, rows, columns = layer.weight.shape
        first = [(half[0] - reach["up"]) // self.dilation, (half[1] - reach["left"]) // self.dilation]
        used = (..., slice(first[0], first[0] + rows), slice(first[1], first[1] + columns))
        kernel = (2 * half[0] // self.dilation + 1, 2 * half[1] // self.dilation + 1)
        whole = nn.Conv2d(inputs, outputs, kernel, bias=False).to(layer.weight)
        self.weight, self.bias = whole.weight, layer.bias
        mask = torch.zeros_like(whole.weight)
        mask[used] = 1.0 if layer.mask is None else layer.mask.to(mask)
        self.register_buffer("mask", mask, persistent=False)
        with torch.no_grad():
            self.weight[used] = layer.weight
        self.padding = half

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        """The kernel that is used."""
        return self.weight * self.mask

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h2 w2"]:
        """Every site with its surroundings, of which the mask hides what comes later."""
        return F.conv2d(x, self.masked_weight(), self.bias, self.stride, self.padding, self.dilation)


class TextbookNormalisedConv2d(TextbookConv2d, WeightNormalised):
    """The same with normalised weights."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.gain, self.target = layer.gain, layer.target

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        """The kernel that is used."""
        return self.normalised(super().masked_weight())


def as_textbook(model: PixelModel) -> PixelModel:
    """A copy of a model in which every sliced kernel is a masked one of full size.

    Raises:
        EngineError: if it does not compute the same.
    """
    ours = copy.deepcopy(model)
    written: dict[nn.Module, nn.Module] = {}
    for parent in list(ours.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, CausalConv2d):
                kind = TextbookNormalisedConv2d if isinstance(layer, WeightNormalised) else TextbookConv2d
                setattr(parent, name, written.setdefault(layer, kind(layer)))
    _compare(model, ours)
    return ours


def _compare(model: PixelModel, other: PixelModel) -> None:
    """Refuse another network than the model's."""
    image = model.image
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(image.levels, (2, *image.shape), generator=generator).to(model.device)
    with evaluating(model), evaluating(other):
        expected, found = (m.params(x, m.condition(None, 2)) for m in (model, other))
    difference = float((expected - found).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise EngineError(
            f"The textbook network of {model.config.model_type} differs from it by {difference:g} in its parameters: "
            "leave out `--training`, and report this."
        )
