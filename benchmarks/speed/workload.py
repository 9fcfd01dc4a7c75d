"""The workload of a benchmark: a model at an image size, and the condition of each of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pointillist.engine import Program
from pointillist.engine.recording.record import record
from pointillist.engine.weights import inference_mode
from pointillist.errors import EngineError
from pointillist.images.ordering import PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.quantize_integer import quantize_integer
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import Pass
from pointillist.sampling.api import sample
from pointillist.sampling.engines import create_stepper
from speed.cost import Cost, program_cost
from speed.timing import cpu_time

CALIBRATION = 8
"""Images of the calibration of an integer program."""


@dataclass(frozen=True)
class Workload:
    """Unconditional sampling of images of size `(height, width)` by a model, in its usual order."""

    model: PixelModel
    size: tuple[int, int]

    @property
    def on_gpu(self) -> bool:
        """True if the clock counts, not the processor."""
        return self.model.device.type == "cuda"

    @property
    def order(self) -> PixelOrder:
        """The generation order."""
        return self.model.order()

    def stages(self, batch: int) -> Iterator[tuple[Stage, Condition, Tensor]]:
        """Yield each stage, its condition for a batch, and an empty canvas of its grid `[b, i, h, w]`."""
        model = self.model
        rows, columns = self.order.raster_size(*self.size)
        condition = model.conditions.to_raster_frame(model.encode(None, batch, self.size), self.order)
        empty, coarse = torch.zeros(batch, model.dims.canvas, rows, columns, device=model.device), None
        for stage in model.stages(rows, columns):
            grid = stage.grid(empty)
            yield stage, stage.condition(coarse, condition), grid
            coarse = grid

    def programs(self, batch: int = 1) -> list[Program]:
        """Record the program of each stage."""
        model, groups = self.model, self.model.dims.groups
        with inference_mode(model), torch.no_grad():
            return [
                record(
                    _forward(stage, condition), num_sub_steps=groups, canvas_width=model.dims.canvas // groups,
                    height=grid.shape[2], width=grid.shape[3], dtype=next(model.parameters()).dtype, order=self.order,
                )
                for stage, condition, grid in self.stages(batch)
            ]  # fmt: skip

    def cost(self) -> Cost:
        """Sum operations and bytes of all stages."""
        first, *rest = map(program_cost, self.programs())
        return sum(rest, first)

    def calibrate(self) -> None:
        """Make the integer program of a model that has none: calibrated on random images, as the weights are random.

        Raises:
            EngineError: if the model has no integer form.
        """
        try:
            self.model.integer_model()
        except EngineError:
            shape = (CALIBRATION, self.model.image.channels, *self.size)
            generator = torch.Generator().manual_seed(0)
            quantize_integer(self.model, torch.randint(0, self.model.image.levels, shape, generator=generator))

    def time_sampling(self, engine: str, batch: int, threads: int = 1, *, wall: bool = False) -> float:
        """Time sampling a batch through `sample`, in seconds: wall time if `wall` is set, CPU time else."""
        asked = {"seed": 1, "engine": engine, "size": self.size, "batch_size": batch}
        if engine == "integer":  # others have the threads of torch
            asked["threads"] = threads
        return cpu_time(lambda: sample(self.model, batch, **asked), wall=wall or self.on_gpu)

    def time_setup(self, engine: str, batch: int, threads: int = 1) -> float:
        """Time until an engine can sample the first site, in seconds, summed over the stages."""
        total, (rows, columns) = 0.0, self.order.raster_size(*self.size)

        if engine == "integer":
            integers = self.model.integer_model()

            def open_steps() -> None:
                integers.steps(batch, self.size, integers.encode(None, batch, self.size, self.order), self.order)

            return cpu_time(open_steps, threads, wall=self.on_gpu)

        def prepare(stage: Stage, condition: Condition) -> None:
            create_stepper(self.model, condition, batch, rows, columns, engine, stage=stage, order=self.order)

        with inference_mode(self.model):
            for stage, condition, _ in self.stages(batch):
                total += cpu_time(lambda s=stage, c=condition: prepare(s, c), threads, wall=self.on_gpu)  # type: ignore[misc]
        return total


def _forward(stage: Stage, condition: Condition) -> Callable[[Tensor, Pass], Tensor]:
    def forward(x: Tensor, ctx: Pass) -> Tensor:
        return stage.network(x, ctx, condition)

    return forward
