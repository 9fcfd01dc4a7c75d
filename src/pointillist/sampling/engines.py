"""Open an engine in floating point, and the conditions of a stage."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.engine.interpreter import Interpreter
from pointillist.engine.naive import NaiveStepper
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.weights import WeightVersionCheck
from pointillist.errors import EngineError
from pointillist.images.array_types import Int
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import forward_of, record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import channels_last
from pointillist.sampling.config import choose_float_engine

Stepper = NaiveStepper | ProgramStepper
"""Sources of the network's outputs for one sub-pixel after the other."""


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
        engine: `numpy` runs the recorded program, and `torch` where the model is, such as on a GPU; `naive` runs a full
            forward for every sub-pixel; `auto` chooses. `IntegerModel.steps` opens the integer program.
        stage: one of `model.stages`, whose grid is visited; None for the only one.
        order: generation order; only its curve matters in the raster frame.

    Raises:
        EngineError: if there is no such engine in floating point, or the model has several stages and none is given.
        CausalityError: if the model cannot be recorded.
    """
    engine = choose_float_engine(model, engine, order.raster_size(height, width))
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
    program = record_stage(model, stages[0], condition, height, width, order)
    stepper: ProgramStepper
    if engine == "torch":
        from pointillist.engine.torch import TorchStepper

        stepper = TorchStepper(program, batch, device=model.device)
    else:
        stepper = Interpreter(program, batch)
    stepper.check = WeightVersionCheck([*model.parameters(), *model.buffers()]).check
    return stepper


def encode_each(model: PixelModel, conditions: ConditionInputs) -> Condition:
    """Encode the conditions of a batch image by image: torch may round differently in another batch.

    Images with the same conditions are encoded once.

    ```python
    encode_each(model, model.conditions.inputs("cat", 4))
    ```
    """
    images = [conditions[i : i + 1] for i in range(len(conditions))]
    keys = [image.key for image in images]
    encoded = {key: model.encode(image, 1) for key, image in dict(zip(keys, images, strict=True)).items()}
    return Condition.concat([encoded[key] for key in keys])


def stage_condition(
    model: PixelModel,
    stage: Stage,
    levels: Int[Tensor, "b c h w"],
    condition: Condition,
) -> Condition:
    """Build the condition of a stage from the pixels of the stages before.

    Args:
        levels: images in the raster frame, as many as the engine has.
        condition: condition of the images, in the raster frame.
    """
    if stage.upsampler is None:
        return stage.condition(None, condition)
    stages = model.stages(*levels.shape[2:])
    before = next(earlier for earlier, each in pairwise(stages) if each.step == stage.step)
    coarse = model.canvas(before.grid(levels).to(model.device))
    # image by image: torch may round the same image otherwise in another batch
    each = [stage.condition(coarse[i : i + 1], condition.image(i)) for i in range(len(coarse))]
    return Condition.concat(each)
