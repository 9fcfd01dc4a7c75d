"""Choose and run an engine, in integers or floats: step through sub-pixels, or sample a whole stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import Categorical, Likelihood
from pointillist.distributions.sampling_transforms import sample_level
from pointillist.distributions.transform import Transform
from pointillist.engine import selection
from pointillist.engine.batch import SampleBatch
from pointillist.engine.executors import open_steps
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.steps import IntegerSteps
from pointillist.engine.naive import NaiveStepper
from pointillist.engine.numpy.interpreter import Interpreter
from pointillist.engine.program import IntArray, Program
from pointillist.engine.recording.independence import prove_independent
from pointillist.engine.sampler import sample_batch
from pointillist.engine.selection import DEVICE_ENGINES, ENGINES, INTEGER_REASON, EngineChoice, choose_engine
from pointillist.engine.weights import GuardedStepper
from pointillist.errors import EngineError, ShapeError
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.model.integer import condition_features
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import forward_of, record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import channels_last
from pointillist.portable.model import IntegerModel
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.group_pass import sample_group
from pointillist.sampling.state import InverseCdfSampler, SamplingState, Stepper

if TYPE_CHECKING:
    from pointillist.engine.cpu import CpuSampler, DrawSpec
    from pointillist.engine.torch import TorchSampler

__all__ = [
    "ENGINES",
    "MASKING_ENGINES",
    "WHOLE_IMAGE_ENGINES",
    "InverseCdfSampler",
    "Stepper",
    "choose_engine",
    "choose_model_engine",
    "create_stepper",
    "draw_spec",
    "encode_each",
    "output_likelihood",
    "resolve_engine",
    "sample_stage",
]

WHOLE_IMAGE_ENGINES = ("cpu", "integer", *DEVICE_ENGINES)
"""Engines that sample a whole stage by themselves, by inverse CDF from given uniforms (`InverseCdfSampler`)."""
MASKING_ENGINES = ("cpu", "integer")
"""Those of them that do so within a mask too."""


def choose_model_engine(model: PixelModel, engine: str = "auto", size: tuple[int, int] | None = None) -> EngineChoice:
    """Choose the engine that samples from a model: `auto` takes its integer program where that can.

    It cannot where there is none, where the weights have changed since it was made, or for a size that it does not
    know; the reason says so.

    ```python
    choose_model_engine(pt.load("digits")).engine  # "integer"
    ```

    Args:
        size: height and width of the images; None for the model's own.

    Raises:
        EngineError: if there is no such engine, or something that it needs is missing, such as the integer program.
        ShapeError: if the integer program is asked for by name, and is of another size.
    """
    if engine != "auto":
        choice = choose_engine(engine, model.device)
        if engine == "integer":
            model.integer_model(size)
        return choice
    try:
        model.integer_model(size)
    except (EngineError, ShapeError) as error:
        floating = choose_engine(engine, model.device)
        obstacle = str(error).partition(":")[0]
        return replace(floating, without_program=obstacle[0].lower() + obstacle[1:])
    return EngineChoice("integer", INTEGER_REASON)


def resolve_engine(model: PixelModel, engine: str = "auto", size: tuple[int, int] | None = None) -> str:
    """Resolve the name of an engine for a model, `auto` included; see `choose_model_engine`.

    ```python
    resolve_engine(pt.load("digits"))  # "integer"
    ```

    Raises:
        EngineError: if there is no such engine.
    """
    return choose_model_engine(model, engine, size).engine


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
    """Open an engine at the first pixel of `batch` images; it visits pixels in the raster frame of the order.

    Args:
        condition: condition of the stage's network (`Stage.condition`), in the raster frame.
        height, width: size of the raster frame.
        engine: `cpu` runs the recorded program compiled; `cuda` on a GPU; `jacobi` by torch where the model is (it
            differs from `cuda` for whole images only); `integer` runs the integer program; `numpy`
            interprets the recorded one; `naive` runs a full forward for every sub-pixel; `auto` chooses.
        stage: one of `model.stages`, whose grid is visited; None for the only one.
        order: generation order; only its curve matters in the raster frame.

    Raises:
        EngineError: if there is no such engine, or the model has several stages and none is given.
        CausalityError: if the model cannot be recorded.
    """
    engine = resolve_engine(model, engine, order.raster_size(height, width))
    stages = model.stages(height, width) if stage is None else (stage,)
    if len(stages) > 1:
        raise EngineError(
            f"{model.config.model_type} paints in {len(stages)} stages: pass one of `model.stages` as `stage`, or use "
            "`autoregressive_loop`."
        )
    rows, columns = stages[0].grid_size(height, width)
    if engine == "naive":
        channels, dtype = model.dims.canvas, next(model.parameters()).dtype
        canvas = torch.zeros(batch, channels, rows, columns, dtype=dtype, device=model.device)
        canvas = channels_last(canvas) if model.channels_last else canvas
        return NaiveStepper(forward_of(stages[0], condition), canvas, model.dims.groups, order)
    if engine == "integer":
        return IntegerEngineStepper(model, condition, batch, rows, columns, order)
    program = record_stage(model, stages[0], condition, height, width, order)
    weights = [*model.parameters(), *model.buffers()]
    if engine == "numpy":
        return GuardedStepper(Interpreter(program, batch), weights)
    if engine in DEVICE_ENGINES:
        from pointillist.engine.torch import TorchStepper

        return GuardedStepper(
            TorchStepper(program, batch, device=selection.select_device(engine, model.device)), weights
        )
    from pointillist.engine.cpu import CpuStepper

    return GuardedStepper(CpuStepper(program, batch), weights)


def encode_each(model: PixelModel, conditions: ConditionInputs, engine: str) -> Condition:
    """Encode the conditions of a batch for an engine, image by image: torch may round differently in another batch.

    Images with the same conditions are encoded once.

    ```python
    encode_each(model, model.conditions.inputs("cat", 4), "integer")
    ```
    """
    encoder, images = model.scorer(engine), [conditions[i : i + 1] for i in range(len(conditions))]
    keys = [image.key for image in images]
    encoded = {key: encoder.encode(image, 1) for key, image in dict(zip(keys, images, strict=True)).items()}
    return Condition.concat([encoded[key] for key in keys])


def output_likelihood(model: PixelModel, engine: str) -> Likelihood:
    """Return the distribution of a pixel given the outputs of an engine: those of integers are log-probabilities.

    ```python
    output_likelihood(pt.load("digits"), "integer").num_params  # 16
    ```
    """
    return Categorical(model.image.channels, model.image.levels) if engine == "integer" else model.likelihood


def sample_stage(
    model: PixelModel,
    stage: Stage,
    condition: Condition,
    sampler: InverseCdfSampler,
    state: SamplingState,
    config: SamplingConfig,
) -> None:
    """Sample a stage as a whole: fill `state` where it is not known, and mark it known, row by row.

    Pixels that are independent of each other are sampled in one pass, where the engine runs torch. The engine `cpu`
    runs the program of the stage: its compiled draws are several times as fast (measured in docs/decisions, 0050).

    Args:
        condition: condition of the stage's network.
        sampler: in the orientation of the image; the state is in the raster frame of its order.
        state: of it, `outputs` get those of the conditional half of the batch.
        config: `engine` is one of `WHOLE_IMAGE_ENGINES`; `threads` share the batch on `cpu`.

    Raises:
        CausalityError: if the stage cannot be recorded, or its pixels are not independent as it declares.
    """
    count = len(sampler.uniforms)
    if stage.independent and config.engine in DEVICE_ENGINES:
        height, width = state.known.shape
        prove_independent(record_stage(model, stage, condition, height, width, state.order))
        sample_group(model, stage, condition, sampler, state)
        return
    targets, mask = stage.grid(state.levels), stage.grid(state.known)
    batch = SampleBatch(
        levels=targets[:count].numpy().copy(),
        known=np.broadcast_to(mask.numpy(), targets[:count].shape).copy(),  # without a copy one image's is read-only
        uniforms=np.ascontiguousarray(stage.grid(state.order.to_raster(sampler.uniforms)).double().numpy()),
        nats=np.zeros(count),
        mask=sampler.mask,
    )
    # of all copies under guidance, as arrays: small tensors would cost more than the rows themselves
    drawn, known = targets.numpy().reshape(-1, *batch.levels.shape), mask.numpy()
    outputs = None if state.outputs is None else stage.grid(state.outputs).numpy()
    new = ~known

    def finished(rows: int) -> None:
        row = rows - 1
        if outputs is not None and batch.params is not None:
            np.copyto(outputs[:, :, row], batch.params[:, row].swapaxes(1, 2), where=new[row])
        drawn[:, :, :, row] = batch.levels[:, :, row]
        known[row] = True
        state.report()

    if state.outputs is not None:
        batch.params = np.empty((count, *mask.shape, state.likelihood.num_params), state.outputs.numpy().dtype)
    if config.engine == "integer":
        sample_integer_stage(model, condition, batch, sampler.transform, state.order, finished, config.threads or 1)
        sampler.nats += torch.from_numpy(batch.nats)
        return
    program = record_stage(model, stage, condition, state.known.shape[0], state.known.shape[1], state.order)
    if config.engine == "cpu":
        _cpu_sampler(model, program, sampler, config.threads or 1).sample(batch, finished)
    else:
        device = _torch_sampler(model, program, sampler, config.engine)
        device.sample(batch, finished)
        if config.engine == "jacobi":
            sampler.passes += device.num_iterations
    sampler.nats += torch.from_numpy(batch.nats)


def _cpu_sampler(model: PixelModel, program: Program, sampler: InverseCdfSampler, threads: int) -> CpuSampler:
    from pointillist.engine.cpu import CpuSampler

    return CpuSampler(program, draw_spec(model), sampler.transform, threads=threads)


def draw_spec(model: PixelModel) -> DrawSpec:
    """Describe the distribution at a site to the engine `cpu`."""
    from pointillist.engine.cpu import DrawSpec

    values, likelihood = model.level_embeddings().detach().cpu().numpy(), model.likelihood
    mixture = {name: int(getattr(likelihood, name, 0)) for name in ("mixtures", "min_log_scale")}
    return DrawSpec(likelihood.name, values, likelihood.channels, **mixture)


def _torch_sampler(model: PixelModel, program: Program, sampler: InverseCdfSampler, engine: str) -> TorchSampler:
    from pointillist.engine.torch import TorchSampler
    from pointillist.engine.torch.sampler import Draw

    def choose(params: Tensor, levels: Tensor, channel: int, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        pixels = levels.repeat(len(params) // len(levels), 1, 1)
        log_probs = model.likelihood.conditional(params[:, :, None], pixels[:, :, None], channel)[:, :, 0]
        result = sample_level(log_probs.transpose(1, 2).flatten(0, 1), uniforms.flatten(), sampler.transform)
        return result[0].view_as(uniforms), result[1].view_as(uniforms)

    draw = Draw(choose, model.level_embeddings().detach().cpu().numpy())
    device = selection.select_device(engine, model.device)
    return TorchSampler(program, draw, device, copies=1 + sampler.transform.is_guided, jacobi=engine == "jacobi")


def integer_inputs(
    model: PixelModel, condition: Condition, count: int, order: PixelOrder
) -> tuple[IntegerModel, dict[str, IntArray]]:
    """Return the integer model, and a condition in the raster frame of an order as integers.

    Raises:
        EngineError: if the model has no integer program of its weights.
    """
    integers = model.integer_model().integers
    return integers, integers.quantize_inputs(condition_features(condition, count), order)


class IntegerEngineStepper:
    """Step through sub-pixels with the methods of `ProgramStepper`.

    Its parameters are those of a categorical distribution, channel by channel: the log-probabilities of the levels.
    """

    def __init__(
        self, model: PixelModel, condition: Condition, batch: int, height: int, width: int, order: PixelOrder
    ) -> None:
        integer_model, inputs = integer_inputs(model, condition, batch, order)
        program = integer_model.program(order)
        self._steps: IntegerSteps = open_steps(program, batch, height, width, inputs, integer_model.executor)
        self._values = model.level_embeddings().detach().cpu().numpy()
        self._program = program

    def params(self) -> np.ndarray:
        """Return parameters `[b, p]` at the current sub-pixel; only its own channel's share is defined."""
        result = log_probs(self._steps.frequencies(), self._program.head.precision)
        params = np.zeros((len(result), result.shape[1] * self._program.head.channels))
        first = self._steps.site[2] * result.shape[1]
        params[:, first : first + result.shape[1]] = result
        return params

    def observe(self, values: np.ndarray) -> None:
        """Take the embedded level `[b, e]` of the sub-pixel just chosen, and advance."""
        distance = ((values[:, None] - self._values[None]) ** 2).sum(2)
        self._steps.observe(distance.argmin(1))

    def select(self, indices: np.ndarray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._steps.select(indices)

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`."""
        return self._steps.save()

    def restore(self, state: Any) -> None:
        """Return to a saved state."""
        self._steps.restore(state)


def sample_integer_stage(
    model: PixelModel,
    condition: Condition,
    batch: SampleBatch,
    transform: Transform,
    order: PixelOrder,
    on_row: Callable[[int], None],
    threads: int = 1,
) -> None:
    """Fill in the unknown sub-pixels of a batch by inverse CDF.

    Under guidance the condition holds every image twice.
    """
    count = len(batch.levels) * (1 + transform.is_guided)
    integer_model, inputs = integer_inputs(model, condition, count, order)
    sample_batch(
        integer_model.program(order),
        inputs,
        batch,
        transform,
        on_row=on_row,
        threads=threads,
        executor=integer_model.executor,
    )
