"""Painting new images: draws by inverse CDF from given uniforms, so that any two samplers can be compared."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ConditionKwargs, Label, labels_from_input, parse_prompts
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.distributions.sampling_transforms import check_guidance, sample_level
from pointillist.engine.memory_check import check_memory
from pointillist.errors import ConfigError, ShapeError
from pointillist.images import ImageSpec
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.ordering import PixelOrder
from pointillist.sampling.loop import Site, autoregressive_loop, resolve_engine

# a sub-pixel, apart from the engine: its uniform, drawn, stacked and turned; its level, painted and turned back
_BYTES = 5 * 8

OnRow = Callable[[int, int, Tensor], None]


@dataclass(frozen=True)
class Samples:
    """Painted images.

    Attributes:
        levels: integers `[n c h w]`.
        nats: log-likelihood of each image under the model at guidance 1 and temperature 1, in nats, `[n]`.
        image: what the integers mean.
        labels: the label each was asked for, `[n]`; -1 for none.
        seed: of the uniforms; None where they were given.
        engine: what painted them.
        order: in which their sub-pixels were painted.
        texts: the prompt of each; None where there was none.
    """

    levels: Int[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    image: ImageSpec
    labels: Int[Tensor, " n"]
    seed: int | None
    engine: str = "numpy"
    order: str = "raster"
    texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def array(self) -> np.ndarray:
        """uint8 pictures `n h w c`."""
        return self.image.to_images(self.levels)

    @property
    def images(self) -> list[Image.Image]:
        """PIL pictures."""
        return self.image.to_pil(self.levels)

    def recoloured(self, palette: Sequence[Sequence[int]]) -> Samples:
        """The same images in other colours; see `ImageSpec.recoloured`."""
        return replace(self, image=self.image.recoloured(palette))

    @property
    def bits_per_dim(self) -> Float[Tensor, " n"]:
        """Bits per sub-pixel of each image under the model."""
        return bits_per_dim(-self.nats, self.levels[0].numel())


def sample(
    model: PixelModel,
    n: int,
    label: Label = None,
    text: Any = None,
    guidance: float = 1.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int | None = None,
    uniforms: Float[Tensor, "n c h w"] | np.ndarray | None = None,
    engine: str = "auto",
    on_row: OnRow | None = None,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 64,
    order: str | None = None,
    threads: int | None = None,
    **further: Unpack[ConditionKwargs],
) -> Samples:
    """Paint `n` images.

    Args:
        label, text, further: what is asked for, one for all or one an image; None paints without. See
            `PixelModel.told`.
        guidance: log p is proportional to log p_u + g (log p_c - log p_u), over the levels of each sub-pixel, with u
            the model that is told nothing; 0 is unconditional, 1 the model.
        temperature: divides log p; 0 always takes the likeliest level.
        top_p: keeps the likeliest levels whose probabilities reach this sum.
        seed: image i depends on (seed, i) alone, not on `n` or `batch_size`; None takes a fresh one.
        uniforms: in [0, 1), one a sub-pixel, instead of a seed.
        engine: `auto`, `cpu`, `cuda`, `cuda-jacobi`, `numpy` or `naive`; see `engines.create_stepper`.
        on_row: called after each row of a stage (each column, where the order goes along columns) with images finished
            before this batch, rows done (sites, in rows of the turned canvas), and the batch's levels.
        size: `(height, width)` instead of the model's own.
        batch_size: images painted at once.
        order: one of the model's orders; None for the usual one. Uniforms belong to places, whatever the order.
        threads: how many share a batch on engine `cpu`; None for as many as torch uses.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
    """
    parts = list(
        stream(
            model, n, label, text, guidance, temperature, top_p, seed, uniforms, engine, on_row,
            size=size, batch_size=batch_size, order=order, threads=threads, **further,
        )
    )  # fmt: skip
    return Samples(
        torch.cat([p.levels for p in parts]),
        torch.cat([p.nats for p in parts]),
        parts[0].image,
        torch.cat([p.labels for p in parts]),
        parts[0].seed,
        parts[0].engine,
        parts[0].order,
        None if parts[0].texts is None else tuple(text for p in parts for text in p.texts or ()),
    )


def stream(
    model: PixelModel,
    n: int,
    label: Label = None,
    text: Any = None,
    guidance: float = 1.0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int | None = None,
    uniforms: Float[Tensor, "n c h w"] | np.ndarray | None = None,
    engine: str = "auto",
    on_row: OnRow | None = None,
    *,
    size: tuple[int, int] | None = None,
    batch_size: int = 64,
    order: str | None = None,
    threads: int | None = None,
    **further: Unpack[ConditionKwargs],
) -> Iterator[Samples]:
    """Like `sample`, in batches as they are finished, so that any number fits in memory."""
    engine = resolve_engine(engine, model.device)
    check_numbers(n, guidance, temperature, top_p, batch_size=batch_size, threads=1 if threads is None else threads)
    height, width = size or (model.image.height, model.image.width)
    if min(height, width) < 1:
        raise ConfigError(f"`size` (={height}x{width}) must be positive in both directions.")
    model.check_size(height, width)
    shape = (model.image.channels, height, width)
    told = model.told(label, n, text, size=(height, width), **further)
    labels, texts = labels_from_input(told.parts.get("label"), n), parse_prompts(text, n)
    seed, uniforms = resolve_uniforms(seed, uniforms, (n, *shape))
    image, walk = model.image.resized(height, width), model.order(order)
    check_memory(math.prod(shape) * min(n, batch_size) * _BYTES, min(n, batch_size), height, width)
    for start in range(0, n, batch_size):
        stop = min(n, start + batch_size)
        u = seeded_uniforms(seed or 0, range(start, stop), shape) if uniforms is None else uniforms[start:stop]
        chooser = UniformSampler(torch.from_numpy(u), guidance, temperature, top_p)
        report = None if on_row is None else (lambda rows, levels, done=start: on_row(done, rows, levels))
        levels = _paint(model, told[start:stop], chooser, (height, width), engine, report, walk, threads)
        said = None if texts is None else tuple(texts[start:stop])
        yield Samples(levels, chooser.nats, image, labels[start:stop], seed, engine, walk.name, said)


def _paint(
    model: PixelModel,
    told: ConditionInputs,
    chooser: UniformSampler,
    size: tuple[int, int],
    engine: str,
    report: Any,
    order: PixelOrder,
    threads: int | None,
) -> Tensor:
    """One batch."""
    count, carried = len(told), chooser.carry(told)
    with inference_mode(model):
        condition = model.condition(carried, len(carried))
        return autoregressive_loop(
            model, condition, chooser, len(carried), *size, engine, report, order=order, threads=threads
        )[:count]


class UniformSampler:
    """Draws a level of every image at a site, and adds up what the model thinks of it."""

    def __init__(self, uniforms: Float[Tensor, "n c h w"], guidance: float, temperature: float, top_p: float) -> None:
        self.uniforms = uniforms
        self.guidance, self.temperature, self.top_p = guidance, temperature, top_p
        self.nats = torch.zeros(len(uniforms), dtype=torch.float64)
        self.guided = False

    def carry(self, told: ConditionInputs) -> ConditionInputs:
        """What the engine's batch is told: under guidance it holds every image twice, told and then untold.

        Both see the same levels. Call it before the first site.
        """
        self.guided = self.guidance != 1.0 and told.anything
        return ConditionInputs.together([told, told.untold()]) if self.guided else told

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Levels for the engine's batch: the images, and once more the images where they are carried twice."""
        uniforms = self.uniforms[:, site.channel, site.row, site.column]
        levels, nats = sample_level(
            log_probs, uniforms, self.guidance, self.temperature, self.top_p, guided=self.guided
        )
        self.nats += nats
        return levels.repeat(2) if self.guided else levels


def check_numbers(
    n: int, guidance: float, temperature: float, top_p: float, *, batch_size: int = 1, threads: int = 1
) -> None:
    """Refuse what cannot be painted with; see `sample`.

    Raises:
        ConfigError: naming the number.
    """
    if min(n, batch_size, threads) < 1:
        raise ConfigError(f"`n` (={n}), `batch_size` (={batch_size}) and `threads` (={threads}) must be at least 1.")
    check_guidance(guidance)
    if not temperature >= 0:
        raise ConfigError(f"`temperature` (={temperature}) must be 0 or more: 1 is the model itself.")
    if not 0 < top_p <= 1:
        raise ConfigError(f"`top_p` (={top_p}) must lie above 0 and at most 1: 1 keeps every level.")


def resolve_uniforms(seed: int | None, uniforms: Any, shape: tuple[int, ...]) -> tuple[int | None, np.ndarray | None]:
    """What draws: a seed, a fresh one where none is given, or else uniforms of this shape.

    Raises:
        ConfigError, ShapeError: if uniforms are out of range or of another shape.
    """
    if uniforms is None:
        return secrets.randbelow(2**31) if seed is None else int(seed), None
    array = np.asarray(uniforms, np.float64)
    if array.shape != shape:
        raise ShapeError(f"`uniforms` of shape {array.shape} must be {shape}: one for each sub-pixel.")
    if array.size and not (array.min() >= 0 and array.max() < 1):
        raise ConfigError(f"`uniforms` from {array.min():g} to {array.max():g} must lie in [0, 1).")
    return None, array


def seeded_uniforms(seed: int, images: Iterable[int], shape: tuple[int, ...]) -> Float[np.ndarray, "n c h w"]:
    """The uniforms of some images of a seed: image i depends on (seed, i) alone.

    Raises:
        ConfigError: if the seed is negative.
    """
    if seed < 0:
        raise ConfigError(f"`seed` (={seed}) must be 0 or more.")
    return np.stack([np.random.default_rng([seed, i]).random(shape) for i in images])
