"""Sample a pixel model with torch: by the loop, and by the engines that sample whole images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, labels_from_input, parse_prompts
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.engine.program import IntArray
from pointillist.engine.weights import compare_weights_once, inference_mode
from pointillist.model.batches import check_likelihood
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.candidates import negative_inputs, unconditional_nats
from pointillist.sampling.config import SamplingConfig, resolve_engine
from pointillist.sampling.engines import encode_each
from pointillist.sampling.generative import Drawn, DrawTask, ImageRequest, ImageSampler, OnRow
from pointillist.sampling.loop import ChooseLevel, ObservedPixels, autoregressive_loop
from pointillist.sampling.program import ProgramSampler
from pointillist.sampling.state import Site, UniformSampler
from pointillist.sampling.uniforms import UniformIntervals, Uniforms

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def open_pixel_sampler(model: PixelModel, request: ImageRequest) -> ImageSampler:
    """Return what samples from a pixel model: from its integer program, or in floating point.

    Raises:
        ConfigError, ShapeError, EngineError: if a condition or a setting does not fit the model.
    """
    with compare_weights_once():
        engine = resolve_engine(model, request.config.engine, request.size)
        if engine == "integer":
            return ProgramSampler(model.integer_model(request.size), request)
    return PixelSampler(model, replace(request, config=replace(request.config, engine=engine)))


class PixelSampler:
    """Images of a pixel model in floating point; see `ImageSampler`. Prompts are encoded batch by batch.

    Raises:
        ConfigError, ShapeError, EngineError: if a condition or a setting does not fit the model.
    """

    model: PixelModel
    size: tuple[int, int]

    def __init__(self, model: PixelModel, request: ImageRequest) -> None:
        config, n, size = request.config, request.n, request.size
        model.check_size(*size)
        self.model, self.size = model, size
        self.config: SamplingConfig = replace(config, order=model.order(config.order).name)
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
        reference = negative_inputs(self.model.conditions, negatives, len(inputs), self.size)
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
        return labels_from_input(self._inputs.parts.get("label"), len(self._inputs))

    def draw(
        self, rows: IntArray, uniforms: Uniforms, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> Drawn:
        """Draw the images with these numbers in the batch."""
        task = DrawTask(
            uniforms=uniforms.of(self._images[rows]),
            inputs=self._inputs[rows],
            negative=None if self._reference is None else self._reference[rows],
            order=self._model.order(self._config.order),
            config=self._config,
            mask=mask,
            on_row=on_row,
        )
        drawn = draw_by_loop(self._model, task)
        check_likelihood(drawn.nats)
        return drawn

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""
        order = self._model.order(self._config.order)
        return unconditional_nats(self._model.scorer(self._config.engine), levels, self._inputs, order)


def draw_by_loop(model: PixelModel, task: DrawTask) -> Drawn:
    """Draw images in floating point."""
    config = replace(task.config, order=task.order.name)
    sampler = UniformSampler(torch.from_numpy(task.uniforms), config.transform, task.mask)
    batch = sampler.duplicate_for_guidance(task.inputs, task.negative)
    choose: ChooseLevel = sampler
    observed = None
    if task.known is not None:
        levels, known = torch.from_numpy(np.array(task.known[0])), task.known[1]
        # pixels that are known in all channels cost nothing; `ConstrainedSampler` keeps known channels of the others
        whole = known.all(0)
        observed = ObservedPixels(levels.repeat(len(batch) // len(levels), 1, 1, 1), torch.from_numpy(whole))
        if (known != whole).any():  # an engine samples whole images for a plain sampler
            choose = ConstrainedSampler(sampler, levels, known)
    outputs = None if task.outputs is None else torch.from_numpy(task.outputs).movedim(-1, 1)
    with inference_mode(model):
        condition = encode_each(model, batch)
        shape = (len(batch), *task.size)
        drawn = autoregressive_loop(
            model, condition, choose, shape, config, known=observed, on_row=task.on_row, outputs=outputs
        )
    return Drawn(drawn[: len(task.uniforms)].numpy(), sampler.nats.numpy())


class ConstrainedSampler:
    """Take the level of an image where it is known, and draw one elsewhere.

    Args:
        sampler: draws the levels that are not known.
        levels: integers `[n c h w]`, valid where `known` is set.
        known: sub-pixels to keep.
    """

    sampler: UniformSampler
    levels: Int[Tensor, "n c h w"]
    known: Bool[np.ndarray, "c h w"]
    mask: LevelMask | None
    nats: Tensor

    def __init__(
        self,
        sampler: UniformSampler,
        levels: Int[Tensor, "n c h w"],
        known: Bool[np.ndarray, "c h w"],
    ) -> None:
        self.sampler, self.levels, self.known = sampler, levels, known
        self.mask, self.nats = sampler.mask, sampler.nats

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each image of the engine's batch."""
        index = (site.channel, site.row, site.column)
        if self.known[index]:
            result = self.levels[:, site.channel, site.row, site.column]
            return result.repeat(len(log_probs) // len(result))
        return self.sampler(site, log_probs)


def invert_floats(
    model: PixelModel,
    x: Int[np.ndarray, "1 c h w"],
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    config: SamplingConfig,
    intervals: UniformIntervals,
) -> None:
    """Note the intervals of an image under a pixel model, by the engine of `config`."""
    inverter = _Inverter(config, x, intervals)
    batch = inverter.sampler.duplicate_for_guidance(inputs, negative)
    with inference_mode(model):
        autoregressive_loop(model, model.encode(batch, len(batch)), inverter, (len(batch), *x.shape[2:]), config)


class _Inverter:
    """Take the levels of an image, and note for each the interval of uniforms that gives it."""

    def __init__(self, config: SamplingConfig, levels: Int[np.ndarray, "1 c h w"], intervals: UniformIntervals) -> None:
        self.sampler = UniformSampler(torch.zeros(levels.shape), config.transform)
        self.levels, self.intervals = levels, intervals

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        level, transform = int(self.levels[0, site.channel, site.row, site.column]), self.sampler.transform
        conditional = log_probs[:1]
        if transform.is_guided:
            conditional = apply_guidance(conditional, log_probs[1:], transform.guidance)
        sharpened = apply_temperature_top_p(conditional, transform.temperature, transform.top_p)
        cdf = sharpened.double().exp().cumsum(1)[0].cpu().numpy()
        self.intervals.note(site.channel, site.row, site.column, level, cdf)
        return torch.full((len(log_probs),), level)
