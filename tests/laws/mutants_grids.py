"""Mutants of coarse grids, shifted convolutions, shortcuts and weight normalisation (PixelCNN++)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.opcodes import sites
from pointillist.engine.program import Program
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import pixelcnn_pp
from pointillist.nn import weight_norm
from pointillist.nn.passes import FullPass

from .causal import check_batch, check_no_leak
from .context import check_context
from .mutants import Property, mutant
from .samplers import check_engine_equals_full, check_same_image
from .strategies import make_model, random_levels, randomise_weights
from .textbook import check_parameter_count, check_textbook

ODD = (5, 7)


def deep(channels: int = 1, **settings: Any) -> PixelModel:
    """Three grids, odd sides."""
    return randomise_weights(make_model("pixelcnn-pp", ImageSpec.infer((channels, *ODD), 4), settings, labels=True))


def property_of(check: Callable[..., None], channels: int = 1, **settings: Any) -> Property:
    """Check a deep model at odd sides."""
    return lambda: check(deep(channels, **settings), *ODD)


# ---- coarse sites know too much, or too little ----


@mutant("P5: the first layer sees its own pixel", property_of(check_no_leak))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = weight_norm.NormalisedConv2d.__init__

    def wider(self: Any, inputs: int, outputs: int, **reach: Any) -> None:
        kept(self, inputs, outputs, **{**reach, "right": 0} if reach["right"] == -1 else reach)

    patch.setattr(weight_norm.NormalisedConv2d, "__init__", wider)


@mutant(
    "a strided convolution is padded on both sides, so that coarse sites know the row below", property_of(check_no_leak)
)
def _(patch: pytest.MonkeyPatch) -> None:
    def same(self: Any, key: str, x: Tensor, *, up: int, left: int, right: int, down: int = 0) -> Tensor:
        if (up, left, right, down) == (1, 1, 0, 0):
            return F.pad(x, (0, 1, 0, 1))
        return F.pad(x, (left, right, up, down))

    patch.setattr(FullPass, "window", same)


@mutant("the second stream reads the coarse site to the right", property_of(check_no_leak))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = weight_norm.NormalisedConvTranspose2d.__init__
    patch.setattr(
        weight_norm.NormalisedConvTranspose2d,
        "__init__",
        lambda self, inputs, outputs, *, right: kept(self, inputs, outputs, right=1),
    )


@mutant("an odd side is cut off at its beginning", property_of(check_no_leak))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = FullPass.upsample

    def from_the_end(self: Any, key: str, x: Tensor, like: Tensor) -> Tensor:
        whole = torch.zeros(1, 1, 2 * x.shape[2], 2 * x.shape[3])
        return kept(self, key, x, whole)[:, :, -like.shape[2] :, -like.shape[3] :]

    patch.setattr(FullPass, "upsample", from_the_end)


@mutant("rows and columns are swapped on the way up", property_of(check_textbook))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = FullPass.upsample
    patch.setattr(
        FullPass,
        "upsample",
        lambda self, key, x, like: kept(self, key, torch.cat([x.chunk(4, 1)[i] for i in (0, 2, 1, 3)], 1), like),
    )


def _without_mirrors(patch: pytest.MonkeyPatch) -> None:
    kept = pixelcnn_pp.GatedResidualPair.forward

    def alone(self: Any, pair: Any, mirror: Any, ctx: Any, features: Any) -> Any:
        return kept(self, pair, None if mirror is None else tuple(0 * m for m in mirror), ctx, features)

    patch.setattr(pixelcnn_pp.GatedResidualPair, "forward", alone)


mutant("the shortcuts are missing, so that the nearest sites are not seen", property_of(check_context))(
    _without_mirrors
)


@mutant("the second stream does not read the first", property_of(check_context))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelcnn_pp.GatedResidualLayer.forward
    patch.setattr(
        pixelcnn_pp.GatedResidualLayer,
        "forward",
        lambda self, x, other_stream, ctx, features: kept(
            self, x, None if other_stream is None else 0 * other_stream, ctx, features
        ),
    )


@mutant("P15: one grid only, whatever was conditions for", lambda: check_parameter_count(deep()))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelcnn_pp.PixelCNNPP.__init__

    def flat(self: Any, config: Any, ports: Any) -> None:
        kept(self, config.model_copy(update={"resolutions": 1}), ports)

    patch.setattr(pixelcnn_pp.PixelCNNPP, "__init__", flat)


# ---- sub-pixels ----


@mutant("P3: concatenated ELUs are interleaved, so the groups break", property_of(check_no_leak, 3))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pixelcnn_pp, "concat_elu", lambda x: F.elu(torch.stack([x, -x], 2).flatten(1, 2)))


@mutant("P3: the kernels have no mask at their own site", property_of(check_no_leak, 3))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelcnn_pp.channel_causal_mask
    patch.setattr(
        pixelcnn_pp,
        "channel_causal_mask",
        lambda outputs, inputs, *, strict: kept(outputs, inputs, strict=True) if strict else None,
    )


@mutant("P3: on the way up the coarse site mixes the sub-pixels", property_of(check_no_leak, 3))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(weight_norm, "channel_causal_mask", lambda outputs, inputs, *, strict: None)


@mutant(
    "P3: the first layer is strict for all sub-pixels, so that blue does not see green", property_of(check_context, 3)
)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = pixelcnn_pp.channel_causal_mask

    def blind(outputs: Tensor, inputs: Tensor, *, strict: bool) -> Any:
        found = kept(outputs, inputs, strict=strict)
        return torch.zeros_like(found) if strict and found is not None else found

    patch.setattr(pixelcnn_pp, "channel_causal_mask", blind)


# ---- weight normalisation ----


@mutant("weights under a mask are part of the length", property_of(check_textbook, 3))
def _(patch: pytest.MonkeyPatch) -> None:
    def late(self: Any) -> Tensor:
        weight: Tensor = self.normalised(self.weight)
        return weight if self.mask is None else weight * self.mask

    patch.setattr(weight_norm.NormalisedConv2d, "masked_weight", late)


def _after_the_first_batch() -> None:
    model = deep(2).train()
    model.initialise(random_levels(model, 3))
    check_batch(model, *ODD)


@mutant("P9: outputs are normalised over every batch, not only the first", _after_the_first_batch)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = weight_norm.NormalisedConv2d.forward

    def by_batch(self: Any, x: Tensor, ctx: Any) -> Tensor:
        y = kept(self, x, ctx)
        return F.batch_norm(y, None, None, training=True) if self.training else y

    patch.setattr(weight_norm.NormalisedConv2d, "forward", by_batch)


# ---- the engine ----


@mutant("P13: what lies on a coarse grid is computed in every row", property_of(check_engine_equals_full))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Program, "period", 1)


@mutant("P13: a fine site reads the wrong quarter", property_of(check_engine_equals_full))
@mutant("P13: a fine site reads the wrong quarter (sampled)", property_of(check_same_image))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = sites._upsample
    patch.setattr(sites, "_upsample", lambda buffers, scale, pairs: kept(buffers, scale, pairs[::-1]))


@mutant("P13: only even widths are read back right", property_of(check_engine_equals_full))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = sites._upsample

    def even(buffers: Any, scale: int, pairs: Any) -> None:
        kept(buffers, scale, pairs)
        for (target, _), *others in pairs:
            if others and target.shape[2] > others[0][0].shape[2]:
                target[:, :, -1] = 0

    patch.setattr(sites, "_upsample", even)
