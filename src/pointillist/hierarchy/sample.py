"""Sample a hierarchy: each scale by the engines of its pixel model, from coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.data import parse_size
from pointillist.errors import ConfigError, ShapeError
from pointillist.hierarchy.chain import Chain
from pointillist.hierarchy.config import PIXELS
from pointillist.sampling.api import OnBatchRow, sample
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import check_count, resolve_uniforms, seeded_uniforms

_FOR_ALL = ("temperature", "top_p", "engine", "threads")
_FOR_COARSEST = ("guidance", "negative_prompt")
_REJECTED = {
    "best_of": 1, "rules": None, "hint": None, "seamless": None, "uniforms": None, "order": None, "known": None
}  # fmt: skip
"""Settings of `sample` that a hierarchy does not take, with the value that asks for nothing."""


@dataclass(frozen=True, kw_only=True, repr=False)
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

    codes: Mapping[str, Int[Tensor, "n 1 _ _"]]
    nats_by_scale: Mapping[str, Float[Tensor, " n"]]
    decoded: bool

    def __repr__(self) -> str:
        return f"Hierarchy{super().__repr__()}"

    @classmethod
    def concat(cls, parts: Sequence[Samples]) -> HierarchySamples:
        """Join batches of one hierarchy."""
        own = [part for part in parts if isinstance(part, HierarchySamples)]
        joined = super().concat(own)
        assert isinstance(joined, HierarchySamples)
        return replace(
            joined,
            codes={name: torch.cat([part.codes[name] for part in own]) for name in joined.codes},
            nats_by_scale={
                name: torch.cat([part.nats_by_scale[name] for part in own]) for name in joined.nats_by_scale
            },
        )


def sample_batches(
    chain: Chain,
    n: int,
    *,
    seed: int | None = None,
    size: int | str | tuple[int, int] | None = None,
    first: int = 0,
    batch_size: int = 64,
    on_row: OnBatchRow | None = None,
    **settings: Any,
) -> Iterator[HierarchySamples]:
    """Sample `n` images batch by batch; see `Hierarchy.sample`.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
    """
    check_count(n)
    for name, nothing in _REJECTED.items():
        value = settings.pop(name, nothing)
        if value is not nothing and value != nothing:
            raise ConfigError(
                f"`{name}` (={value}) is not for hierarchies, whose scales are sampled in turn: leave it out."
            )
    SamplingConfig(batch_size=batch_size, **{k: v for k, v in settings.items() if k in (*_FOR_ALL, *_FOR_COARSEST)})
    seed, _ = resolve_uniforms(seed, None, ())
    assert seed is not None
    sizes = scale_sizes(chain, None if size is None else parse_size(size))
    for start in range(first, n, batch_size):
        yield _draw(chain, range(start, min(n, start + batch_size)), n, seed, sizes, settings, on_row)


def scale_sizes(chain: Chain, size: tuple[int, int] | None) -> dict[str, tuple[int, int]]:
    """Return height and width of the grid of each scale, coarse to fine, for images of a size.

    Args:
        size: height and width of the images, or of the finest codes where there are no images; None for the trained
            size.

    Raises:
        ShapeError: if the codes of a scale do not cover such images.
    """
    image = chain.image
    size = size or (image.height, image.width)
    result = {}
    for name, model in chain.models.items():
        own = model.image
        height, width = size[0] * own.height, size[1] * own.width
        if height % image.height or width % image.width or min(height // image.height, width // image.width) < 1:
            raise ShapeError(
                f"`size` (={size[0]}x{size[1]}) does not fit the {own.height}x{own.width} codes of images of "
                f"{image.height}x{image.width}: give multiples of {image.height // own.height} pixels."
            )
        result[name] = (height // image.height, width // image.width)
    return result


def scale_seed(seed: int, position: int) -> int:
    """Derive the seed of a scale, which is the `position`-th from the coarsest."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


def _draw(
    chain: Chain,
    images: range,
    n: int,
    seed: int,
    sizes: Mapping[str, tuple[int, int]],
    settings: Mapping[str, Any],
    on_row: OnBatchRow | None,
) -> HierarchySamples:
    """Sample some of `n` images as one batch."""
    count = len(images)
    grids: dict[str, Tensor] = {}
    nats: dict[str, Tensor] = {}
    given = {k: _part(v, images, n) for k, v in settings.items() if k not in _FOR_ALL and k not in _FOR_COARSEST}
    last: Samples | None = None
    labels = torch.full((count,), -1)
    for position, (name, model) in enumerate(chain.models.items()):
        shape = (model.image.channels, *sizes[name])
        how = {k: v for k, v in settings.items() if k in _FOR_ALL and v is not None}
        if position == 0:
            how |= {k: _part(settings[k], images, n) for k in _FOR_COARSEST if settings.get(k) is not None}
        if on_row is not None and name == PIXELS:
            how["on_row"] = lambda _, rows, levels: on_row(images.start, rows, levels)
        last = sample(
            model, count, uniforms=seeded_uniforms(scale_seed(seed, position), images, shape), size=sizes[name],
            batch_size=count, **how, **chain.conditions_of(model, name, given), **chain.hint(name, grids, sizes[name]),
        )  # fmt: skip
        nats[name] = last.nats.double()
        labels = last.labels if position == 0 else labels
        if name != PIXELS:
            grids[name] = last.levels
    assert last is not None
    decoded = chain.pixels is None and bool(chain.tokenizers)
    total = torch.stack(list(nats.values())).sum(0)
    own = {name: getattr(last, name) for name in Samples.__dataclass_fields__}
    own |= {"nats": total, "labels": labels, "seed": seed, "texts": _texts(settings.get("text"), images, n)}
    if decoded:
        levels = chain.decode(grids).cpu()
        image = chain.image.resized(levels.shape[2], levels.shape[3])
        own |= {"levels": levels, "image": image, "nats": torch.full_like(total, torch.nan), "engine": "decoder"}
    return HierarchySamples(**own, codes=grids, nats_by_scale=nats, decoded=decoded)


def _part(value: Any, images: range, n: int) -> Any:
    """Return the values of some of `n` images, where there is one for each."""
    rows = isinstance(value, (list, tuple)) or (hasattr(value, "ndim") and value.ndim in (1, 2))
    if isinstance(value, Mapping):
        return {name: _part(inner, images, n) for name, inner in value.items()}
    if rows and len(value) == n and not (getattr(value, "ndim", 1) == 1 and n == 1):
        return value[images.start : images.stop]
    return value


def _texts(text: Any, images: range, n: int) -> tuple[str, ...] | None:
    if text is None:
        return None
    part = _part(text, images, n)
    return (part,) * len(images) if isinstance(part, str) else tuple(part)
