"""An integer model: the integer programs of a pixel model with its orders and conditions. Neither needs torch.

It is a separate model. Its likelihood is given by its integer frequencies, exactly normalised: near the
likelihood of the model it was made from, but not equal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.label import Label
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch
from pointillist.engine.executors import decode_images, intervals_of_images, open_steps, params_of_images
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.range_decoder import RangeDecoder
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import ShapeError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder, resolve_order, stage_rank
from pointillist.images.spec import sum_images
from pointillist.portable.conditions import IntegerPart, StoredConditions, encode_inputs
from pointillist.portable.stages import Inputs, IntegerStage, StageRun, StageSteps, run_stages, sample_runs

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """Integer programs, and what is needed to run them.

        integer_model = pointillist.portable.load("my-model")
        integer_model.log_prob(levels)  # levels: integers [n, c, h, w]; nats, float64 [n]
        levels, nats = integer_model.sample(np.random.default_rng(0).random((4, 1, 28, 28)), label=[3, 3, 5, None])

    Attributes:
        channels, height, width, levels: of its images.
        fixed_size: whether they have this size only.
        programs: for each group of orders that share them, one for each stage.
        orders: names of its generation orders, with the number of the program of the first stage of each.
        parts: parts of the condition for each program, in the order of their channels; programs of later stages have
            none.
        source: hash of the weights that the model was made from; empty if unknown.
        stages: its stages, the coarsest grid first; a single one for most models.
        fingerprint: SHA-256 of all of it: two models with the same fingerprint give the same bits.
        executor: runs it, where a method names no other: `auto`, `compiled`, `numpy`, `torch`, or `cuda` on a GPU. All
            of them give the same bits.
    """

    channels: int
    height: int
    width: int
    levels: int
    fixed_size: bool
    programs: tuple[Program, ...]
    orders: Mapping[str, int]
    parts: tuple[tuple[IntegerPart, ...], ...]
    source: str = ""
    stages: tuple[IntegerStage, ...] = (IntegerStage(),)
    fingerprint: str = field(default="", compare=False)
    executor: str = field(default="auto", compare=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes; none for a model without labels."""
        return next((part.names for part in self.parts[0] if part.name == "label"), ())

    @property
    def conditions(self) -> StoredConditions:
        """Conditions that the program reads."""
        image = ImageSpec(channels=self.channels, height=self.height, width=self.width, levels=self.levels)
        return StoredConditions(self.parts[0], image)

    def order(self, name: str | None = None) -> PixelOrder:
        """Get one of its orders; without a name, the usual one. Another one is a `ConfigError`."""
        return resolve_order(tuple(self.orders), name)

    def program(self, order: PixelOrder) -> Program:
        """Return the program of an order; of several stages the first, which declares the conditions."""
        return self.programs[self.orders[order.name]]

    def stage_programs(self, order: PixelOrder) -> tuple[Program, ...]:
        """Return the programs of the stages of an order."""
        return self.programs[self.orders[order.name] :][: len(self.stages)]

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order, from 0."""
        if len(self.stages) == 1:
            return order.rank(height, width)
        steps = (stage.step for stage in self.stages)
        return order.array_from_raster(stage_rank(steps, *order.raster_size(height, width)))

    def runs(self, order: PixelOrder, levels: IntArray, inputs: Inputs) -> Iterator[StageRun]:
        """Yield the stages of images in the raster frame; see `run_stages`."""
        return run_stages(self.stages, self.stage_programs(order), levels, inputs)

    def inputs(
        self,
        count: int,
        size: tuple[int, int],
        order: PixelOrder,
        label: Label = None,
        text: Any = None,
        **further: Any,
    ) -> dict[str, IntArray]:
        """Return the conditions of images as integers, from what a user gives.

        Args:
            count: number of images.
            size: their height and width.
            order: generation order.
            label, text, further: conditions by keyword; see `ConditionReaders.inputs`.

        Raises:
            ConfigError, DataError: if the program does not take a condition, or not this value of it.
            ShapeError: if the size differs from the stored maps, or a value does not fit.
        """
        return self.encode(self.conditions.inputs(label, count, text, size=size, **further), size, order)

    def encode(
        self,
        inputs: ConditionInputs,
        size: tuple[int, int],
        order: PixelOrder,
        features: Mapping[str, Float[np.ndarray, ...]] = MappingProxyType({}),
    ) -> dict[str, IntArray]:
        """Return conditions as integers, each by its stored encoder: the same for an image in any batch.

        Args:
            inputs: conditions of images.
            size: height and width of the images.
            order: generation order.
            features: features of parts that the program has no encoder for, `[n, ..., c]`, by name.

        Raises:
            ShapeError: if the size differs from the stored maps.
        """
        number = self.orders[order.name]
        return encode_inputs(self.programs[number], self.parts[number], inputs, size, order, features)

    def intervals(
        self,
        x: Int[np.ndarray, "b c h w"],
        inputs: Inputs | None = None,
        order: PixelOrder | None = None,
        *,
        executor: str | None = None,
        threads: int = 1,
    ) -> tuple[Int[np.ndarray, "b c h w"], Int[np.ndarray, "b c h w"]]:
        """Return what an entropy coder needs of every sub-pixel at once: the start and the frequency of its level.

        Both count from 0 to `2 ** program.head.precision`. `steps` gives the same numbers, one sub-pixel after the
        other. The result is in the orientation of the image, and the same for any executor and number of threads.
        """
        order = self.order() if order is None else order
        if inputs is None:
            inputs = self.inputs(len(x), (x.shape[2], x.shape[3]), order)
        levels = np.ascontiguousarray(order.array_to_raster(self.check(x)), np.int64)
        result = np.empty((2, *levels.shape), np.int64)
        for run in self.runs(order, levels, inputs):
            grid = np.ascontiguousarray(run.stage.grid(levels))
            both = intervals_of_images(run.program, grid, run.inputs, executor or self.executor, threads)
            np.copyto(run.stage.grid(result), np.stack(both), where=~run.known)
        return order.array_from_raster(result[0]), order.array_from_raster(result[1])

    def params(
        self,
        x: Int[np.ndarray, "b c h w"],
        inputs: Inputs | None = None,
        order: PixelOrder | None = None,
        *,
        executor: str | None = None,
        threads: int = 1,
    ) -> Int[np.ndarray, "b h w p"]:
        """Return the parameters of the distribution at every pixel, in the orientation of the image.

        `frequencies(program.head, params[:, rows], pixels, channel)` are the frequencies of all levels there.
        """
        order = self.order() if order is None else order
        if inputs is None:
            inputs = self.inputs(len(x), (x.shape[2], x.shape[3]), order)
        levels = np.ascontiguousarray(order.array_to_raster(self.check(x)), np.int64)
        params = np.empty((len(x), *levels.shape[2:], self.program(order).params.channels), np.int32)
        for run in self.runs(order, levels, inputs):
            grid = np.ascontiguousarray(run.stage.grid(levels))
            values = params_of_images(run.program, grid, run.inputs, executor or self.executor, threads)
            np.copyto(run.stage.sites(params), values, where=~run.known[:, :, None])
        return np.moveaxis(order.array_from_raster(np.moveaxis(params, 3, 1)), 1, 3)

    def log_prob_map(
        self,
        x: Int[np.ndarray, "b c h w"],
        inputs: Inputs | None = None,
        order: PixelOrder | None = None,
        *,
        threads: int = 1,
    ) -> Float[np.ndarray, "b c h w"]:
        """Return the log-probability of each sub-pixel given those before it, in nats, float64."""
        order = self.order() if order is None else order
        _, sizes = self.intervals(x, inputs, order, threads=threads)
        return log_probs(sizes, self.program(order).head.precision)

    def log_prob(
        self, x: Int[np.ndarray, "b c h w"], inputs: Inputs | None = None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, " b"]:
        """Return the exact log-likelihood of each image under this model, in nats, float64."""
        return sum_images(self.log_prob_map(x, inputs, order))

    def steps(
        self,
        batch: int,
        size: tuple[int, int] | None = None,
        inputs: Inputs | None = None,
        order: PixelOrder | None = None,
        *,
        executor: str | None = None,
    ) -> ProgramStepper | StageSteps:
        """Open the model at the first sub-pixel of images, in generation order: for decoding, and for sampling.

        steps = integer_model.steps(batch=1)
        while not steps.done:
            steps.observe(choose(steps.frequencies()))  # [1, levels] -> [1]
        """
        order = self.order() if order is None else order
        size = (self.height, self.width) if size is None else size
        self.check_size(*size)
        if inputs is None:
            inputs = self.inputs(batch, size, order)

        def opened(run: StageRun) -> ProgramStepper:
            return open_steps(run.program, batch, *run.size, run.inputs, executor or self.executor)

        levels = np.zeros((batch, self.channels, *order.raster_size(*size)), np.int64)
        runs = self.runs(order, levels, inputs)
        return opened(next(runs)) if len(self.stages) == 1 else StageSteps(runs, levels, opened)

    def decode(
        self,
        coded: Bool[np.ndarray, "b rows columns"],
        decoders: Sequence[RangeDecoder],
        decoder_of: Int[np.ndarray, " b"],
        inputs: Inputs,
        order: PixelOrder,
    ) -> Int[np.ndarray, "b c h w"]:
        """Decode the levels of images in lockstep: at each site, for each channel, of all images.

        Args:
            coded: sites that the decoders hold, in the raster frame; the others get level 0.
            decoders: each at the first level of its first image.
            decoder_of: number of the decoder of each image.
            inputs: conditions, see `inputs`.
            order: generation order.
        """
        levels = np.zeros((len(coded), self.channels, *coded.shape[1:]), np.int64)
        for run in self.runs(order, levels, inputs):
            x, new = np.ascontiguousarray(run.stage.grid(levels)), run.stage.grid(coded) & ~run.known
            decode_images(run.program, x, new, decoders, decoder_of, run.inputs, self.executor)
            run.stage.grid(levels)[...] = x
        return order.array_from_raster(levels)

    def sample(
        self,
        uniforms: Float[np.ndarray, "n c h w"],
        label: Label = None,
        order: str | None = None,
        *,
        transform: Transform = IDENTITY,
        executor: str | None = None,
        threads: int = 1,
        **conditions: Any,
    ) -> tuple[Int[np.ndarray, "n c h w"], Float[np.ndarray, " n"]]:
        """Draw images by inverse CDF from uniforms in [0, 1).

        Args:
            label, order: see `inputs`.
            transform: guidance (see `ConditionInputs.guidance_reference`), temperature and top-p.
            executor, threads: see `sample_batch`.
            conditions: `text`, `hint` and others; see `inputs`.

        Returns:
            The levels, and the log-likelihood of each image under this model, without the transform, in nats.
        """
        chosen = self.order(order)
        count, size = len(uniforms), (uniforms.shape[2], uniforms.shape[3])
        given = self.conditions.inputs(label, count, size=size, **conditions)
        inputs = self.encode(given, size, chosen)
        if transform.is_guided:
            inputs = join_inputs(inputs, self.encode(given.guidance_reference(), size, chosen))
        return self.sample_given(uniforms, inputs, chosen, transform, executor=executor, threads=threads)

    def sample_given(
        self,
        uniforms: Float[np.ndarray, "n c h w"],
        inputs: Inputs,
        order: PixelOrder,
        transform: Transform = IDENTITY,
        *,
        mask: LevelMask | None = None,
        on_row: Callable[[int, IntArray], None] | None = None,
        executor: str | None = None,
        threads: int = 1,
    ) -> tuple[Int[np.ndarray, "n c h w"], Float[np.ndarray, " n"]]:
        """`sample`, given conditions as integers: under guidance of the images, and then the reference.

        Args:
            mask: levels that each sub-pixel may have; None for all.
            on_row: called with the rows done (in rows of the raster frame) and the levels so far.
        """
        self.check_size(uniforms.shape[2], uniforms.shape[3])
        batch = empty_batch(uniforms, order)
        batch.mask = mask
        levels = self.draw(batch, inputs, order, transform, on_row=on_row, executor=executor, threads=threads)
        return levels, batch.nats

    def draw(
        self,
        batch: SampleBatch,
        inputs: Inputs,
        order: PixelOrder,
        transform: Transform = IDENTITY,
        *,
        on_row: Callable[[int, IntArray], None] | None = None,
        executor: str | None = None,
        threads: int = 1,
    ) -> Int[np.ndarray, "n c h w"]:
        """Draw the unknown sub-pixels of images in the raster frame, in place; return the levels of the images.

        Args:
            batch: the images; see `empty_batch`. Its `params` are filled with log-probabilities, row by row, before
                `on_row` is called.
            inputs, order, transform, on_row: as for `sample_given`.
        """
        report = None if on_row is None else (lambda rows: on_row(rows, order.array_from_raster(batch.levels)))
        runs, executor = self.runs(order, batch.levels, inputs), executor or self.executor
        sample_runs(runs, batch, order, transform, on_row=report, threads=threads, executor=executor)
        return order.array_from_raster(batch.levels)

    def check(self, x: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of images of this model.

        Raises:
            ShapeError: if channels, the size of a model with fixed size, or the levels do not fit.
        """
        self.check_levels(x)
        self.check_size(x.shape[2], x.shape[3])
        return x

    def check_levels(self, x: Int[np.ndarray, "b c h w"]) -> None:
        """Check the channels and levels of images of any size; see `check`."""
        if x.ndim != 4 or x.shape[1] != self.channels or not np.issubdtype(x.dtype, np.integer):
            raise ShapeError(
                f"Levels of shape {x.shape} and type {x.dtype} must be integers (n, {self.channels}, h, w): "
                "convert pictures with `model.to_levels`."
            )
        if x.size and not 0 <= int(x.min()) <= int(x.max()) < self.levels:
            raise ShapeError(
                f"Levels from {x.min()} to {x.max()} must lie in 0 to {self.levels - 1}: "
                "convert pictures with `model.to_levels`."
            )

    def check_size(self, height: int, width: int) -> None:
        """Raise a `ShapeError` for a size that the programs do not know."""
        if self.fixed_size and (height, width) != (self.height, self.width):
            raise ShapeError(
                f"Size {height}x{width} does not fit a model with learned positions, which knows only "
                f"{self.height}x{self.width}: resize the images."
            )


def join_inputs(inputs: Inputs, reference: Inputs) -> dict[str, IntArray]:
    """Return the conditions of images, and then the reference of guidance."""
    return {name: np.concatenate([array, reference[name]]) for name, array in inputs.items()}


def empty_batch(
    uniforms: Float[np.ndarray, "n c h w"],
    order: PixelOrder,
    known: tuple[Int[np.ndarray, "n c h w"], Bool[np.ndarray, "c h w"]] | None = None,
) -> SampleBatch:
    """Make a batch of images that are to be drawn, in the raster frame of an order.

    Args:
        uniforms: in [0, 1).
        known: levels of the images, and which of their sub-pixels are kept: they add no nats. None draws all.
    """
    nothing = np.zeros(uniforms.shape, np.int64), np.zeros(uniforms.shape[1:], bool)
    levels, kept = (order.array_to_raster(array) for array in (nothing if known is None else known))
    u = np.ascontiguousarray(order.array_to_raster(uniforms), np.float64)
    sites = np.array(np.broadcast_to(kept, u.shape))
    return SampleBatch(np.where(kept, levels, 0).astype(np.int64), sites, u, np.zeros(len(u)))
