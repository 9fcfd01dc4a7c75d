"""Which engine runs a model, and how: stopping at each sub-pixel, or painting a whole stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.distributions.sampling_transforms import sample_level
from pointillist.engine import selection
from pointillist.engine.batch import SampleBatch
from pointillist.engine.naive import NaiveStepper
from pointillist.engine.numpy.interpreter import Interpreter
from pointillist.engine.program import Program
from pointillist.engine.recording import record
from pointillist.engine.selection import ENGINES, GPU_ENGINES, choose_engine
from pointillist.engine.staleness import WeightVersionCheck
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.functional.memory_format import channels_last
from pointillist.nn.passes import Pass
from pointillist.ordering import RASTER, PixelOrder

if TYPE_CHECKING:
    from pointillist.engine.cpu import CpuSampler
    from pointillist.engine.cuda import CudaSampler

__all__ = [
    "ENGINES",
    "WHOLE_IMAGE_ENGINES",
    "InverseCdfSampler",
    "Stepper",
    "choose_engine",
    "create_stepper",
    "record_model",
    "record_stage",
    "resolve_engine",
    "sample_stage",
]  # fmt: skip

WHOLE_IMAGE_ENGINES = ("cpu", *GPU_ENGINES)
"""Engines that sample a whole stage by themselves, by inverse CDF from given uniforms (`InverseCdfSampler`)."""


@runtime_checkable
class Stepper(Protocol):
    """Anything that gives the parameters of one sub-pixel after the other."""

    def params(self) -> np.ndarray:
        """Parameters `[b, p]` at the current sub-pixel; only its own share is promised."""

    def observe(self, values: np.ndarray) -> None:
        """Take the canvas values `[b, e]` of the sub-pixel just chosen and move on."""


@runtime_checkable
class InverseCdfSampler(Protocol):
    """Draws by inverse CDF from given uniforms, as plain numbers: an engine that paints whole images does it itself.

    Attributes:
        uniforms: in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image `[n]`, to which is added what was drawn.
        guided: whether the engine's batch holds every image twice, told and then untold.
        guidance, temperature, top_p: see `sampling.sample`.
    """

    uniforms: Float[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    guided: bool
    guidance: float
    temperature: float
    top_p: float


def resolve_engine(engine: str, device: torch.device | None = None) -> str:
    """The engine that a name stands for, for a model on a device; `engine/choice.py` says why.

    Raises:
        EngineError: if there is no such engine.
    """
    return choose_engine(engine, device).engine


def create_stepper(
    model: PixelModel,
    condition: Condition,
    batch: int,
    height: int,
    width: int,
    engine: str = "auto",
    *,
    stage: Stage | None = None,
    order: PixelOrder = RASTER,
) -> Stepper:
    """An engine at the first site of `batch` images, which walks their turned canvas.

    Args:
        condition: what the network of the stage is told (`Stage.told`), on the turned canvas (`model.in_order`).
        height, width: of the turned canvas.
        engine: `cpu` runs the recorded program compiled; `cuda` on a GPU (so does `cuda-jacobi`, which differs for
            whole images only); `numpy` interprets it; `naive` runs a full forward for every sub-pixel; `auto`
            chooses.
        stage: the one of `model.stages` whose grid is walked; None for the only one.
        order: of which the curve matters here.

    Raises:
        EngineError: if there is no such engine, or the model has several stages and none is given.
        CausalityError: if the model cannot be recorded.
    """
    engine = resolve_engine(engine, model.device)
    stages = model.stages(height, width) if stage is None else (stage,)
    if len(stages) > 1:
        raise EngineError(
            f"{model.config.model_type} paints in {len(stages)} stages: open one of `model.stages`, or use `unroll`."
        )
    rows, columns = _grid(stages[0], height, width)
    if engine == "naive":
        channels, dtype = model.ports.canvas, next(model.parameters()).dtype
        canvas = torch.zeros(batch, channels, rows, columns, dtype=dtype, device=model.device)
        canvas = channels_last(canvas) if model.channels_last else canvas
        return NaiveStepper(_forward(stages[0], condition), canvas, model.ports.groups, order)
    program = record_stage(model, stages[0], condition, height, width, order)
    if engine == "numpy":
        return GuardedStepper(Interpreter(program, batch), model)
    if engine in GPU_ENGINES:
        from pointillist.engine.cuda import CudaStepper

        return GuardedStepper(CudaStepper(program, batch, device=selection.select_gpu(engine, model.device)), model)
    from pointillist.engine.cpu import CpuStepper

    return GuardedStepper(CpuStepper(program, batch), model)


class GuardedStepper:
    """An engine that runs a recorded program, and refuses to go on in a new row when the weights have changed.

    Args:
        engine: one that walks.
        model: the one that was recorded.
    """

    def __init__(self, engine: ProgramStepper, model: PixelModel) -> None:
        self.engine = engine
        self._fresh = WeightVersionCheck([*model.parameters(), *model.buffers()])
        self._row = -1

    def params(self) -> np.ndarray:
        """See `Stepper`."""
        row = self.engine.site[0]
        if row != self._row:
            self._fresh.check()
            self._row = row
        return self.engine.params()

    def observe(self, values: np.ndarray) -> None:
        """See `Stepper`."""
        self.engine.observe(values)


def record_stage(
    model: PixelModel, stage: Stage, condition: Condition, height: int, width: int, order: PixelOrder
) -> Program:
    """The program of a stage, for a turned canvas of this size.

    Raises:
        CausalityError: if it cannot be recorded.
    """
    rows, columns = _grid(stage, height, width)
    groups, channels = model.ports.groups, model.ports.canvas
    with torch.no_grad():
        return record(
            _forward(stage, condition), num_sub_steps=groups, canvas_width=channels // groups, height=rows, width=columns,
            dtype=next(model.parameters()).dtype, order=order,
        )  # fmt: skip


def record_model(model: PixelModel, size: tuple[int, int], order: str | None = None) -> list[Program]:
    """The program of every stage, for images of this size that are told nothing.

    Raises:
        CausalityError: if it cannot be recorded.
        ConfigError: if the model does not know the order.
    """
    walk = model.order(order)
    rows, columns = walk.raster_size(*size)
    condition = model.in_order(model.condition(None, 1, size), walk)
    coarse: Tensor | None = None
    programs = []
    with torch.no_grad():
        for stage in model.stages(rows, columns):
            programs.append(record_stage(model, stage, stage.condition(coarse, condition), rows, columns, walk))
            levels = torch.zeros(1, model.image.channels, rows, columns, dtype=torch.int64, device=model.device)
            coarse = model.canvas(stage.grid(levels))
    return programs


def sample_stage(
    model: PixelModel,
    stage: Stage,
    condition: Condition,
    draws: InverseCdfSampler,
    levels: Int[Tensor, "b c h w"],
    known: Bool[Tensor, "h w"],
    order: PixelOrder,
    engine: str,
    threads: int,
    on_row: Callable[[], None] | None,
    outputs: Float[Tensor, "n p h w"] | None = None,
) -> None:
    """Paint a stage as a whole: fill in `levels` where it is not `known`, and mark it known, row by row.

    Args:
        engine: one of `WHOLE_IMAGE_ENGINES`.
        condition: what the network of the stage is told.
        draws: in the orientation of the image; levels and what is known are on the turned canvas of the order.
        threads: how many share the batch on `cpu`.
        on_row: called after each row.
        outputs: on the turned canvas, filled with the outputs of the network at each site of the stage that was not
            known, row by row; of each image once, told.

    Raises:
        CausalityError: if the stage cannot be recorded.
    """
    count = len(draws.uniforms)
    targets, mask = stage.grid(levels), stage.grid(known)
    painting = SampleBatch(
        levels=targets[:count].numpy().copy(),
        known=np.broadcast_to(mask.numpy(), targets[:count].shape).copy(),  # without a copy one image's is read-only
        uniforms=np.ascontiguousarray(stage.grid(order.to_raster(draws.uniforms)).double().numpy()),
        nats=np.zeros(count),
    )
    program = record_stage(model, stage, condition, known.shape[0], known.shape[1], order)
    if outputs is not None:
        painting.params = np.empty((count, *mask.shape, model.likelihood.num_params), program.dtype)
    new = ~mask

    def finished(rows: int) -> None:
        if outputs is not None and painting.params is not None:
            row, fresh = stage.grid(outputs).movedim(1, -1)[:, rows - 1], new[rows - 1]
            row[:, fresh] = torch.from_numpy(painting.params[:, rows - 1])[:, fresh]
        part = torch.from_numpy(painting.levels[:, :, rows - 1])
        targets[:, :, rows - 1] = part.repeat(len(levels) // count, 1, 1)
        mask[rows - 1] = True
        if on_row is not None:
            on_row()

    if engine == "cpu":
        _compiled(model, program, draws, threads).sample(painting, finished)
    else:
        _on_gpu(model, program, draws, engine).sample(painting, finished)
    draws.nats += torch.from_numpy(painting.nats)


def _compiled(model: PixelModel, program: Program, draws: InverseCdfSampler, threads: int) -> CpuSampler:
    from pointillist.engine.cpu import CpuSampler, DrawSpec

    how = DrawSpec(
        model.likelihood.name, model.level_values().detach().cpu().numpy(), model.image.channels,
        getattr(model.likelihood, "mixtures", 0), draws.guidance, draws.temperature, draws.top_p, draws.guided,
    )  # fmt: skip
    return CpuSampler(program, how, threads=threads)


def _on_gpu(model: PixelModel, program: Program, draws: InverseCdfSampler, engine: str) -> CudaSampler:
    from pointillist.engine.cuda import CudaSampler

    def choose(params: Tensor, levels: Tensor, channel: int, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        pixels = levels.repeat(len(params) // len(levels), 1, 1)
        table = model.likelihood.conditional(params[:, :, None], pixels[:, :, None], channel)[:, :, 0]
        found = sample_level(
            table.transpose(1, 2).flatten(0, 1), uniforms.flatten(), draws.guidance, draws.temperature, draws.top_p,
            guided=draws.guided,
        )  # fmt: skip
        return found[0].view_as(uniforms), found[1].view_as(uniforms)

    return CudaSampler(
        program, choose, model.level_values().detach().cpu().numpy(), selection.select_gpu(engine, model.device),
        copies=1 + draws.guided, jacobi=engine == "cuda-jacobi",
    )  # fmt: skip


def _grid(stage: Stage, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a stage."""
    return -(-height // stage.step), -(-width // stage.step)


def _forward(stage: Stage, condition: Condition) -> Callable[[Tensor, Pass], Tensor]:
    return lambda x, ctx: stage.network(x, ctx, condition)
