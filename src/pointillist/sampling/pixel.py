"""Sample a pixel model with torch: by the loop, and by the engines that sample whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, labels_from_input, parse_prompts
from pointillist.engine.program import IntArray
from pointillist.model.batches import check_likelihood
from pointillist.model.integer import image_nats
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import resolve_engine
from pointillist.sampling.generative import Drawn, ImageRequest, OnRow
from pointillist.sampling.loop import UniformSampler, autoregressive_loop
from pointillist.sampling.uniforms import Uniforms
from pointillist.system import single_threaded

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

_SCORED_AT_ONCE = 16  # images in the pass that scores candidates: sampling itself needs far less memory for each


class PixelSampler:
    """Images of a pixel model; see `ImageSampler`. Prompts are encoded batch by batch.

    Raises:
        ConfigError, ShapeError, EngineError: if a condition or a setting does not fit the model.
    """

    def __init__(self, model: PixelModel, request: ImageRequest) -> None:
        config, n, size = request.config, request.n, request.size
        engine = resolve_engine(model, config.engine, size)
        model.check_size(*size)
        self.model, self.size = model, size
        self.config: SamplingConfig = replace(config, engine=engine, order=model.order(config.order).name)
        self._inputs = model.conditions.inputs(request.label, n, size=size, **request.conditions)
        self._texts, self._negatives = parse_prompts(request.text, n), parse_prompts(config.negative_prompt, n)

    @property
    def is_conditional(self) -> bool:
        """True if any image has a condition, prompts aside."""
        return self._inputs.is_conditional

    def batch(self, start: int, stop: int) -> PixelBatch:
        """Prepare the images `start .. stop`."""
        texts, negatives = (
            None if prompts is None else prompts[start:stop] for prompts in (self._texts, self._negatives)
        )
        inputs = self.model.conditions.with_prompts(self._inputs[start:stop], texts)
        reference = negative_inputs(self.model, negatives, len(inputs), self.size)
        return PixelBatch(self.model, self.config, self.size, range(start, stop), inputs, reference)


class PixelBatch:
    """A batch of images of a pixel model; see `BatchSampler`.

    Args:
        reference: conditions of the reference distribution of guidance; None for no conditions.
    """

    def __init__(
        self,
        model: PixelModel,
        config: SamplingConfig,
        size: tuple[int, int],
        images: range,
        inputs: ConditionInputs,
        reference: ConditionInputs | None,
    ) -> None:
        self._model, self._config, self._size, self._images = model, config, size, np.array(images)
        self._inputs, self._reference = inputs, reference

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Label that each image is conditioned on; -1 for none."""
        return labels_from_input(self._inputs.parts.get("label"), len(self._inputs)).numpy()

    def draw(
        self, rows: IntArray, uniforms: Uniforms, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> Drawn:
        """Draw the images with these numbers in the batch."""
        model, config, inputs = self._model, self._config, self._inputs[rows]
        sampler = UniformSampler(torch.from_numpy(uniforms.of(self._images[rows])), config.transform, mask)
        batch = sampler.duplicate_for_guidance(inputs, None if self._reference is None else self._reference[rows])
        with inference_mode(model):
            condition = model.scorer(config.engine).encode(batch, len(batch))
            levels = autoregressive_loop(model, condition, sampler, (len(batch), *self._size), config, on_row=on_row)
        check_likelihood(sampler.nats)
        return Drawn(levels[: len(inputs)].numpy(), sampler.nats.numpy())

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""
        return unconditional_nats(self._model, torch.from_numpy(levels), self._inputs, self._config).numpy()


def unconditional_nats(
    model: PixelModel, levels: Int[Tensor, "n c h w"], inputs: ConditionInputs, config: SamplingConfig
) -> Float[Tensor, " n"]:
    """Compute the log-likelihood of each image without its conditions, in nats, float64."""
    order = model.order(config.order)
    scorer = model.scorer(config.engine)
    parts = []
    with inference_mode(model), single_threaded():  # a short pass next to the sampling
        for start in range(0, len(levels), _SCORED_AT_ONCE):
            rows = slice(start, start + _SCORED_AT_ONCE)
            x = levels[rows].to(model.device)
            maps = scorer.unchecked_log_prob_map(x, inputs[rows].unconditional(), order)
            parts.append(image_nats(maps))
    return torch.cat(parts)


def negative_inputs(
    model: PixelModel, prompts: str | Sequence[str] | None, count: int, size: tuple[int, int]
) -> ConditionInputs | None:
    """Return the conditions of the reference distribution of guidance: negative prompts; None for no condition.

    Raises:
        ConfigError, ShapeError: if the model takes no text, or their number is wrong.
    """
    return None if prompts is None else model.conditions.inputs(None, count, prompts, size=size)
