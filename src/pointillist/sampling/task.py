"""A batch to draw, as arrays, and its draw by an integer program or in floating point. Needs no torch by a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.portable import ProgramModel
from pointillist.model.portable.model import empty_batch, join_inputs
from pointillist.sampling.config import SamplingConfig
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

Known = tuple[Int[np.ndarray, "n c h w"], Bool[np.ndarray, "c h w"]]
"""Levels of images, and which of their sub-pixels are kept."""
OnRow = Callable[[int, Any], None]
"""Called with the number of rows done and the levels so far, in the orientation of the image."""
OnBatchRow = Callable[[int, int, Any], None]
"""Called with the number of images finished before this batch, rows done, and the levels of the batch."""


@dataclass(frozen=True)
class DrawnImages:
    """Levels of some images, `[n c h w]`, and their log-likelihood in nats, `[n]`."""

    levels: Int[np.ndarray, "n c h w"]
    nats: Float[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True)
class DrawTask:
    """A batch of images to draw from uniforms: by an integer program, or in floating point.

    Attributes:
        uniforms: numbers in [0, 1), float64 `[n c h w]`.
        inputs: conditions of each image.
        negative: negative prompts of each; None if absent.
        order: generation order.
        config: transform, engine and threads.
        known: levels `[n c h w]`, and which sub-pixels of them are kept, `[c h w]`: they add no nats. None if absent.
        mask: levels that each sub-pixel may have; None for all.
        on_row: called after each row with the rows done (in rows of the raster frame) and the levels so far.
        outputs: filled with the outputs of the engine at each pixel that is not known, `[n h2 w2 p]` in the raster
            frame, row by row, before `on_row` is called; an integer program has log-probabilities as outputs.
    """

    uniforms: Float[np.ndarray, "n c h w"]
    inputs: ConditionInputs
    negative: ConditionInputs | None
    order: PixelOrder
    config: SamplingConfig
    known: Known | None = None
    mask: LevelMask | None = None
    on_row: OnRow | None = None
    outputs: Float[np.ndarray, "n h2 w2 p"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.uniforms.shape[2], self.uniforms.shape[3]

    def of(self, rows: IntArray, mask: LevelMask | None) -> DrawTask:
        """Return the task of some of the images, within a mask."""
        return replace(
            self,
            uniforms=self.uniforms[rows],
            inputs=self.inputs[rows],
            negative=None if self.negative is None else self.negative[rows],
            known=None if self.known is None else (self.known[0][rows], self.known[1]),
            mask=mask,
        )


def draw_by_program(scorer: ProgramModel, task: DrawTask) -> DrawnImages:
    """Draw images by an integer program."""
    inputs, transform = guided_inputs(scorer, task)
    scorer.integers.check_size(*task.size)
    batch = empty_batch(task.uniforms, task.order, task.known)
    batch.mask, batch.params = task.mask, task.outputs
    threads = task.config.threads or default_threads()
    levels = scorer.integers.draw(batch, inputs, task.order, transform, on_row=task.on_row, threads=threads)
    return DrawnImages(levels, batch.nats)


def guided_inputs(scorer: ProgramModel, task: DrawTask) -> tuple[dict[str, IntArray], Transform]:
    """Return conditions as integers, under guidance with the reference after them, and the transform.

    Images without conditions are drawn without guidance.
    """
    inputs, size, transform = task.inputs, task.size, task.config.transform
    reference = inputs.guidance_reference(task.negative)
    if not (inputs.is_conditional or reference.is_conditional):
        transform = transform.unguided()
    encoded = scorer.encode(inputs, len(inputs), size, task.order)
    if transform.is_guided:
        encoded = join_inputs(encoded, scorer.encode(reference, len(inputs), size, task.order))
    return encoded, transform
