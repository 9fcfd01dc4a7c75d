"""Sample an integer program: under all its conditions, within rules. Needs no torch."""

from __future__ import annotations

from pointillist.distributions.transform import Transform
from pointillist.engine.program import IntArray
from pointillist.portable.model import empty_batch, join_inputs
from pointillist.portable.scorer import ProgramScorer
from pointillist.sampling.task import DrawnImages, DrawTask
from pointillist.system import default_threads


def draw_by_program(scorer: ProgramScorer, task: DrawTask) -> DrawnImages:
    """Draw images by an integer program."""
    inputs, transform = guided_inputs(scorer, task)
    scorer.integers.check_size(*task.size)
    batch = empty_batch(task.uniforms, task.order, task.known)
    batch.mask, batch.params = task.mask, task.outputs
    threads = task.config.threads or default_threads()
    levels = scorer.integers.draw(batch, inputs, task.order, transform, on_row=task.on_row, threads=threads)
    return DrawnImages(levels, batch.nats)


def guided_inputs(scorer: ProgramScorer, task: DrawTask) -> tuple[dict[str, IntArray], Transform]:
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
