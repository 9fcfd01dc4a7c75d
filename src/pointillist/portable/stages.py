"""Stages of an integer model: each is a program over a grid of the image, given the pixels of the grid before.

A model of one stage has the whole image as its grid. With several, a stage takes as its map the map of the condition on
its grid, and after it the map that the upsampler of the stage computes from the grid before, whose pixels are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch
from pointillist.engine.head.frequencies import Distribution, log_probs
from pointillist.engine.program import IntArray, Program
from pointillist.engine.sampler import sample_batch
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError
from pointillist.images.array_types import Bool, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.portable.conditions import round_features
from pointillist.portable.upsampler import FixedUpsampler

Inputs = Mapping[str, IntArray]
"""Conditions as integers by name: `[b, c]` of a vector, `[b, h, w, c]` of a map, in the raster frame."""


@dataclass(frozen=True, eq=False)
class IntegerStage:
    """A stage of an integer model.

    Attributes:
        step: rows and columns between the pixels of its grid; both begin at 0.
        upsampler: computes the map of the grid before; None for the first stage.
    """

    step: tuple[int, int] = (1, 1)
    upsampler: FixedUpsampler | None = None

    def grid(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of the grid of an array `[..., h, w]`, as a view."""
        return array[..., :: self.step[0], :: self.step[1]]

    def sites(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of the grid of an array `[b, h, w, c]`, as a view."""
        return array[:, :: self.step[0], :: self.step[1]]


@dataclass(frozen=True, eq=False)
class StageRun:
    """A stage of some images, of which the stages before are known.

    Attributes:
        stage: the stage.
        program: its program.
        inputs: what the program takes.
        known: pixels of its grid that an earlier stage has, `[rows, columns]`.
    """

    stage: IntegerStage
    program: Program
    inputs: dict[str, IntArray]
    known: Bool[np.ndarray, "rows columns"]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of its grid."""
        return self.known.shape[0], self.known.shape[1]


def run_stages(
    stages: Sequence[IntegerStage], programs: Sequence[Program], levels: Int[np.ndarray, "b c h w"], inputs: Inputs
) -> Iterator[StageRun]:
    """Yield the stages that have new pixels, one after the other.

    Args:
        stages, programs: of the model, for an order.
        levels: images in the raster frame. The pixels of a stage are read when the next one is asked for, so a caller
            that draws or decodes writes them here.
        inputs: conditions of the images; under guidance the conditions of the reference follow.
    """
    known = np.zeros(levels.shape[2:], bool)
    for number, stage in enumerate(stages):
        here = stage.grid(known)
        if not here.all():
            yield StageRun(stage, programs[number], stage_inputs(stages, programs, number, levels, inputs), here.copy())
            here[...] = True


def stage_inputs(
    stages: Sequence[IntegerStage],
    programs: Sequence[Program],
    number: int,
    levels: Int[np.ndarray, "b c h w"],
    inputs: Inputs,
) -> dict[str, IntArray]:
    """Return what the program of a stage takes: the conditions on its grid, and the map of the grid before.

    Args:
        stages, programs, inputs: as for `run_stages`.
        number: of the stage.
        levels: images whose pixels of the stages before are known.
    """
    stage, program = stages[number], programs[number]
    result = {name: stage.sites(array) if array.ndim == 4 else array for name, array in inputs.items()}
    if stage.upsampler is not None:
        before, size = stages[number - 1], stage.grid(levels).shape[2:]
        count = max([len(levels), *map(len, inputs.values())])
        features = {
            name: np.broadcast_to(array, (count, *array.shape[1:])) * programs[0].inputs[name].unit
            for name, array in {n: before.sites(a) if a.ndim == 4 else a for n, a in inputs.items()}.items()
        }
        coarse = np.tile(before.grid(levels), (count // len(levels), 1, 1, 1))
        unit = program.inputs["map"].unit
        earlier = stage.upsampler.features(coarse, features, (size[0], size[1]))
        parts = [round_features("map", earlier, unit[len(unit) - earlier.shape[3] :])]
        if "map" in result:
            parts.insert(0, np.broadcast_to(result["map"], (count, *result["map"].shape[1:])))
        result["map"] = np.concatenate(parts, axis=3)
    return {name: array for name, array in result.items() if name in program.inputs}


def sample_runs(
    runs: Iterator[StageRun],
    batch: SampleBatch,
    order: PixelOrder,
    transform: Transform = IDENTITY,
    *,
    on_row: Callable[[int], None] | None = None,
    threads: int = 1,
    executor: str = "auto",
) -> None:
    """Draw the sub-pixels of whole images that are not known, stage by stage, in place.

    Args:
        runs: from `run_stages`, which reads the levels of the batch.
        batch: whole images in the raster frame of the order; levels are filled in, and nats added. Its mask begins each
            stage. Its `params` are filled in, row by row, where a pixel is not known.
        on_row: called with the number of pixels that are known, in rows of the image.
        transform, threads, executor: as for `sample_batch`.
    """
    batch = replace(batch, known=batch.known.copy())
    logs = np.zeros(batch.levels.shape)  # added up once: a sum for each stage would be rounded more often
    for run in runs:
        grid = run.stage.grid
        levels, known, params = grid(batch.levels), grid(batch.known), None
        if batch.mask is not None:
            whole = (order.array_from_raster(array) for array in (batch.levels, np.asarray(batch.known[0].all(0))))
            batch.mask.begin_stage(order, run.stage.step, *whole)
        if batch.params is not None:
            params = np.empty_like(run.stage.sites(batch.params))
        uniforms = np.ascontiguousarray(grid(batch.uniforms))
        stage = SampleBatch(levels.copy(), known.copy(), uniforms, np.zeros(len(levels)), params, mask=batch.mask)
        is_followed = on_row is not None or batch.params is not None
        finished = partial(_finish_row, batch, run, stage, on_row) if is_followed else None
        sample_batch(run.program, run.inputs, stage, transform, on_row=finished, threads=threads, executor=executor)
        assert stage.sizes is not None
        grid(logs)[...] += log_probs(stage.sizes, run.program.head.precision)
        levels[...], known[...] = stage.levels, True
    batch.nats += sum_images(logs)


def _finish_row(
    batch: SampleBatch, run: StageRun, stage: SampleBatch, on_row: Callable[[int], None] | None, rows: int
) -> None:
    """Copy the rows of a stage that are done to the whole images, and report them."""
    known = run.stage.grid(batch.known)
    if batch.params is not None and stage.params is not None:
        new = ~np.asarray(known[:, :, rows - 1].all(1))
        np.copyto(run.stage.sites(batch.params)[:, rows - 1], stage.params[:, rows - 1], where=new[:, :, None])
    known[:, :, rows - 1] = True
    if on_row is not None:
        run.stage.grid(batch.levels)[:, :, :rows] = stage.levels[:, :, :rows]
        on_row(int(np.count_nonzero(batch.known[0, 0])) // batch.known.shape[3])


class StageSteps:
    """The steps of several stages as one: `site` is in the raster frame of the whole image; see `ProgramStepper`.

    Pixels that an earlier stage has are passed over.

    Args:
        runs: from `run_stages`, which reads `levels`.
        levels: images in the raster frame, which `observe` fills.
        opened: opens the program of a stage at the first sub-pixel of its grid.
    """

    def __init__(
        self,
        runs: Iterator[StageRun],
        levels: Int[np.ndarray, "b c h w"],
        opened: Callable[[StageRun], ProgramStepper],
    ) -> None:
        self._runs, self._levels, self._opened = runs, levels, opened
        self._open(next(runs))

    def _open(self, run: StageRun) -> None:
        self._run, self._steps = run, self._opened(run)
        self._pass_over()

    def _pass_over(self) -> None:
        """Observe the pixels that an earlier stage has, and open the next stage at the end of one."""
        while not self._steps.done and self._run.known[self._steps.site[:2]]:
            self._steps.observe(self._here())
        if self._steps.done:
            following = next(self._runs, None)
            if following is not None:
                self._open(following)

    def _here(self) -> IntArray:
        row, column, channel = self.site
        return self._levels[:, channel, row, column]

    @property
    def program(self) -> Program:
        """The program of the current stage."""
        return self._run.program

    @property
    def site(self) -> tuple[int, int, int]:
        """The current row, column and channel."""
        (row, column, channel), (rows, columns) = self._steps.site, self._run.stage.step
        return row * rows, column * columns, channel

    @property
    def done(self) -> bool:
        """True after the last sub-pixel of the last stage."""
        return self._steps.done

    def params(self) -> NDArray[Any]:
        """Compute the parameters `[b, p]` at the current site."""
        return self._steps.params()

    def frequencies(self) -> NDArray[np.int64]:
        """Compute the frequencies of the levels `[b, levels]`."""
        return self._steps.frequencies()

    def distribution(self) -> Distribution:
        """Compute the distribution of the current sub-pixel of each image."""
        return self._steps.distribution()

    def observe(self, levels: IntArray) -> None:
        """Take the level `[b]` of the current sub-pixel of each image, and move to the next new one.

        Raises:
            EngineError: if the image is complete, or there is not one level for each image.
        """
        if self.done:
            raise EngineError("The image is complete: there is no site left to observe.")
        before = self.site
        self._steps.observe(levels)
        self._levels[:, before[2], before[0], before[1]] = levels
        self._pass_over()
