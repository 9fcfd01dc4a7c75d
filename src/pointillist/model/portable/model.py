"""An integer model: the integer programs of a pixel model with its orders and conditions. Neither needs torch.

It is a separate model. Its likelihood is given by its integer frequencies, exactly normalised: near the
likelihood of the model it was made from, but not equal to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.label import Label
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.batch import SampleBatch
from pointillist.engine.executors import Inputs, decode_images, intervals_of_images, open_steps, params_of_images
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.range_decoder import RangeDecoder
from pointillist.engine.particles import CERTAIN, DRAWN, ParticleBatch
from pointillist.engine.program import IntArray, Program
from pointillist.engine.sampler import draw_particles, sample_batch
from pointillist.engine.stepper import ProgramStepper
from pointillist.errors import ShapeError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder, resolve_order
from pointillist.images.spec import sum_images
from pointillist.model.portable.conditions import IntegerPart, StoredConditions, encode_inputs

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """Integer programs, and what is needed to run them.

        integer_model = pointillist.model.portable.load("my-model")
        integer_model.log_prob(levels)  # levels: integers [n, c, h, w]; nats, float64 [n]

    Attributes:
        channels, height, width, levels: of its images.
        fixed_size: whether they have this size only.
        programs: one for each group of orders that share it.
        orders: names of its generation orders, with the number of the program of each.
        parts: parts of the condition for each program, in the order of their channels.
        source: hash of the weights that the model was made from; empty if unknown.
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
        return self.programs[self.orders[order.name]]

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
        program, levels, inputs, order = self._scored(x, inputs, order)
        starts, sizes = intervals_of_images(program, levels, inputs, executor or self.executor, threads)
        return order.array_from_raster(starts), order.array_from_raster(sizes)

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
        program, levels, inputs, order = self._scored(x, inputs, order)
        params = params_of_images(program, levels, inputs, executor or self.executor, threads)
        return np.moveaxis(order.array_from_raster(np.moveaxis(params, 3, 1)), 1, 3)

    def _scored(
        self, x: Int[np.ndarray, "b c h w"], inputs: Inputs | None, order: PixelOrder | None
    ) -> tuple[Program, Int[np.ndarray, "b c h w"], Inputs, PixelOrder]:
        """Return the program of an order, images in its raster frame, and their conditions."""
        order = self.order() if order is None else order
        inputs = self.inputs(len(x), (x.shape[2], x.shape[3]), order) if inputs is None else inputs
        return self.program(order), np.ascontiguousarray(order.array_to_raster(self.check(x)), np.int64), inputs, order

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
    ) -> ProgramStepper:
        """Open the model at the first sub-pixel of images, in generation order: for decoding, and for sampling.

        steps = integer_model.steps(batch=1)
        while not steps.done:
            steps.observe(choose(steps.frequencies()))  # [1, levels] -> [1]
        """
        order = self.order() if order is None else order
        size = (self.height, self.width) if size is None else size
        self.check_size(*size)
        inputs = self.inputs(batch, size, order) if inputs is None else inputs
        return open_steps(self.program(order), batch, *order.raster_size(*size), inputs, executor or self.executor)

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
        decode_images(self.program(order), levels, coded, decoders, decoder_of, inputs, self.executor)
        return order.array_from_raster(levels)

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
            batch: the images; see `empty_batch`. Before `on_row` is called, rows of `params` have log-probabilities.
            on_row: called with the rows done (in rows of the raster frame) and the levels so far.
            inputs: conditions as integers; under guidance of the images, and then of the reference.
            order: generation order.
            transform: guidance, temperature and top-p.
        """
        levels = batch.levels
        if batch.mask is not None:
            frames = (order.array_from_raster(array) for array in (levels, np.asarray(batch.known[0].all(0))))
            batch.mask.begin_stage(order, (1, 1), *frames)
        report = None if on_row is None else _report(levels, levels.copy(), order, on_row)
        executor = executor or self.executor
        sample_batch(self.program(order), inputs, batch, transform, on_row=report, threads=threads, executor=executor)
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
            frames = (order.array_from_raster(array) for array in (levels, (batch.roles == CERTAIN).all(0)))
            mask.begin_stage(order, (1, 1), *frames)
        shown = np.where(batch.roles == DRAWN, 0, levels)
        report = None if on_row is None else _report(levels, shown, order, on_row)
        draw_particles(self.program(order), inputs, batch, transform, mask=mask, on_row=report, executor=self.executor)
        return order.array_from_raster(levels)

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
        if self.fixed_size:
            check_trained_size((self.height, self.width), height, width)


def check_trained_size(trained: tuple[int, int], height: int, width: int) -> None:
    """Raise a `ShapeError` for another size than the trained one, of a model that knows no other."""
    if (height, width) != trained:
        raise ShapeError(
            f"Size {height}x{width} does not fit a model with learned positions, which knows only "
            f"{trained[0]}x{trained[1]}: resize the images."
        )


def _report(
    levels: IntArray, shown: IntArray, order: PixelOrder, on_row: Callable[[int, IntArray], None]
) -> Callable[[int], None]:
    """Return what reports finished rows; the library draws on, so later ones are shown as they were."""

    def finished(rows: int) -> None:
        shown[:, :, :rows] = levels[:, :, :rows]
        on_row(rows, order.array_from_raster(shown))

    return finished


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
    levels, certain = (order.array_to_raster(array) for array in (nothing if known is None else known))
    u = np.ascontiguousarray(order.array_to_raster(uniforms), np.float64)
    sites = np.array(np.broadcast_to(certain, u.shape), order="C")
    return SampleBatch(np.array(np.where(certain, levels, 0), np.int64, order="C"), sites, u, np.zeros(len(u)))
