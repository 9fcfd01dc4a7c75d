"""What if this pixel were another: later distributions, total bits, and how the image might have gone on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, QueryKwargs
from pointillist.analysis.surprisal import SurprisalMaps, maps_of
from pointillist.conditioning import Label
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec, channel_names
from pointillist.model.arguments import check_site
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import Samples, seeded_uniforms
from pointillist.sampling.completion import complete
from pointillist.sampling.config import SamplingConfig
from pointillist.visualization import heat_map, image_grid, png_bytes

Place = tuple[int, int] | tuple[int, int, int]


@dataclass(frozen=True)
class PixelEdit:
    """A sub-pixel that is set: where, to what, and what it was."""

    row: int
    column: int
    channel: int
    level: int
    was: int


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """An image with some sub-pixels set, beside the image as it is.

    Attributes:
        changes: what was set.
        levels: the changed image, `[c h w]`.
        before, after: bits of the image as it is, and of the changed one, all else left as it is.
        shift: how far the distribution of each sub-pixel moved, in bits: the divergence (Kullback-Leibler) from what it
            was to what it is, `[c h w]`. 0 up to the first change: nothing before it can know.
        kept: sub-pixels that the continuations keep: what was painted before the first change, and the changes.
        as_it_was, as_changed: continuations from there, drawn from the same uniforms; None where none were asked for.
        spec: what the levels mean.
        names: of the channels.
    """

    changes: tuple[PixelEdit, ...]
    levels: np.ndarray = field(repr=False)
    before: SurprisalMaps = field(repr=False)
    after: SurprisalMaps = field(repr=False)
    shift: Float[np.ndarray, "c h w"] = field(repr=False)
    kept: Bool[np.ndarray, "c h w"] = field(repr=False)
    as_it_was: Samples | None = field(repr=False)
    as_changed: Samples | None = field(repr=False)
    spec: ImageSpec = field(repr=False)
    names: tuple[str, ...] = ()

    @property
    def bits_change(self) -> float:
        """What the change costs the image, in bits: what the set pixels cost more, and what they do to later ones."""
        return self.after.bits - self.before.bits

    def picture(self) -> Image.Image:
        """Continuations: the image as it was above, as changed below."""
        if self.as_it_was is None or self.as_changed is None:
            raise ConfigError("No continuations were asked for: call `what_if` with `n` of at least 1.")
        rows = np.concatenate([self.as_it_was.array, self.as_changed.array])
        return image_grid(rows, columns=len(self.as_changed))

    def shift_image(self) -> Image.Image:
        """How far each distribution moved, on the model's scale of bits."""
        return heat_map(self.shift, top=self.before.top, unit="bits of divergence", captions=self.names)

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the whole image."""
        return {
            "changes": [vars(change) for change in self.changes],
            "bits_before": self.before.bits,
            "bits_after": self.after.bits,
            "bits_change": self.bits_change,
            "shift": float(self.shift.sum()),
        }

    def _repr_png_(self) -> bytes:
        return png_bytes(self.shift_image() if self.as_changed is None else self.picture())


def what_if(
    model: PixelModel,
    image: Any,
    changes: Mapping[Place, int],
    label: Label = None,
    text: Any = None,
    *,
    n: int = 4,
    seed: int = 0,
    engine: str = "auto",
    **further: Unpack[QueryKwargs],
) -> Counterfactual:
    """Set sub-pixels of an image and see what follows.

    Args:
        image, label, text, further: as for `bit_maps`.
        changes: the new level of each place, (row, column) where there is one channel, or (row, column, channel).
        n: continuations of each kind; 0 for none.
        seed, engine: of the continuations, as for `sample`.

    Raises:
        ConfigError: if a place or a level does not exist, or nothing changes.
        ShapeError, DataError, EngineError: as `bit_maps` and `sample`.
    """
    return what_if_of(ImageQuery.of(model, image, label, text, **further), changes, n=n, seed=seed, engine=engine)


def what_if_of(
    asked: ImageQuery,
    changes: Mapping[Place, int],
    *,
    n: int = 4,
    seed: int = 0,
    engine: str = "auto",
    maps: SurprisalMaps | None = None,
) -> Counterfactual:
    """What follows for a question that is checked; `maps` are its own, if they are known."""
    found = tuple(_change(asked, place, level) for place, level in changes.items())
    if all(change.level == change.was for change in found):
        raise ConfigError("`changes` must set at least one sub-pixel to another level than it has.")
    x = asked.x.clone()
    for c in found:
        x[0, c.channel, c.row, c.column] = c.level
    changed = asked.replaced(x)
    first = min(int(asked.places[c.channel, c.row, c.column]) for c in found if c.level != c.was)
    kept = asked.places < first
    for c in found:
        kept[c.channel, c.row, c.column] = True
    goes_on = [_goes_on(q, kept, n, seed, engine) for q in (asked, changed) if n > 0]
    return Counterfactual(
        changes=found,
        levels=changed.levels,
        before=maps_of(asked) if maps is None else maps,
        after=maps_of(changed),
        shift=_shift(asked, changed, first),
        kept=kept,
        as_it_was=goes_on[0] if goes_on else None,
        as_changed=goes_on[1] if goes_on else None,
        spec=asked.model.image.resized(*asked.shape[1:]),
        names=channel_names(asked.model.image),
    )


def _goes_on(asked: ImageQuery, kept: Bool[np.ndarray, "c h w"], n: int, seed: int, engine: str) -> Samples:
    """Continuations of an image from what is kept."""
    uniforms = seeded_uniforms(seed, range(n), asked.shape)
    config = SamplingConfig(engine=engine, order=asked.order.name)
    found = complete(asked.model, asked.x, kept, asked.told[np.zeros(n, np.int64)], uniforms, config)
    return replace(found, seed=seed)


def _change(asked: ImageQuery, place: Place, level: int) -> PixelEdit:
    channels = asked.shape[0]
    if len(place) == 2 and channels > 1:
        raise ConfigError(
            f"`changes` at {place} must name a channel too, (row, column, channel): there are {channels}."
        )
    row, column, channel = (*place, 0)[:3]
    check_site(asked.model, row, column, channel, asked.shape[1:])
    if not 0 <= level < asked.model.image.levels:
        raise ConfigError(f"`changes` at {place} (={level}) must be a level from 0 to {asked.model.image.levels - 1}.")
    return PixelEdit(row, column, channel, int(level), int(asked.x[0, channel, row, column]))


def _shift(asked: ImageQuery, changed: ImageQuery, first: int) -> np.ndarray:
    """KL divergence at every sub-pixel after the first change; what comes before it is 0 by construction."""
    shift = np.zeros(asked.shape)
    with inference_mode(asked.model):
        params = asked.params, changed.params
        for channel in range(asked.shape[0]):
            pairs = zip(asked.tables(params[0], channel), changed.tables(params[1], channel), strict=True)
            for (rows, usual), (_, moved) in pairs:
                usual, moved = usual.clamp(min=-1e4), moved.clamp(min=-1e4)
                divergence = (usual.exp() * (usual - moved)).sum(0).clamp(min=0) / NATS_PER_BIT
                shift[channel, rows] = divergence.cpu().numpy()
    return np.where(asked.places > first, shift, 0.0)
