"""Choose and run an engine, in integers or floats: step through sub-pixels, or sample a whole stage."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import Categorical, Likelihood
from pointillist.engine.batch import SampleBatch
from pointillist.engine.executors import open_steps
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.naive import NaiveStepper
from pointillist.engine.numpy.interpreter import Interpreter
from pointillist.engine.program import IntArray, Program
from pointillist.engine.sampler import sample_batch
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.weights import WeightVersionCheck
from pointillist.errors import EngineError
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.model.integer import condition_features, encode_for
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import forward_of, record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import channels_last
from pointillist.portable.conditions import quantize_inputs
from pointillist.portable.model import IntegerModel
from pointillist.portable.stages import stage_inputs
from pointillist.sampling.config import resolve_engine
from pointillist.sampling.state import InverseCdfSampler, SamplingState, Stepper


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
        engine: `integer` runs the integer program; `numpy` the recorded one in floating point, and `torch` where the
            model is, such as on a GPU; `naive` runs a full forward for every sub-pixel; `auto` chooses.
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
        return NaiveStepper(forward_of(stages[0], condition), canvas, model.level_embeddings(), order)
    if engine == "integer":
        executor, integers, inputs = integer_inputs(model, stages[0], condition, batch, order)
        return open_steps(integers, batch, rows, columns, inputs, executor)
    program = record_stage(model, stages[0], condition, height, width, order)
    stepper: ProgramStepper
    if engine == "torch":
        from pointillist.engine.torch import TorchStepper

        stepper = TorchStepper(program, batch, device=model.device)
    else:
        stepper = Interpreter(program, batch)
    stepper.check = WeightVersionCheck([*model.parameters(), *model.buffers()]).check
    return stepper


def encode_each(model: PixelModel, conditions: ConditionInputs, engine: str) -> Condition:
    """Encode the conditions of a batch for an engine, image by image: torch may round differently in another batch.

    Images with the same conditions are encoded once.

    ```python
    encode_each(model, model.conditions.inputs("cat", 4), "integer")
    ```
    """
    images = [conditions[i : i + 1] for i in range(len(conditions))]
    keys = [image.key for image in images]
    encoded = {key: encode_for(model, image, engine) for key, image in dict(zip(keys, images, strict=True)).items()}
    return Condition.concat([encoded[key] for key in keys])


def output_likelihood(model: PixelModel, engine: str) -> Likelihood:
    """Return the distribution of a pixel given the outputs of an engine: outputs of integers are log-probabilities.

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
    threads: int = 1,
) -> None:
    """Sample a stage as a whole by the integer program: fill `state` where it is not known, row by row.

    Args:
        condition: condition of the stage's network; under guidance it holds every image twice.
        sampler: in the orientation of the image; the state is in the raster frame of its order.
        state: of it, `outputs` get the log-probabilities of the conditional half of the batch.
        threads: how many share the batch.

    Raises:
        EngineError: if the model has no integer program of its weights.
    """
    count = len(sampler.uniforms)
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
    executor, program, inputs = integer_inputs(model, stage, condition, len(drawn) * count, state.order)
    sample_batch(program, inputs, batch, sampler.transform, on_row=finished, threads=threads, executor=executor)
    assert batch.sizes is not None
    stage.grid(state.log_probs)[:count] += torch.from_numpy(log_probs(batch.sizes, program.head.precision))


def integer_inputs(
    model: PixelModel, stage: Stage, condition: Condition, count: int, order: PixelOrder
) -> tuple[str, Program, dict[str, IntArray]]:
    """Return the executor, the integer program of a stage, and the condition of the stage as integers.

    Args:
        condition: condition of the stage's network, in the raster frame of the order.

    Raises:
        EngineError: if the model has no integer program of its weights.
    """
    integers = model.integer_model().integers
    program = integers.stage_programs(order)[_number(integers, stage)]
    return integers.executor, program, quantize_inputs(program, condition_features(condition, count))


def _number(integers: IntegerModel, stage: Stage) -> int:
    return [each.step for each in integers.stages].index(stage.step)


def stage_condition(
    model: PixelModel,
    stage: Stage,
    levels: Int[Tensor, "b c h w"],
    condition: Condition,
    order: PixelOrder,
    engine: str,
) -> Condition:
    """Build the condition of a stage, for an engine, from the pixels of the stages before.

    Args:
        levels: images in the raster frame, as many as the engine has.
        condition: condition of the images, in the raster frame.
    """
    if stage.upsampler is None:
        return stage.condition(None, condition)
    if engine == "integer":
        integers = model.integer_model().integers
        programs, number = integers.stage_programs(order), _number(integers, stage)
        inputs = quantize_inputs(programs[0], condition_features(condition, len(levels)))
        inputs = stage_inputs(integers.stages, programs, number, levels.numpy(), inputs)
        # integers times their units, which round to them again
        numbers = torch.from_numpy(inputs["map"] * programs[number].inputs["map"].unit)
        return replace(condition, map=numbers.permute(0, 3, 1, 2).to(model.device))
    stages = model.stages(*levels.shape[2:])
    before = next(earlier for earlier, each in pairwise(stages) if each.step == stage.step)
    coarse = model.canvas(before.grid(levels).to(model.device))
    # image by image: torch may round the same image otherwise in another batch
    each = [stage.condition(coarse[i : i + 1], condition.image(i)) for i in range(len(coarse))]
    return Condition.concat(each)
