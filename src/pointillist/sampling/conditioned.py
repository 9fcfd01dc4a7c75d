"""Images of a model under checked conditions, drawn by its integer program or in floating point. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs, parse_prompts
from pointillist.conditioning.label import labels_from_input
from pointillist.conditioning.readers import ConditionReaders
from pointillist.engine.program import IntArray
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import ScoringModel
from pointillist.sampling.candidates import negative_inputs, unconditional_nats
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.generative import DrawnImages, DrawTask, ImageNumbers, ImageRequest, Known, OnRow

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionedSampler:
    """Images of a model, to be sampled under checked conditions. Prompts are encoded batch by batch.

    Attributes:
        conditions: reads prompts.
        inputs: conditions of the images.
        texts, negatives: prompts that are added to them, and negative prompts, one for each image; None if absent.
        size: height and width.
        order: generation order.
        config: settings, with a resolved engine and order.
        draw: draws images from uniforms.
        scorer: returns what scores them.
        known: levels of the images, and those that are kept; None for none.
        outputs: see `DrawTask`; of all images, which are one batch then.
    """

    conditions: ConditionReaders
    inputs: ConditionInputs
    texts: Sequence[str] | None
    negatives: Sequence[str] | None
    size: tuple[int, int]
    order: PixelOrder
    config: SamplingConfig
    draw: Callable[[DrawTask], DrawnImages]
    scorer: Callable[[], ScoringModel]
    known: Known | None = None
    outputs: Float[np.ndarray, "n h2 w2 p"] | None = None

    @classmethod
    def of(
        cls,
        conditions: ConditionReaders,
        request: ImageRequest,
        order: PixelOrder,
        engine: str,
        draw: Callable[[DrawTask], DrawnImages],
        scorer: Callable[[], ScoringModel],
    ) -> ConditionedSampler:
        """Check the conditions of a request.

        Raises:
            ConfigError, DataError, ShapeError: if a condition does not fit the model.
        """
        n, config = request.n, request.config
        return cls(
            conditions=conditions,
            inputs=conditions.inputs(request.label, n, size=request.size, **request.conditions),
            texts=parse_prompts(request.text, n),
            negatives=parse_prompts(config.negative_prompt, n),
            size=request.size,
            order=order,
            config=replace(config, engine=engine, order=order.name),
            draw=draw,
            scorer=scorer,
        )

    @property
    def is_conditional(self) -> bool:
        """True if any image has a condition, prompts aside."""
        return self.inputs.is_conditional

    def batch(self, start: int, stop: int) -> ConditionedBatch:
        """Prepare the images `start .. stop`."""
        texts, negatives = (
            None if prompts is None else prompts[start:stop] for prompts in (self.texts, self.negatives)
        )
        inputs = self.conditions.with_prompts(self.inputs[start:stop], texts)
        negative = negative_inputs(self.conditions, negatives, len(inputs), self.size)
        return ConditionedBatch(self, range(start, stop), inputs, negative)


class ConditionedBatch:
    """Images that are sampled as one batch, with encoded conditions.

    Args:
        negative: conditions of the reference distribution of guidance; None for no conditions.
    """

    def __init__(
        self, sampler: ConditionedSampler, images: range, inputs: ConditionInputs, negative: ConditionInputs | None
    ) -> None:
        self._sampler, self._images, self._inputs, self._negative = sampler, np.array(images), inputs, negative

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """Label that each image is conditioned on; -1 for none."""
        return labels_from_input(self._inputs.parts.get("label"), len(self._inputs))

    def draw(
        self, rows: IntArray, uniforms: ImageNumbers, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> DrawnImages:
        """Draw the images with these numbers in the batch."""
        sampler, images = self._sampler, self._images[rows]
        task = DrawTask(
            uniforms=uniforms.of(images),
            inputs=self._inputs[rows],
            negative=None if self._negative is None else self._negative[rows],
            order=sampler.order,
            config=sampler.config,
            known=None if sampler.known is None else (sampler.known[0][images], sampler.known[1]),
            mask=mask,
            on_row=on_row,
            outputs=sampler.outputs,
        )
        return sampler.draw(task)

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""
        return unconditional_nats(self._sampler.scorer(), levels, self._inputs, self._sampler.order)
