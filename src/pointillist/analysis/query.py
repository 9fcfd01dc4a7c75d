"""A model, an image and what the model is told of it: the one place of this room that knows how a model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label
from pointillist.model.arguments import one_image
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import Condition
from pointillist.ordering import PixelOrder

NATS_PER_BIT = float(np.log(2.0))  # nats in a bit
_NUMBERS = 4_000_000  # of a table that is held at once


class QueryKwargs(ConditionKwargs, total=False):
    """Conditions beside `label` and `text`, and `order`: one of the model's orders; None for the usual one."""

    order: str | None


@dataclass(frozen=True)
class ImageQuery:
    """One image put before a model.

    Attributes:
        x: its levels, `[1 c h w]`.
        told: what the model is told of it.
        order: in which its sub-pixels come; None for the usual one.
    """

    model: PixelModel
    x: Int[Tensor, "1 c h w"]
    told: ConditionInputs
    order: PixelOrder | None = None

    @classmethod
    def of(
        cls,
        model: PixelModel,
        image: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> ImageQuery:
        """From levels `[c h w]` or `[1 c h w]`, a PIL picture, or the path of a picture; the rest as for `log_prob`.

        Raises:
            ShapeError, DataError, ConfigError: if the model does not take this image or these conditions.
        """
        x = one_image(model, image)
        told = model.conditions.inputs(label, 1, text, size=(x.shape[2], x.shape[3]), **further)
        return cls(model, x, told, model.order(order))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    @property
    def levels(self) -> np.ndarray:
        """The levels `[c h w]`."""
        found: np.ndarray = self.x[0].cpu().numpy()
        return found

    def replaced(self, x: Int[Tensor, "1 c h w"]) -> ImageQuery:
        """The same question about other levels."""
        return replace(self, x=x)

    def condition(self, count: int) -> Condition:
        """What the network is told, for `count` images like this one."""
        return self.model.encode(self.told[np.zeros(count, np.int64)], count)

    def outputs(self, canvas: Float[Tensor, "b i h w"]) -> Float[Tensor, "b p h w"]:
        """Network outputs for any canvases of the size of the image."""
        out: Tensor = self.model.outputs(canvas, self.condition(len(canvas)), self.order)
        return out

    @cached_property
    def params(self) -> Float[Tensor, "1 p h w"]:
        """Network outputs for the image, computed once."""
        return self.run()

    def run(self) -> Float[Tensor, "1 p h w"]:
        """Run the network on the image anew: for hooks that change what it gives."""
        with inference_mode(self.model):
            return self.outputs(self.model.canvas(self.x))

    @cached_property
    def bits(self) -> Float[np.ndarray, "c h w"]:
        """Surprise of every sub-pixel of the image, in bits."""
        with inference_mode(self.model):
            found: np.ndarray = self.surprise(self.params, self.x)[0].double().cpu().numpy()
        return found

    @cached_property
    def places(self) -> Int[np.ndarray, "c h w"]:
        """The place of each sub-pixel in the order of painting, from 0."""
        channels, height, width = self.shape
        return (
            self.model.generation_rank(height, width, self.order)[None] * channels + np.arange(channels)[:, None, None]
        )

    def earlier(self, row: int, column: int, channel: int) -> Bool[np.ndarray, "c h w"]:
        """What the network may know at a sub-pixel; of a coupled pixel, only what is before it."""
        here = self.places[0 if self.model.likelihood.coupled else channel, row, column]
        before: np.ndarray = self.places < here
        return before

    def surprise(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """-log2 of the probability of every sub-pixel."""
        return -self.model.likelihood.log_prob(params, x) / NATS_PER_BIT

    def at(
        self, outputs: Float[Tensor, "n p h w"], rows: Int[Tensor, " n"], columns: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c"]:
        """Surprise of the levels of one pixel of each copy of the image."""
        copies = torch.arange(len(outputs), device=outputs.device)
        params, x = outputs[copies, :, rows, columns], self.x[0][:, rows, columns].T
        return self.surprise(params[:, :, None, None], x[:, :, None, None])[:, :, 0, 0]

    def tables(
        self, params: Float[Tensor, "1 p h w"], channel: int
    ) -> Iterator[tuple[slice, Float[Tensor, "k rows w"]]]:
        """Log-probabilities in nats of all levels of a channel, some rows at a time, in float64."""
        _, height, width = self.shape
        parts = getattr(self.model.likelihood, "mixtures", 1)  # each component has a table of its own
        step = max(1, _NUMBERS // (self.model.image.levels * parts * width))
        for start in range(0, height, step):
            rows = slice(start, min(height, start + step))
            part = self.model.likelihood.conditional(params[:, :, rows], self.x[:, :, rows], channel)
            yield rows, part[0].double()
