"""Mutants of masks, stacks, shapes and norms.

Numbers P3, P4, ... are those of the pitfalls that this project collected from published code.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import gated_pixelcnn
from pointillist.nn import causal, condition
from pointillist.nn.base import channel_causal_mask

from . import context, textbook
from .causal import check_batch, check_no_leak
from .mutants import Property, mutant, tiny
from .strategies import load_random_weights, make_model


def no_leak(name: str, channels: int = 3, mode: bool = False) -> Property:
    return lambda: check_no_leak(tiny(name, channels).train(mode), 3, 4)


def deep_context(name: str, channels: int = 1, layers: int = 5) -> Property:
    return lambda: context.check_context(tiny(name, channels, layers=layers), 3, 4)


# ---- masks ----


@mutant("P3/P5: the first layer sees its own sub-pixel (pixelcnn)", no_leak("pixelcnn"))
@mutant("P3/P5: the first layer sees its own sub-pixel (gated)", no_leak("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        causal, "channel_causal_mask", lambda out, into, *, strict: channel_causal_mask(out, into, strict=False)
    )


@mutant("P7: the mask is reversed", no_leak("pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        causal, "channel_causal_mask", lambda out, into, *, strict: channel_causal_mask(-out, -into, strict=strict)
    )


@mutant("P7: mask B loses the whole centre row", deep_context("pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    def without_centre_row(self: causal.CausalConv2d) -> Tensor:
        used = kept(self).clone()
        if self.reach["down"] == 0 and used.shape[2] > 1 and used.shape[1] > 1:
            used[:, :, -1] = 0
        return used

    kept = causal.CausalConv2d.masked_weight
    patch.setattr(causal.CausalConv2d, "masked_weight", without_centre_row)


def _after_loading() -> None:
    for name in ("pixelcnn", "gated-pixelcnn"):
        model = make_model(name, ImageSpec.infer((3, 3, 4), 4))
        load_random_weights(model)
        check_no_leak(model, 3, 4)


@mutant("P8: the mask is applied to the first weights only, and lost when weights are loaded", _after_loading)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.CausalConv2d.__init__

    def masked_once(self: causal.CausalConv2d, *args: Any, **kwargs: Any) -> None:
        kept(self, *args, **kwargs)
        if self.mask is not None:
            self.weight.data *= self.mask
            self.mask = None

    patch.setattr(causal.CausalConv2d, "__init__", masked_once)


@mutant("P3: 1x1 layers mix the sub-pixels", no_leak("gated-pixelcnn"))
@mutant("P3: 1x1 layers mix the sub-pixels (pixelcnn)", no_leak("pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(causal.PointwiseConv2d, "forward", lambda self, x: F.conv2d(x, self.weight, self.bias))


@mutant("P3: the halves of a gate are interleaved, so its groups break", no_leak("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gated_pixelcnn, "gate", lambda x: torch.tanh(x[:, 0::2]) * torch.sigmoid(x[:, 1::2]))


# ---- stacks ----


@mutant("P4: the vertical stack is strict in every layer", deep_context("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.VerticalConv2d.__init__

    def strict(self: causal.VerticalConv2d, *args: Any, **kwargs: Any) -> None:
        kept(self, *args, **{**kwargs, "strict": True})

    patch.setattr(causal.VerticalConv2d, "__init__", strict)


@mutant("P5: mask A also on the 1x1 layers, so that the first row stops", deep_context("gated-pixelcnn"))
@mutant("P3: mask A in every layer, so that blue does not see green", deep_context("pixelcnn", channels=3))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        causal, "channel_causal_mask", lambda out, into, *, strict: channel_causal_mask(out, into, strict=True)
    )


@mutant("P5: the link to the horizontal stack is taken after the gate", lambda: textbook.check_textbook(_gated(), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = gated_pixelcnn.GatedLayer.forward

    def late_link(self: Any, vertical: Tensor, horizontal: Tensor, ctx: Any, features: Any) -> Any:
        link = self.link.forward
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self.link, "forward", lambda rows: link(gated_pixelcnn.gate(rows).repeat(1, 2, 1, 1)))
            return kept(self, vertical, horizontal, ctx, features)

    patch.setattr(gated_pixelcnn.GatedLayer, "forward", late_link)


@mutant("P5: the first layer adds the raw image to its output", no_leak("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = gated_pixelcnn.GatedLayer.forward

    def residual_of_image(self: Any, vertical: Tensor, horizontal: Tensor, ctx: Any, features: Any) -> Any:
        above, residual, skip = kept(self, vertical, horizontal, ctx, features)
        return above, residual + horizontal.mean(1, keepdim=True), skip

    patch.setattr(gated_pixelcnn.GatedLayer, "forward", residual_of_image)


def _gated() -> PixelModel:
    return tiny("gated-pixelcnn", labels=True)


@mutant("labels do not reach the gates", lambda: textbook.check_textbook(_gated(), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(condition.ConditionBias, "forward", lambda self, x, ctx, features: x)


def _sizes() -> None:
    for name in ("pixelcnn", "gated-pixelcnn"):
        textbook.check_parameter_count(tiny(name))


@mutant("P15: the 3x3 layers are silently 1x1 (parameters)", _sizes)
@mutant("P15: the 3x3 layers are silently 1x1 (context of pixelcnn)", deep_context("pixelcnn"))
@mutant("P15: the 3x3 layers are silently 1x1 (context of gated-pixelcnn)", deep_context("gated-pixelcnn"))
def _(patch: pytest.MonkeyPatch) -> None:
    for layer in (causal.MaskedConv2d, causal.VerticalConv2d, causal.HorizontalConv2d):
        patch.setattr(layer, "__init__", _one_by_one(layer.__init__))


def _one_by_one(kept: Any) -> Any:
    def init(self: Any, *sizes: int, **kwargs: Any) -> None:  # the kernel comes last
        kept(self, *sizes[:-1], sizes[-1] if kwargs["strict"] else 1, **kwargs)

    return init


# ---- shapes and norms ----


@mutant("P14: height and width are swapped", no_leak("gated-pixelcnn", channels=1))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = gated_pixelcnn.GatedPixelCNN.forward
    patch.setattr(
        gated_pixelcnn.GatedPixelCNN,
        "forward",
        lambda self, x, ctx, features: kept(self, x.transpose(2, 3), ctx, features).transpose(2, 3),
    )


@mutant("P9: batch norm, in training", no_leak("pixelcnn", channels=1, mode=True))
@mutant("P9: batch norm mixes images", lambda: check_batch(tiny("gated-pixelcnn").train(), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.PointwiseConv2d.forward

    def normed(self: causal.PointwiseConv2d, x: Tensor) -> Tensor:
        return F.batch_norm(kept(self, x), None, None, training=self.training)

    patch.setattr(causal.PointwiseConv2d, "forward", normed)


@mutant("P9: a norm over all sites, also in evaluation", no_leak("pixelcnn", channels=1))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = causal.PointwiseConv2d.forward
    patch.setattr(
        causal.PointwiseConv2d, "forward", lambda self, x: (lambda y: F.layer_norm(y, y.shape[1:]))(kept(self, x))
    )
