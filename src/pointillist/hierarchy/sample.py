"""Sample a hierarchy: each scale by the engines of its pixel model, from coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pointillist.conditioning import ConditionReaders
from pointillist.conditioning.inputs import has_prompt
from pointillist.conditioning.label import label_numbers
from pointillist.errors import ShapeError
from pointillist.files.checkpoint.header import not_for_hierarchies
from pointillist.hierarchy.chain import Chain
from pointillist.hierarchy.config import PIXELS, scale_of
from pointillist.hierarchy.data import Pyramid
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.images import to_pictures
from pointillist.images.array_types import Float, Int
from pointillist.model.pixel_model import PixelModel
from pointillist.model.protocols import GenerativeModel
from pointillist.sampling.api import SamplePlan
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.generative import DrawnImages, ImageNumbers, ImageRequest, OnRow
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import seeded_uniforms
from pointillist.training.integers import SampleWriter
from pointillist.visualization import image_grid, save_png

_FOR_ALL = ("temperature", "top_p", "engine", "threads")
_FOR_COARSEST = ("guidance", "negative_prompt")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class HierarchySamples(Samples):
    """Sampled images with their codes.

    ```python
    samples = hierarchy.sample(4, seed=0)
    samples.codes["codes"].shape  # (4, 1, 16, 16)
    ```

    Attributes:
        nats: log p(codes) + log p(x | codes), in nats: a lower bound on log p(x); not a number for images that the
            deterministic decoder made, which have no likelihood.
        codes: grids by scale, coarse to fine.
        nats_by_scale: log-likelihood of each scale given the scales before it, in nats, `[n]`.
        decoded: whether the deterministic decoder made the images.
    """

    codes: Mapping[str, Int[np.ndarray, "n 1 _ _"]]
    nats_by_scale: Mapping[str, Float[np.ndarray, " n"]]
    decoded: bool

    @classmethod
    def concat(cls, parts: Sequence[HierarchySamples]) -> HierarchySamples:
        """Join batches of one hierarchy."""
        joined = super().concat(parts)
        return replace(
            joined,
            codes={name: np.concatenate([part.codes[name] for part in parts]) for name in joined.codes},
            nats_by_scale={
                name: np.concatenate([part.nats_by_scale[name] for part in parts]) for name in joined.nats_by_scale
            },
        )


def sample_batches(
    hierarchy: GenerativeModel, n: int, *, first: int = 0, **arguments: Any
) -> Iterator[HierarchySamples]:
    """Sample `n` images batch by batch, with their codes; see `Hierarchy.sample`.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
    """
    plan = SamplePlan.of(hierarchy, n, **arguments)
    sampler = plan.sampler
    assert isinstance(sampler, HierarchySampler)
    for start in range(first, n, plan.config.batch_size):
        images = range(start, min(n, start + plan.config.batch_size))
        texts = None if plan.texts is None else tuple(plan.texts[images.start : images.stop])
        yield replace(sampler.samples(images, plan.uniforms), texts=texts)


class HierarchySampler:
    """Images of a hierarchy, each scale sampled by its pixel model, from coarse to fine; see `ImageSampler`.

    Raises:
        ConfigError, ShapeError: if a setting is not for hierarchies, or the size does not fit the codes.
    """

    chain: Chain
    request: ImageRequest
    sizes: dict[str, tuple[int, int]]

    def __init__(self, chain: Chain, request: ImageRequest) -> None:
        config, order = request.config, chain.order(request.config.order)
        for name, value in (
            ("best_of", None if config.best_of == 1 else config.best_of),
            ("rules", config.rules),
            ("hint", request.conditions.get("hint")),
        ):
            if value is not None:
                raise not_for_hierarchies(name, value)
        self.config: SamplingConfig = replace(config, order=order.name)
        self.chain, self.request, self.sizes = chain, request, scale_sizes(chain, request.size)
        self.labels: np.ndarray = label_numbers(request.label, chain.classes, request.n)

    @property
    def conditions(self) -> ConditionReaders:
        """Conditions of the coarsest scale, which takes all."""
        return self.chain.codes[-1].conditions

    @property
    def is_conditional(self) -> bool:
        """True if any image has a condition, prompts aside."""
        return self._has_condition({"label": self.request.label, **self.request.conditions}, self.request.n)

    def _has_condition(self, values: Mapping[str, Any], n: int) -> bool:
        """Return True if the coarsest scale is conditioned on a value of any of `n` images."""
        size, texts = next(iter(self.sizes.values())), values.get("text")
        others = {name: value for name, value in values.items() if name != "text"}
        return has_prompt(texts) or self.conditions.inputs(count=n, size=size, **others).is_conditional

    def batch(self, start: int, stop: int) -> HierarchyBatch:
        """Prepare the images `start .. stop`."""
        return HierarchyBatch(self, range(start, stop))

    def samples(self, images: range, uniforms: ImageNumbers, on_row: OnRow | None = None) -> HierarchySamples:
        """Sample some images as one batch, with their codes.

        Args:
            uniforms: of a seed, from which the seed of each scale follows.
        """
        if uniforms.seed is None:
            raise not_for_hierarchies("uniforms", None)
        n, chain = self.request.n, self.chain
        settings = {name: getattr(self.config, name) for name in _FOR_ALL}
        coarsest = {name: _part(getattr(self.config, name), images, n) for name in _FOR_COARSEST}
        conditions = {"label": self.request.label, "text": self.request.text, **self.request.conditions}
        values = {name: _part(value, images, n) for name, value in conditions.items()}
        if not (has_prompt(coarsest["negative_prompt"]) or self._has_condition(values, len(images))):
            del coarsest["guidance"]  # images of this batch have nothing to follow
        grids: dict[str, np.ndarray] = {}
        nats: dict[str, np.ndarray] = {}
        last: Samples | None = None
        for position, (name, model) in enumerate(chain.models.items()):
            shape, size = (model.image.channels, *self.sizes[name]), self.sizes[name]
            keywords = {**settings, **(coarsest if position == 0 else {})}
            report = None if on_row is None or name != PIXELS else (lambda _, rows, levels: on_row(rows, levels))
            plan = SamplePlan.of(
                model,
                len(images),
                uniforms=seeded_uniforms(scale_seed(uniforms.seed, position), images, shape),
                size=size,
                batch_size=len(images),
                **keywords,
                **chain.conditions_of(model, name, values),
                **chain.hint(name, {scale: torch.from_numpy(codes) for scale, codes in grids.items()}, size),
            )
            last = plan.sample(report)
            nats[name] = last.nats
            if name != PIXELS:
                grids[name] = last.levels
        assert last is not None
        decoded = chain.pixels is None and bool(chain.tokenizers)
        total = np.stack(list(nats.values())).sum(0)
        labels = self.labels[images.start : images.stop]
        values = {field.name: getattr(last, field.name) for field in fields(Samples)}
        values |= {"nats": total, "labels": labels, "seed": uniforms.seed, "texts": None}
        if decoded:
            levels = chain.decode({scale: torch.from_numpy(codes) for scale, codes in grids.items()}).cpu().numpy()
            image = chain.image.resized(levels.shape[2], levels.shape[3])
            values |= {"levels": levels, "image": image, "nats": np.full_like(total, np.nan), "engine": "decoder"}
        return HierarchySamples(**values, codes=grids, nats_by_scale=nats, decoded=decoded)


class HierarchyBatch:
    """A batch of images of a hierarchy; see `BatchSampler`."""

    def __init__(self, sampler: HierarchySampler, images: range) -> None:
        self._sampler, self._images = sampler, images
        self.labels: np.ndarray = sampler.labels[images.start : images.stop]

    def draw(
        self, rows: Int[np.ndarray, " m"], uniforms: ImageNumbers, mask: Any = None, on_row: OnRow | None = None
    ) -> DrawnImages:
        """Draw all images of the batch; without rules, none is drawn by itself."""
        assert len(rows) == len(self._images)
        assert mask is None
        samples = self._sampler.samples(self._images, uniforms, on_row)
        return DrawnImages(samples.levels, samples.nats)

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Raise: without `best_of` it is not asked for."""
        raise not_for_hierarchies("best_of", None)


def scale_sizes(chain: Chain, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return height and width of the grid of each scale, coarse to fine, for images of a size.

    Args:
        size: height and width of the images, or of the finest codes without images.

    Raises:
        ShapeError: if the codes of a scale do not cover such images.
    """
    image = chain.image
    result = {}
    for name, model in chain.models.items():
        grid = model.image
        height, width = size[0] * grid.height, size[1] * grid.width
        if height % image.height or width % image.width or min(height // image.height, width // image.width) < 1:
            raise ShapeError(
                f"`size` (={size[0]}x{size[1]}) does not fit the {grid.height}x{grid.width} codes of images of "
                f"{image.height}x{image.width}: give multiples of {image.height // grid.height} pixels."
            )
        result[name] = (height // image.height, width // image.width)
    return result


def scale_seed(seed: int, position: int) -> int:
    """Derive the seed of a scale, which is the `position`-th from the coarsest."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


def _part(value: Any, images: range, n: int) -> Any:
    """Return the values of some of `n` images, if each has one."""
    rows = isinstance(value, (list, tuple)) or (hasattr(value, "ndim") and value.ndim in (1, 2))
    if isinstance(value, Mapping):
        return {name: _part(inner, images, n) for name, inner in value.items()}
    if rows and len(value) == n and not (getattr(value, "ndim", 1) == 1 and n == 1):
        return value[images.start : images.stop]
    return value


SHOWN = 8
"""Images of a sheet."""


def sheet_writer(stage: str, pyramid: Pyramid, tokenizers: Sequence[Tokenizer]) -> SampleWriter:
    """Return the function that writes the sheets of a stage.

    Args:
        stage: `codes` of a scale, or `pixels`.
        pyramid: images with their codes, of which the first condition the samples.
        tokenizers: those that decode codes; without them, codes are not shown.
    """

    def write(model: PixelModel, folder: Path, step: int) -> None:
        data = pyramid.of_stage(stage, model.config.conditions)
        count = min(SHOWN, len(data))
        hints = data.batch(np.arange(count)).hints
        shown = data.spec if stage == PIXELS else tokenizers[0].config.image if tokenizers else None
        if shown is None or not shown.is_displayable or not count:
            return
        conditions: dict[str, Any] = {} if hints is None else {"hint": hints}
        samples = SamplePlan.of(model, count, seed=0, **conditions).sample()
        if stage == PIXELS:
            pictures = to_pictures(shown, np.concatenate([data.batch(np.arange(count)).levels, samples.levels]))
        else:
            levels = torch.from_numpy(samples.levels)
            for tokenizer in reversed(tokenizers[: scale_of(stage)]):
                levels = tokenizer.decode(levels).cpu()
            pictures = to_pictures(shown, levels.numpy())
        save_png(image_grid(pictures, columns=count), folder / f"step-{step:07d}.png")

    return write
