"""An image query: a model, one image, the conditions on the image and the generation order.

Every view of this package is a function of a query. The outputs of the network for the image are computed once per
query, so that views of one query share them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label
from pointillist.conditioning.prompts import parse_prompts
from pointillist.distributions.likelihoods import Likelihood
from pointillist.images.ordering import PixelOrder
from pointillist.model.batches import single_image
from pointillist.model.integer import ScoringModel, image_nats
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.nn import Condition
from pointillist.system import single_threaded

NATS_PER_BIT = float(np.log(2.0))
_TABLE_SIZE = 4_000_000  # log-probabilities held at once
_SHORT_PASS = 4_000_000_000  # weights times pixels: about 0.1 s with one thread

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ImageQuery:
    """An image under a model; `ImageQuery.of` checks the arguments and makes one.

    Its distributions are those of `scorer`: of the integer program, if the model has one, since that is what samples
    from it; else of the network. Views that need gradients or inner layers run the network (`outputs`).

    ```python
    query = ImageQuery.of(model, "six.png", label="6")
    surprisal_maps(query).bits
    gradient(query, 3, 4).values
    ```

    Attributes:
        model: the model; its weights must not change during the life of the query, which keeps results.
        x: levels of the image, `[1 c h w]`.
        conditions: conditions on the image, a batch of one.
        order: the generation order, `model.order()` for the model's first.
        prompt: the text among the conditions, as written; None if there is none or it is not known.
        engine: engine that gives the distributions, or `auto`; see `PixelModel.scorer`.
    """

    model: PixelModel
    x: Int[Tensor, "1 c h w"]
    conditions: ConditionInputs
    order: PixelOrder
    prompt: str | None = None
    engine: str = "auto"
    _results: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        model: PixelModel,
        image: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        engine: str = "auto",
        **conditions: Unpack[ConditionKwargs],
    ) -> ImageQuery:
        """Make a query from arguments as a user gives them.

        Args:
            image: levels `[c h w]` or `[1 c h w]`, a PIL image or the path of an image file.
            label, text, conditions: conditions on the image, as for `PixelModel.log_prob`.
            order: one of the model's orders; None for its first.
            engine: `auto`, `integer` or `torch`, as for `evaluate`.

        Raises:
            ShapeError, DataError, ConfigError, EngineError: if the model does not take this image or these conditions.

        Example::

            query = ImageQuery.of(model, "three.png", label="3")
            surprisal_maps(query).bits
        """
        x = single_image(model, image)
        inputs = model.conditions.inputs(label, 1, text, size=(x.shape[2], x.shape[3]), **conditions)
        resolved = model.scoring_engine(engine, (x.shape[2], x.shape[3]))
        prompts = parse_prompts(text, 1)
        return cls(model, x, inputs, model.order(order), prompts[0] if prompts else None, resolved)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the image."""
        _, channels, height, width = self.x.shape
        return channels, height, width

    @property
    def levels(self) -> Int[np.ndarray, "c h w"]:
        """Levels of the image."""
        levels: np.ndarray = self.x[0].cpu().numpy()
        return levels

    def with_levels(self, x: Int[Tensor, "1 c h w"]) -> ImageQuery:
        """Return the same query about other levels."""
        return replace(self, x=x)

    def unconditional(self) -> ImageQuery:
        """Return the same query without any condition; itself if there is none."""
        if not self.conditions.is_conditional:
            return self
        return replace(self, conditions=self.conditions.unconditional(), prompt=None)

    def guidance_reference(self) -> ImageQuery:
        """Return the same query under the conditions of the reference of guidance."""
        return replace(self, conditions=self.conditions.guidance_reference(), prompt=None)

    def encode_conditions(self, count: int) -> Condition:
        """Encode the conditions for `count` copies of the image."""
        return self.model.encode(self.conditions[np.zeros(count, np.int64)], count)

    def outputs(self, canvas: Float[Tensor, "b i h w"]) -> Float[Tensor, "b p h w"]:
        """Run the network on any inputs of the size of the image, under the conditions and the order."""
        out: Tensor = self.model.outputs(canvas, self.encode_conditions(len(canvas)), self.order)
        return out

    def few_threads(self) -> AbstractContextManager[None]:
        """Limit torch to one thread where a pass over one image is short.

        Threads that wait for each other at every operation then cost more than they save: next to another busy program
        64 gradients of the model `emoji` took minutes with two threads, and 4 s with one.
        """
        weights = sum(weight.numel() for weight in self.model.backbone.parameters())
        short = self.model.device.type == "torch" and weights * self.shape[1] * self.shape[2] < _SHORT_PASS
        return single_threaded() if short else nullcontext()

    def run_network(self) -> Float[Tensor, "1 p h w"]:
        """Run the network on the image anew, for hooks that change the outputs."""
        with self.few_threads(), inference_mode(self.model):
            return self.outputs(self.model.canvas(self.x))

    @cached_property
    def scorer(self) -> ScoringModel:
        """The integer model of `model`, or `model` itself: its distributions are those of the query."""
        return self.model.scorer(self.engine, (self.shape[1], self.shape[2]))

    @property
    def in_integers(self) -> bool:
        """True if the distributions are those of the integer program."""
        return self.scorer is not self.model

    @cached_property
    def likelihood(self) -> Likelihood:
        """Distribution of a pixel, given `params`."""
        return self.scorer.likelihood

    def params_of(self, x: Int[Tensor, "b c h w"]) -> Shaped[Tensor, "b p h w"]:
        """Compute the parameters of the distributions of images, under the conditions and the order."""
        condition = self.scorer.encode(self.conditions[np.zeros(len(x), np.int64)], len(x))
        with self.few_threads(), inference_mode(self.model):
            return self.scorer.params(x, condition, self.order)

    @cached_property
    def params(self) -> Shaped[Tensor, "1 p h w"]:
        """Parameters of the distributions of the image, computed once."""
        return self.params_of(self.x)

    @cached_property
    def log_probs(self) -> Float[Tensor, "1 c h w"]:
        """Log-probability of every sub-pixel of the image given those before it, in nats; computed once."""
        with inference_mode(self.model):
            return self.likelihood.log_prob(self.params, self.x)

    @cached_property
    def surprisal(self) -> Float[np.ndarray, "c h w"]:
        """Surprisal of every sub-pixel of the image, in bits."""
        output: np.ndarray = -self.log_probs[0].double().cpu().numpy() / NATS_PER_BIT
        return output

    @cached_property
    def bits(self) -> float:
        """Bits of the whole image: its negative log-likelihood, as `evaluate` computes it."""
        return -float(image_nats(self.log_probs)[0]) / NATS_PER_BIT

    @cached_property
    def order_index(self) -> Int[np.ndarray, "c h w"]:
        """Index of each sub-pixel in the generation order, from 0."""
        channels, height, width = self.shape
        pixels = self.model.generation_rank(height, width, self.order)
        return pixels[None] * channels + np.arange(channels)[:, None, None]

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result that is kept under a key; compute and keep it the first time."""
        if key not in self._results:
            self._results[key] = compute()
        result: T = self._results[key]
        return result

    def earlier(self, row: int, column: int, channel: int) -> Bool[np.ndarray, "c h w"]:
        """Mark the sub-pixels on which the network may depend at a sub-pixel.

        Where the likelihood couples the channels of a pixel, these are the sub-pixels of earlier pixels.
        """
        here = self.order_index[0 if self.model.likelihood.coupled else channel, row, column]
        before: np.ndarray = self.order_index < here
        return before

    def surprisal_of(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute -log2 of the probability of every sub-pixel, from outputs of the network."""
        return -self.model.likelihood.log_prob(params, x) / NATS_PER_BIT

    def site_surprisal(
        self, outputs: Float[Tensor, "n p h w"], rows: Int[Tensor, " n"], columns: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c"]:
        """Compute the surprisal of the image's own levels at one pixel of each of several outputs."""
        copies = torch.arange(len(outputs), device=outputs.device)
        params, x = outputs[copies, :, rows, columns], self.x[0][:, rows, columns].T
        return self.surprisal_of(params[:, :, None, None], x[:, :, None, None])[:, :, 0, 0]

    def iter_log_probs(
        self, params: Shaped[Tensor, "1 p h w"], channel: int
    ) -> Iterator[tuple[slice, Float[Tensor, "k rows w"]]]:
        """Yield log-probabilities of all levels of a channel, some rows at a time, in nats, in float64."""
        _, height, width = self.shape
        mixtures = getattr(self.likelihood, "mixtures", 1)  # each component has its own table
        step = max(1, _TABLE_SIZE // (self.model.image.levels * mixtures * width))
        for start in range(0, height, step):
            rows = slice(start, min(height, start + step))
            log_probs = self.likelihood.conditional(params[:, :, rows], self.x[:, :, rows], channel)
            yield rows, log_probs[0].double()
