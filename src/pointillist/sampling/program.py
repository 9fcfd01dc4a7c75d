"""Sample an integer program: under all its conditions, within rules. Needs no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.label import labels_from_input
from pointillist.conditioning.prompts import parse_prompts
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.model.protocols import ScoringModel
from pointillist.portable.model import empty_batch, join_inputs
from pointillist.portable.scorer import ProgramScorer
from pointillist.portable.stages import Inputs
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.generative import Drawn, DrawTask, ImageRequest, OnRow
from pointillist.sampling.uniforms import Uniforms
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


class ProgramSampler:
    """Images of an integer program; see `ImageSampler`. Prompts are encoded batch by batch.

    Raises:
        ConfigError, DataError, ShapeError: if a condition does not fit the model.
    """

    def __init__(self, scorer: ProgramScorer, request: ImageRequest) -> None:
        n, order = request.n, scorer.integers.order(request.config.order)
        self._scorer, self._order, self._size = scorer, order, request.size
        self.config: SamplingConfig = replace(request.config, engine="integer", order=order.name)
        scorer.integers.check_size(*request.size)
        self._conditions = scorer.conditions
        self._inputs = self._conditions.inputs(request.label, n, size=request.size, **request.conditions)
        self._texts, self._negatives = parse_prompts(request.text, n), parse_prompts(request.config.negative_prompt, n)

    @property
    def is_conditional(self) -> bool:
        """True if any image has a condition, prompts aside."""
        return self._inputs.is_conditional

    def batch(self, start: int, stop: int) -> ProgramBatch:
        """Prepare the images `start .. stop`."""
        texts, negatives = (
            None if prompts is None else prompts[start:stop] for prompts in (self._texts, self._negatives)
        )
        inputs, negative = self._conditions.with_prompts(self._inputs[start:stop], texts), None
        if negatives is not None:
            negative = self._conditions.inputs(count=len(inputs), text=negatives, size=self._size)
        return ProgramBatch(self, range(start, stop), inputs, negative)

    def encode(
        self, inputs: ConditionInputs, negative: ConditionInputs | None
    ) -> tuple[dict[str, IntArray], Transform]:
        """Return conditions as integers, and the transform; see `guided_inputs`."""
        return guided_inputs(self._scorer, inputs, negative, self._size, self._order, self.config.transform)

    def draw(
        self,
        uniforms: Float[np.ndarray, "n c h w"],
        inputs: Inputs,
        transform: Transform,
        mask: LevelMask | None,
        on_row: OnRow | None,
    ) -> Drawn:
        """Draw images from uniforms, under conditions as integers."""
        levels, nats = self._scorer.integers.sample_given(
            uniforms,
            inputs,
            self._order,
            transform,
            mask=mask,
            on_row=on_row,
            threads=self.config.threads or default_threads(),
        )
        return Drawn(levels, nats)

    def unconditional_nats(
        self, levels: Int[np.ndarray, "n c h w"], inputs: ConditionInputs
    ) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of images without their conditions, in nats."""
        return sum_images(self._scorer.unchecked_log_prob_map(levels, inputs.unconditional(), self._order))


def as_program(scorer: ScoringModel) -> ProgramScorer:
    """Return a scorer whose engine is `integer` as what it is."""
    assert isinstance(scorer, ProgramScorer)
    return scorer


def draw_by_program(scorer: ProgramScorer, task: DrawTask) -> Drawn:
    """Draw images by an integer program."""
    inputs, transform = guided_inputs(scorer, task.inputs, task.negative, task.size, task.order, task.config.transform)
    scorer.integers.check_size(*task.size)
    batch = empty_batch(task.uniforms, task.order, task.known)
    batch.mask, batch.params = task.mask, task.outputs
    threads = task.config.threads or default_threads()
    levels = scorer.integers.draw(batch, inputs, task.order, transform, on_row=task.on_row, threads=threads)
    return Drawn(levels, batch.nats)


class ProgramBatch:
    """A batch of images of an integer program; see `BatchSampler`."""

    def __init__(
        self,
        sampler: ProgramSampler,
        images: range,
        inputs: ConditionInputs,
        negative: ConditionInputs | None,
    ) -> None:
        self._sampler, self._images, self._condition_inputs = sampler, np.array(images), inputs
        self.labels: np.ndarray = labels_from_input(inputs.parts.get("label"), len(inputs))
        self._inputs, self._transform = sampler.encode(inputs, negative)

    def draw(
        self, rows: IntArray, uniforms: Uniforms, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> Drawn:
        """Draw the images with these numbers in the batch."""
        chosen = np.concatenate([rows, rows + len(self._images)]) if self._transform.is_guided else rows
        inputs = {name: array[chosen] for name, array in self._inputs.items()}
        return self._sampler.draw(uniforms.of(self._images[rows]), inputs, self._transform, mask, on_row)

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""
        return self._sampler.unconditional_nats(levels, self._condition_inputs)


def guided_inputs(
    scorer: ProgramScorer,
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    size: tuple[int, int],
    order: PixelOrder,
    transform: Transform,
) -> tuple[dict[str, IntArray], Transform]:
    """Return conditions as integers, under guidance with the reference after them, and the transform.

    Images without conditions are drawn without guidance.

    Args:
        negative: negative prompts; None for none.
    """
    reference = inputs.guidance_reference(negative)
    if not (inputs.is_conditional or reference.is_conditional):
        transform = transform.unguided()
    encoded = scorer.encode(inputs, len(inputs), size, order)
    if transform.is_guided:
        encoded = join_inputs(encoded, scorer.encode(reference, len(inputs), size, order))
    return encoded, transform
