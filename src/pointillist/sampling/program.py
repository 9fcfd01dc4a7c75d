"""Sample an integer program: under all its conditions, within rules. Needs no torch."""

from __future__ import annotations

from functools import partial

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import ScoringModel
from pointillist.portable.model import empty_batch, join_inputs
from pointillist.portable.scorer import ProgramScorer
from pointillist.sampling.conditioned import ConditionedSampler
from pointillist.sampling.generative import DrawnImages, DrawTask, ImageRequest
from pointillist.system import default_threads


def open_program_sampler(scorer: ProgramScorer, request: ImageRequest) -> ConditionedSampler:
    """Return what samples from an integer program.

    Raises:
        ConfigError, DataError, ShapeError: if a condition does not fit the model.
    """
    scorer.integers.check_size(*request.size)
    order, draw = scorer.integers.order(request.config.order), partial(draw_by_program, scorer)
    return ConditionedSampler.of(scorer.conditions, request, order, "integer", draw, lambda: scorer)


def as_program(scorer: ScoringModel) -> ProgramScorer:
    """Return a scorer whose engine is `integer` as what it is."""
    assert isinstance(scorer, ProgramScorer)
    return scorer


def draw_by_program(scorer: ProgramScorer, task: DrawTask) -> DrawnImages:
    """Draw images by an integer program."""
    inputs, transform = guided_inputs(scorer, task.inputs, task.negative, task.size, task.order, task.config.transform)
    scorer.integers.check_size(*task.size)
    batch = empty_batch(task.uniforms, task.order, task.known)
    batch.mask, batch.params = task.mask, task.outputs
    threads = task.config.threads or default_threads()
    levels = scorer.integers.draw(batch, inputs, task.order, transform, on_row=task.on_row, threads=threads)
    return DrawnImages(levels, batch.nats)


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
