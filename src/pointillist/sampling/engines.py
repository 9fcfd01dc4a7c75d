"""Engines in floating point, the state of a batch that is being sampled, and a choice of levels by inverse CDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.likelihoods import Likelihood
from pointillist.distributions.sampling_transforms import apply_guidance, draw_level, sample_level
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.interpreter import Interpreter
from pointillist.engine.naive import NaiveStepper
from pointillist.engine.program import IntArray
from pointillist.engine.stepper import ProgramStepper
from pointillist.engine.weights import WeightVersionCheck
from pointillist.errors import EngineError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.model.pixel_model import PixelModel
from pointillist.model.recorded import forward_of, record_stage
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import channels_last
from pointillist.sampling.config import OnRow, choose_float_engine

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

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


def stage_condition(model: PixelModel, stage: Stage, levels: Int[Tensor, "b c h w"], condition: Condition) -> Condition:
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


@dataclass(frozen=True)
class Site:
    """A sub-pixel: its pixel position (row and column) and its channel.

    ```python
    Site(row=3, column=4, channel=0)
    ```
    """

    row: int
    column: int
    channel: int


@dataclass(frozen=True, kw_only=True)
class SamplingState:
    """The levels of a batch in the raster frame; all tensors are filled in place.

    Attributes:
        order: generation order that defines the raster frame.
        likelihood: distribution of a pixel, given the outputs of the engine.
        levels: int64 `[b c h w]`, valid where `known` is set.
        known: pixel positions that are given or already sampled, bool `[h w]`.
        outputs: network outputs of the first `n` images, filled where a pixel is sampled; None discards them.
        on_row: called after each row.
        resample: called with row and column before each pixel that is chosen; returns for each image of the batch the
            one that it continues from, or None to go on. None where no image is ever exchanged for another.
        masked: the choice of levels within a mask, which may send the loop back to an earlier row; None without one.
    """

    order: PixelOrder
    likelihood: Likelihood
    levels: Int[Tensor, "b c h w"]
    known: Bool[Tensor, "h w"]
    outputs: Float[Tensor, "n p h w"] | None = None
    on_row: OnRow | None = None
    resample: Callable[[int, int], IntArray | None] | None = None
    masked: UniformSampler | None = None

    def report(self) -> None:
        """Call `on_row` with the rows done: pixels known, in rows of the raster frame."""
        if self.on_row is not None:
            done = int(np.count_nonzero(self.known.numpy())) // self.known.shape[1]
            self.on_row(done, self.order.from_raster(self.levels).numpy())


@dataclass(eq=False)
class UniformSampler:
    """Draw a level for every image at a pixel position, and add up its log-likelihood under the model.

    Attributes:
        uniforms: numbers in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image at guidance 1 and temperature 1, in nats, float64 `[n]`.
        transform: guidance, temperature and top-p. Under guidance the engine's batch holds every image twice,
            conditional and then the reference of guidance.
        mask: levels that each sub-pixel may have; None for all.
        known: levels `[n c h w]`, and which sub-pixels of them are taken instead of drawn, `[c h w]`; None to draw all.
    """

    uniforms: Float[Tensor, "n c h w"]
    transform: Transform = IDENTITY
    mask: LevelMask | None = None
    known: tuple[Int[Tensor, "n c h w"], Bool[np.ndarray, "c h w"]] | None = None

    def __post_init__(self) -> None:
        self.nats: Tensor = torch.zeros(len(self.uniforms), dtype=torch.float64)

    def duplicate_for_guidance(
        self, inputs: ConditionInputs, negative: ConditionInputs | None = None
    ) -> ConditionInputs:
        """Return the inputs of the engine's batch: under guidance, every image twice.

        The second time without its prompt, or else without conditions; see `ConditionInputs.guidance_reference`. Both
        copies see the same levels. Images without conditions are drawn without guidance. Call it before the first
        pixel.
        """
        reference = inputs.guidance_reference(negative)
        if not (inputs.is_conditional or reference.is_conditional):
            self.transform = self.transform.unguided()
        return ConditionInputs.concat([inputs, reference]) if self.transform.is_guided else inputs

    def resample(self, row: int, column: int) -> IntArray | None:
        """Return for each image the one that it continues from at a pixel of the raster frame; None to go on."""
        return None

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose levels `[b]` for the engine's batch: one for each image, duplicated under guidance.

        Where there is a mask, the distribution is renormalised over the levels that it allows.
        """
        here = (site.channel, site.row, site.column)
        if self.known is not None and self.known[1][here]:
            result = self.known[0][:, *here]
            return result.repeat(len(log_probs) // len(result))
        uniforms = self.uniforms[:, *here]
        if self.mask is None:
            levels, nats = sample_level(log_probs, uniforms, self.transform)
        else:
            levels, nats = self._draw_in_mask(self.mask, site, log_probs, uniforms)
        self.nats += nats
        return levels.repeat(1 + self.transform.is_guided)

    def _draw_in_mask(
        self, mask: LevelMask, site: Site, log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " n"]
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        conditional, transform = log_probs[: len(uniforms)].double().cpu(), self.transform
        place, guided = site.row * self.uniforms.shape[3] + site.column, conditional
        if transform.is_guided:
            guided = apply_guidance(conditional, log_probs[len(uniforms) :].double().cpu(), transform.guidance)
        mask.weigh(site.channel, place, conditional.numpy())

        def choose(images: np.ndarray, allowed: np.ndarray, u: np.ndarray) -> np.ndarray:
            within = guided[torch.from_numpy(images)].masked_fill(~torch.from_numpy(allowed), -torch.inf)
            return draw_level(within.log_softmax(1), torch.from_numpy(u), transform).numpy()

        drawn = mask.draw(site.channel, place, uniforms.double().numpy(), choose, (guided > -torch.inf).numpy())
        levels = torch.from_numpy(drawn)
        return levels, conditional.gather(1, levels[:, None])[:, 0]
