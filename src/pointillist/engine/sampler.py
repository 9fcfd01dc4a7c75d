"""Sample whole batches of an integer program by inverse CDF, and particles, in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch, prepare_inputs
from pointillist.engine.executors import choose_executor, open_steps
from pointillist.engine.head.frequencies import draw, log_probs, targets_of
from pointillist.engine.head.transform import transform_frequencies
from pointillist.engine.particles import DRAWN, WEIGHED, ParticleBatch
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.images.pictures import sum_images

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def sample_batch(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform = IDENTITY,
    *,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
    executor: str = "auto",
) -> None:
    """Fill in the unknown sub-pixels of a batch, in the raster frame.

    Args:
        inputs: conditions of the images as integers; under guidance the conditions of the reference follow.
        batch: levels and their frequencies (`sizes`) are filled in place, `nats` added, and `params` filled with the
            log-probabilities of all levels, where they are drawn. Known sub-pixels are certain. A mask has begun.
        transform: guidance, temperature and top-p; the identity draws from the frequencies themselves, in integers.
        on_row: called with the number of finished rows.
        threads: how many share the batch; the result is the same for any number. Numpy and torch have one.
        executor: one of `EXECUTORS`; the result is the same.

    Raises:
        EngineError: if there is no such executor, or the inputs do not fit.
    """
    batch.sizes = np.full(batch.levels.shape, 1 << program.head.precision)
    if choose_executor(program, executor) == "compiled":
        from pointillist.engine.c.run import sample_in_c

        sample_in_c(program, inputs, batch, transform, on_row, threads)
    else:
        _step(program, inputs, batch, transform, on_row, executor)
    batch.nats += sum_images(log_probs(batch.sizes, program.head.precision))


def _step(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: SampleBatch,
    transform: Transform,
    on_row: Callable[[int], None] | None,
    executor: str,
) -> None:
    """Draw one sub-pixel after the other; under guidance both copies of an image get its level."""
    count, _, height, width = batch.levels.shape
    steps = open_steps(program, count * (1 + transform.is_guided), height, width, inputs, executor)
    reported = 0
    for row, final in _rows(batch, steps.save, steps.restore):
        while on_row is not None and reported < final:
            reported += 1
            on_row(reported)
        steps.visit(lambda steps: _draw_sub_pixel(program, steps, batch, transform), row)


def _rows(batch: SampleBatch, save: Callable[[], Any], restore: Callable[[Any], None]) -> Iterator[tuple[int, int]]:
    """Yield rows to draw, and how many are final by then; a mask may yield some again. The last is the height."""
    height = batch.levels.shape[2]
    if batch.mask is None:
        yield from zip(range(height), range(height), strict=True)
    else:
        from pointillist.engine.constraints.masks import Backtracking

        rows = Backtracking(batch.mask, batch.levels[:, 0], save, restore)
        for row in rows:
            yield row, rows.final_rows
    yield height, height


def _draw_sub_pixel(program: Program, steps: ProgramStepper, batch: SampleBatch, transform: Transform) -> IntArray:
    """Draw the current sub-pixel of every image where it is not known; return the levels of the stepper's batch."""
    (row, column, channel), count, precision = steps.site, len(batch.levels), program.head.precision
    known, levels = batch.known[:, channel, row, column], batch.levels[:, channel, row, column]
    if not known.all():
        site, uniforms = steps.distribution(), np.ascontiguousarray(batch.uniforms[:, channel, row, column])
        if batch.params is not None:
            first = channel * program.head.levels
            tables = log_probs(site[:count].frequencies(), precision)
            batch.params[~known, row, column, first : first + program.head.levels] = tables[~known]
        if batch.mask is not None:
            place = batch.mask.site(row, column)
            drawn = draw_in_mask(batch.mask, channel, place, site.frequencies(), uniforms, transform)
        elif transform.is_identity:
            drawn = site.level_at(targets_of(uniforms, precision))
        else:
            drawn = draw(transform_frequencies(site.frequencies(), transform), uniforms)
        levels[~known] = drawn[~known]
        assert batch.sizes is not None
        batch.sizes[~known, channel, row, column] = site[:count].interval(levels)[1][~known]
    return np.tile(levels, steps.batch // count)


def draw_in_mask(
    mask: LevelMask, channel: int, site: int, frequencies: IntArray, uniforms: NDArray[np.float64], transform: Transform
) -> IntArray:
    """Draw a level for each image at a sub-pixel, within its mask: what the draws of the library are held to.

    Args:
        site: `row * width + column` of the image.
        frequencies: of the levels under the model, `[n, k]`; under guidance the frequencies of the reference follow.
    """
    count = len(uniforms)
    if mask.rules.weighted:
        allowed = mask.try_levels(channel, site)
        mask.multiply_mass((frequencies[:count] * allowed).sum(1) / float(frequencies[0].sum()))

    def choose(images: IntArray, allowed: NDArray[np.bool_], u: NDArray[np.float64]) -> IntArray:
        rows = np.concatenate([images, images + count]) if transform.is_guided else images
        result: IntArray = draw(transform_frequencies(frequencies[rows], transform, allowed), u)
        return result

    return mask.draw(channel, site, uniforms, choose)


def draw_particles(
    program: Program,
    inputs: Mapping[str, IntArray],
    batch: ParticleBatch,
    transform: Transform = IDENTITY,
    *,
    mask: LevelMask | None = None,
    on_row: Callable[[int], None] | None = None,
    executor: str = "auto",
) -> None:
    """Draw the particles of an image, in place: levels, weights and evidence.

    Args:
        inputs: conditions of one image as integers; under guidance the conditions of the reference follow.
        mask: levels that each sub-pixel of the particles may have; it has begun the stage, and its draws are weighted.
            With a mask there is one number of particles in all rows.
        transform: guidance, temperature and top-p.
        on_row: called with the number of finished rows.
        executor: one of `EXECUTORS`; the result is the same.

    Raises:
        EngineError: if there is no such executor, or the memory does not suffice.
    """
    if choose_executor(program, executor) == "compiled":
        from pointillist.engine.c.particles import draw_particles_in_c

        draw_particles_in_c(program, inputs, batch, transform, mask, on_row)
    else:
        _ParticleSteps(program, inputs, batch, transform, mask, executor).run(on_row)


class _ParticleSteps:
    """Particles that a stepper draws, one sub-pixel after the other; it has as many slots as any row has particles.

    Slots beyond the particles in use are copies.
    """

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, IntArray],
        batch: ParticleBatch,
        transform: Transform,
        mask: LevelMask | None,
        executor: str,
    ) -> None:
        slots, _, height, width = batch.levels.shape
        copies = 1 + transform.is_guided
        prepared = prepare_inputs(program, copies, inputs, (height, width))
        repeated = {name: np.repeat(array, slots, 0) for name, array in prepared.items()}
        for name, condition in program.inputs.items():
            if condition.kind == "vector":
                repeated[name] = repeated[name].reshape(copies * slots, -1)
        self.steps: ProgramStepper = open_steps(program, copies * slots, height, width, repeated, executor)
        self.program, self.batch, self.transform, self.mask = program, batch, transform, mask
        self.slots, self.copies = slots, copies

    def run(self, on_row: Callable[[int], None] | None) -> None:
        steps, batch = self.steps, self.batch
        for row in range(batch.levels.shape[2]):
            steps.visit(lambda steps: self._choose(*steps.site), row)
            if self.mask is not None:
                self.mask.reject_broken()
            if on_row is not None:
                on_row(row + 1)
        batch.drop_dead(self.mask)

    def _choose(self, row: int, column: int, channel: int) -> IntArray:
        """Draw a sub-pixel of every particle, or multiply the weights by the frequency of its known level."""
        chosen = self.batch.select(row, column, self.mask) if channel == 0 else None
        if chosen is not None:
            self.batch.levels[...] = self.batch.levels[chosen]
            self.steps.select(np.concatenate([chosen + copy * self.slots for copy in range(self.copies)]))
        batch, mask, count = self.batch, self.mask, len(self.batch.weights)
        role, levels = batch.roles[channel, row, column], batch.levels[:, channel, row, column]
        if role == WEIGHED:
            sizes = self.steps.distribution()[:count].interval(levels[:count])[1]
            batch.weights.multiply(sizes / 2.0**self.program.head.precision)
        elif role == DRAWN:
            site, transform, precision = self.steps.distribution(), self.transform, self.program.head.precision
            uniforms = np.ascontiguousarray(batch.uniforms[:, channel, row, column])
            if mask is not None:
                place = mask.site(row, column)
                levels[:] = draw_in_mask(mask, channel, place, site.frequencies(), uniforms, transform)
                batch.weights.multiply_scaled(mask.take_mass()[:count])
            elif transform.is_identity:
                levels[:] = site.level_at(targets_of(uniforms, precision))
            else:
                levels[:] = draw(transform_frequencies(site.frequencies(), transform), uniforms)
        if batch.factors is not None:
            batch.weights.multiply(batch.factors[row, column, levels[:count]])
        return np.tile(levels, self.copies)
