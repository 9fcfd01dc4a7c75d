"""A model that computes with integer programs: read from its folder without torch, or made from a pixel model.

It is a separate model. Its likelihood is given by its integer frequencies, exactly normalised: near the
likelihood of the pixel model that it was made from, but not equal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.label import Label
from pointillist.conditioning.readers import ConditionReaders
from pointillist.conditioning.registry import ConditionConfig
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch, row_report
from pointillist.engine.executors import (
    Inputs,
    decode_images,
    intervals_of_images,
    log_probs_of_images,
    open_steps,
    params_of_images,
)
from pointillist.engine.head.range_decoder import RangeDecoder
from pointillist.engine.particles import CERTAIN, DRAWN, ParticleBatch
from pointillist.engine.program import IntArray, Program
from pointillist.engine.sampler import draw_particles, sample_batch
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import EngineError
from pointillist.files.arrays import as_array
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder, resolve_order
from pointillist.images.pictures import sum_images
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.portable.conditions import ORDER, POSITION, IntegerPart, encode_inputs
from pointillist.model.portable.likelihood import ProgramDistributions
from pointillist.model.protocols import LikelihoodKwargs, Settings, check_levels, check_trained_size
from pointillist.model.training_record import IntegerCost, TrainingRecord
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset
    from pointillist.engine.constraints.masks import LevelMask

OtherFeatures = Callable[[ConditionInputs, tuple[int, int]], Mapping[str, NDArray[np.float64]]]
"""Returns features of conditions without a stored encoder, `[n, ..., c]` by name, for images of a size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramModel:
    """A model that samples and scores with its integer programs; the weights of its network are not read.

        pt.load("digits").integer_model().log_prob(levels, label=3)  # nats, one for each image

    Attributes:
        programs: one for each group of orders that share it.
        program_numbers: names of its generation orders, with the number of the program of each.
        parts: parts of the condition for each program, in the order of their channels.
        image: meaning of its integers.
        fixed_size: whether only images of the trained size can be sampled or scored.
        conditions: reads its conditions.
        source: hash of the weights that the programs were made from; empty if unknown.
        fingerprint: SHA-256 of all that is stored: two models with the same fingerprint give the same bits.
        executor: what runs it: `auto`, `compiled`, `numpy`, `torch`, or `cuda` on a GPU. All give the same bits.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        training_record: how it was trained.
        tileset: pictures of its levels; None if there are none.
        integer_cost: what the programs cost, if that was measured.
        model_type: name of the network that they were made from.
        weights: number of weights of that network.
        condition_settings: settings of its conditions, by kind.
        folder: the folder, which also has the weights; None for the programs of an open model.
        other_features: of conditions without a stored encoder; None if the program knows them as unknown only.
    """

    engine: ClassVar[str] = "integer"

    programs: tuple[Program, ...]
    program_numbers: Mapping[str, int]
    parts: tuple[tuple[IntegerPart, ...], ...]
    image: ImageSpec
    fixed_size: bool
    conditions: ConditionReaders
    source: str = ""
    fingerprint: str = ""
    executor: str = "auto"
    generation_config: GenerationConfig = field(default_factory=GenerationConfig)
    measured_prompts: MeasuredPrompts = field(default_factory=MeasuredPrompts)
    training_record: TrainingRecord = field(default_factory=TrainingRecord)
    tileset: Tileset | None = None
    integer_cost: IntegerCost | None = None
    model_type: str = ""
    weights: int = 0
    condition_settings: Mapping[str, ConditionConfig] = field(default_factory=dict)
    folder: Path | None = None
    other_features: OtherFeatures | None = None

    def __repr__(self) -> str:
        return f"ProgramModel({self.model_type}, {self.image}, its integer program)"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return next((part.names for part in self.parts[0] if part.name == "label"), ())

    @property
    def likelihood_name(self) -> LikelihoodKind:
        """Name of the distribution of a pixel; the programs of all orders have the same."""
        return self.programs[0].head.kind

    @property
    def mixtures(self) -> int:
        """Components of a mixture, or of a factored distribution; 0 for others."""
        return self.programs[0].head.mixtures

    @property
    def weights_fingerprint(self) -> str:
        """SHA-256 of the weights and settings that the programs were made from."""
        return self.source

    @property
    def orders(self) -> tuple[str, ...]:
        """Names of its generation orders; the first is the usual one."""
        return tuple(self.program_numbers)

    @property
    def reads_all_conditions(self) -> bool:
        """True if the programs read each condition of the model: of others they know "unknown" only."""
        return all(part.reader is not None or part.name in (ORDER, POSITION) for part in self.parts[0])

    def num_parameters(self) -> int:
        """Return the number of weights of the network."""
        return self.weights

    def condition(self, kind: type[Settings]) -> Settings | None:
        """Return the settings of a kind of condition; None for a model without it."""
        settings = self.condition_settings.get(kind.kind)
        return settings if isinstance(settings, kind) else None

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first. Another one is a `ConfigError`."""
        return resolve_order(self.orders, name)

    def program(self, order: PixelOrder) -> Program:
        return self.programs[self.program_numbers[order.name]]

    def stage_count(self, height: int, width: int) -> int:
        """Return the number of stages in which an image of this size is generated."""
        return 1

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        return order.rank(height, width)

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> ProgramModel:
        """Return what scores images: this model, which is the only one without the weights.

        Args:
            engine: `auto` or `integer`.
            size: height and width of the images; None for the model's own.

        Raises:
            ConfigError, EngineError: if it is another engine.
            ShapeError: if the program does not know the size.
        """
        if engine not in ("auto", "integer"):
            raise EngineError(
                f"`engine` (={engine!r}) computes with the weights of a model, and this one is opened by its integer "
                "program alone: load it with `pt.load`, or leave the engine out."
            )
        if size is not None:
            self.check_size(*size)
        return self

    def why_floats(self, size: tuple[int, int] | None = None) -> str:
        """Return an empty clause: this model never computes in floating point."""
        return ""

    def log_prob(
        self, x: Any, label: Label = None, text: Any = None, **further: Unpack[LikelihoodKwargs]
    ) -> Float[np.ndarray, " b"]:
        """Compute the exact log-likelihood of each image, in nats, float64.

        Args:
            x: levels, integers `[b c h w]`.
            label, text, further: conditions, see `ConditionReaders.inputs`, and the generation order.

        Raises:
            ShapeError, ConfigError: if the model does not take the images, or a condition.
        """
        return sum_images(self.log_prob_map(x, label, text, **further))

    def log_prob_map(
        self, x: Any, label: Label = None, text: Any = None, **further: Unpack[LikelihoodKwargs]
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats. Arguments as `log_prob`."""
        levels = self.check_array(x)
        keywords: Any = dict(further)
        order, size = self.order(keywords.pop("order", None)), (levels.shape[2], levels.shape[3])
        return self.unchecked_log_prob_map(
            levels, self.conditions.inputs(label, len(levels), text, size=size, **keywords), order
        )

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute `log_prob_map` of images and conditions that are validated already; known sub-pixels are certain."""
        order, observed = self.order() if order is None else order, None if inputs is None else inputs.observed
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        maps = log_probs_of_images(self.program(order), x, order, encoded, self.executor, default_threads())
        if observed is not None:
            maps[observed] = 0.0
        return maps

    def distributions(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> ProgramDistributions:
        """Compute the distributions of all sub-pixels of complete images."""
        order = self.order() if order is None else order
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        levels = np.ascontiguousarray(order.array_to_raster(x), np.int64)
        params = params_of_images(self.program(order), levels, encoded, self.executor, default_threads())
        turned = np.ascontiguousarray(order.array_from_raster(np.moveaxis(params, 3, 1)))
        return self.distributions_from(turned, x)

    def distributions_from(
        self, params: Int[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
    ) -> ProgramDistributions:
        """Return the distributions of parameters that were computed before; the heads of all orders are the same."""
        return ProgramDistributions(params, x, self.programs[0])

    def encode(
        self, inputs: ConditionInputs | None, count: int, size: tuple[int, int], order: PixelOrder
    ) -> dict[str, IntArray]:
        """Return conditions as integers, each by its stored encoder: the same for an image in any batch.

        Args:
            inputs: conditions of images; None for no condition.
            count: number of images.
            size: height and width of the images.
            order: generation order.

        Raises:
            ShapeError: if the size differs from the stored maps.
        """
        if inputs is None:
            inputs = self.conditions.inputs(count=count, size=size)
        others = {} if self.other_features is None else self.other_features(inputs, size)
        number = self.program_numbers[order.name]
        return encode_inputs(self.programs[number], self.parts[number], inputs, size, order, others)

    def intervals(
        self, x: Int[np.ndarray, "b c h w"], inputs: Inputs, order: PixelOrder, *, threads: int = 1
    ) -> tuple[Int[np.ndarray, "b c h w"], Int[np.ndarray, "b c h w"]]:
        """Return what an entropy coder needs of every sub-pixel at once: the start and the frequency of its level.

        Both count from 0 to `2 ** program.head.precision`. `steps` gives the same numbers, one sub-pixel after the
        other. The result is in the orientation of the image, and the same for any executor and number of threads.

        Args:
            x: levels that are validated already.
            inputs: conditions as integers; see `encode`.
            order: generation order.
        """
        levels = np.ascontiguousarray(order.array_to_raster(x), np.int64)
        starts, sizes = intervals_of_images(self.program(order), levels, inputs, self.executor, threads)
        return order.array_from_raster(starts), order.array_from_raster(sizes)

    def steps(self, batch: int, size: tuple[int, int], inputs: Inputs, order: PixelOrder) -> ProgramStepper:
        """Open the model at the first sub-pixel of images, in generation order: for decoding, and for sampling.

        steps = model.steps(1, (28, 28), inputs, order)
        while not steps.done:
            steps.observe(choose(steps.frequencies()))  # [1, levels] -> [1]
        """
        return open_steps(self.program(order), batch, *order.raster_size(*size), inputs, self.executor)

    def decode(
        self,
        coded: Bool[np.ndarray, "b rows columns"],
        decoders: Sequence[RangeDecoder],
        decoder_of: Int[np.ndarray, " b"],
        inputs: Inputs,
        order: PixelOrder,
        *,
        learns: bool = False,
    ) -> Int[np.ndarray, "b c h w"]:
        """Decode the levels of images in lockstep: at each site, for each channel, of all images.

        Args:
            coded: sites that the decoders hold, in the raster frame; the others get level 0.
            decoders: each at the first level of its first image.
            decoder_of: number of the decoder of each image.
            inputs, order: as for `intervals`.
            learns: whether a stage that learns coded them.
        """
        levels = np.zeros((len(coded), self.image.channels, *coded.shape[1:]), np.int64)
        decode_images(self.program(order), levels, coded, decoders, decoder_of, inputs, self.executor, learns=learns)
        return order.array_from_raster(levels)

    def draw(
        self,
        batch: SampleBatch,
        inputs: Inputs,
        order: PixelOrder,
        transform: Transform = IDENTITY,
        *,
        on_row: Callable[[int, IntArray], None] | None = None,
        threads: int = 1,
    ) -> Int[np.ndarray, "n c h w"]:
        """Draw the unknown sub-pixels of images in the raster frame, in place; return the levels of the images.

        Args:
            batch: the images; see `empty_batch`. Before `on_row` is called, rows of `params` have log-probabilities.
            on_row: called with the rows done (in rows of the raster frame) and the levels so far.
            inputs: conditions as integers; under guidance of the images, and then of the reference.
            order: generation order.
            transform: guidance, temperature and top-p.
        """
        levels = batch.levels
        if batch.mask is not None:
            _begin(batch.mask, order, levels, np.asarray(batch.known[0].all(0)))
        report = None if on_row is None else row_report(levels, levels.copy(), order, on_row)
        program = self.program(order)
        sample_batch(program, inputs, batch, transform, on_row=report, threads=threads, executor=self.executor)
        return order.array_from_raster(levels)

    def draw_particles(
        self,
        batch: ParticleBatch,
        inputs: Inputs,
        order: PixelOrder,
        transform: Transform = IDENTITY,
        *,
        mask: LevelMask | None = None,
        on_row: Callable[[int, IntArray], None] | None = None,
    ) -> Int[np.ndarray, "n c h w"]:
        """Draw the particles of an image in the raster frame, in place; return their levels.

        Args:
            inputs: conditions of one image; under guidance the conditions of the reference follow.
            mask: levels that each sub-pixel may have; its draws are weighted.
            order, transform, on_row: as for `draw`.
        """
        levels = batch.levels
        if mask is not None:
            _begin(mask, order, levels, (batch.roles == CERTAIN).all(0))
        shown = np.where(batch.roles == DRAWN, 0, levels)
        report = None if on_row is None else row_report(levels, shown, order, on_row)
        draw_particles(self.program(order), inputs, batch, transform, mask=mask, on_row=report, executor=self.executor)
        return order.array_from_raster(levels)

    def to_levels(self, images: Any) -> Int[np.ndarray, "b c h w"]:
        """Convert pictures (uint8 arrays or PIL) to levels; see `ImageSpec.level_array`."""
        return self.image.level_array(images)

    def to_images(self, levels: Any) -> np.ndarray:
        """Convert levels to uint8 pictures `n h w c`; see `ImageSpec.to_images`."""
        return self.image.to_images(levels)

    def check_array(self, x: Any) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images, and return it as an array.

        Raises:
            ShapeError: if channels, the size of a model with fixed size, or the levels do not fit.
        """
        levels = self.image.level_array(x) if self.image.is_picture(x) else as_array(x)
        check_levels(levels, self.image)
        self.check_size(levels.shape[2], levels.shape[3])
        return levels

    def check_size(self, height: int, width: int) -> None:
        """Raise a `ShapeError` for a size that the programs do not know."""
        check_trained_size(self, height, width)

    def has_size(self, size: tuple[int, int] | None) -> bool:
        """Return True if images of a size can be sampled: maps of conditions are stored for the model's own."""
        trained = size is None or size == (self.image.height, self.image.width)
        return trained or all(part.any_size for parts in self.parts for part in parts)


def _begin(mask: LevelMask, order: PixelOrder, levels: IntArray, known: Bool[np.ndarray, "rows columns"]) -> None:
    """Begin the only stage of images in the raster frame, whose known sites are the same."""
    mask.begin_stage(order, (1, 1), order.array_from_raster(levels), order.array_from_raster(known))
