"""Counterfactuals: set some sub-pixels to other levels, and compare later distributions, bits and continuations.

Needs no torch for a model that is opened by its integer program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from pointillist.analysis.distribution import divergence
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import SurprisalMaps, surprisal_maps
from pointillist.completion.sequential import complete_sequentially
from pointillist.errors import ConfigError
from pointillist.files.arrays import Summary
from pointillist.images import ImageSpec, channel_names
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.visualization import heat_map, image_grid, png_bytes
from pointillist.sampling.request import Request
from pointillist.sampling.samples import Samples

SitePosition = tuple[int, int] | tuple[int, int, int]  # row, column and, where there are several, channel
Edits = Mapping[SitePosition, int]


@dataclass(frozen=True)
class PixelEdit(Summary):
    """A sub-pixel that is set to a level: its position, the new level and the old one.

    ```python
    counterfactual(query, {(3, 4): 9}).edits[0].level  # 9
    ```
    """

    _summary = "row column channel level old_level"

    row: int
    column: int
    channel: int
    level: int
    old_level: int


@dataclass(frozen=True, eq=False)
class Counterfactual(Summary):
    """An image with some sub-pixels edited, next to the original.

    ```python
    change = counterfactual(ImageQuery.of(model, x), {(3, 4): 9})
    change.bits_change
    change.shift.max()
    ```

    Attributes:
        edits: the sub-pixels that were set.
        levels: levels of the edited image, `[c h w]`.
        before, after: surprisal maps of the original and of the edited image.
        shift: Kullback-Leibler divergence of each sub-pixel's distribution in the original from that in the edited
            image, in bits, `[c h w]`. It is 0 up to the first edit, which nothing before it can depend on.
        fixed_mask: sub-pixels that the continuations keep, `[c h w]`: all before the first edit, and the edits.
        original_continuations, edited_continuations: samples of the rest of either image, drawn with the same uniforms;
            None if none were requested.
        spec: meaning of the levels.
        names: names of the channels.
    """

    _summary = "edits bits_before=before.bits bits_after=after.bits bits_change shift=shift.sum"

    edits: tuple[PixelEdit, ...]
    levels: Int[np.ndarray, "c h w"] = field(repr=False)
    before: SurprisalMaps = field(repr=False)
    after: SurprisalMaps = field(repr=False)
    shift: Float[np.ndarray, "c h w"] = field(repr=False)
    fixed_mask: Bool[np.ndarray, "c h w"] = field(repr=False)
    original_continuations: Samples | None = field(repr=False)
    edited_continuations: Samples | None = field(repr=False)
    spec: ImageSpec = field(repr=False)
    names: tuple[str, ...] = ()

    @property
    def bits_change(self) -> float:
        """Bits of the edited image minus bits of the original, from the edits and their effect on later levels."""
        return self.after.bits - self.before.bits

    def continuations_image(self) -> Image.Image:
        """Draw the continuations: of the original above, of the edited image below.

        Raises:
            ConfigError: if there are none.
        """
        if self.original_continuations is None or self.edited_continuations is None:
            raise ConfigError("There are no continuations (`n` was 0): call `counterfactual` with `n` of at least 1.")
        rows = np.concatenate([self.original_continuations.array, self.edited_continuations.array])
        return image_grid(rows, columns=len(self.edited_continuations))

    def shift_image(self) -> Image.Image:
        """Draw the divergence at each sub-pixel, on the model's colour scale of bits."""
        return heat_map(self.shift, top=self.before.color_max, unit="bits of divergence", captions=self.names)

    def _repr_png_(self) -> bytes:
        return png_bytes(self.shift_image() if self.edited_continuations is None else self.continuations_image())


def check_edits(query: ImageQuery, edits: Edits) -> tuple[PixelEdit, ...]:
    """Check edits of an image, without running the network.

    Raises:
        ConfigError: if a position or a level does not exist, or no level changes.
    """
    checked = tuple(_edit(query, position, level) for position, level in edits.items())
    if all(edit.level == edit.old_level for edit in checked):
        there = f": {checked[0].level} is the level that is there" if len(checked) == 1 else ""
        raise ConfigError(f"`edits` must set at least one sub-pixel to another level than it has{there}.")
    return checked


def counterfactual(
    query: ImageQuery, edits: Edits, *, n: int = 4, seed: int = 0, engine: str = "auto"
) -> Counterfactual:
    """Set sub-pixels of an image to other levels and compute the consequences.

    Args:
        edits: the new level by position: (row, column) for one channel, or (row, column, channel).
        n: continuations of the original and of the edited image; 0 for none.
        seed: seed of the continuations, as for `sample`.
        engine: engine of the continuations, as for `sample`; `auto` for the engine of the query.

    Raises:
        ConfigError: if a position or a level does not exist, or no level changes.
        EngineError: as `sample`.

    Example::

        result = counterfactual(ImageQuery.of(model, x, label="6"), {(3, 4): 9})
        result.bits_change  # bits
        result.edited_continuations.levels  # [n c h w]
    """
    checked = check_edits(query, edits)
    effective = [edit for edit in checked if edit.level != edit.old_level]
    x = query.x.copy()
    for edit in checked:
        x[0, edit.channel, edit.row, edit.column] = edit.level
    edited = query.changed(x=x)
    first = min(int(query.order_index[edit.channel, edit.row, edit.column]) for edit in effective)
    fixed = query.order_index < first
    for edit in checked:
        fixed[edit.channel, edit.row, edit.column] = True
    key = ("continuations", fixed.tobytes(), n, seed, engine)  # edits of the same sub-pixels share the original's
    return Counterfactual(
        edits=checked,
        levels=edited.levels,
        before=surprisal_maps(query),
        after=surprisal_maps(edited),
        shift=_shift(query, edited, first),
        fixed_mask=fixed,
        original_continuations=query.cached(key, lambda: _continuations(query, fixed, n, seed, engine)),
        edited_continuations=_continuations(edited, fixed, n, seed, engine),
        spec=query.model.image.resized(*query.shape[1:]),
        names=channel_names(query.model.image),
    )


def _continuations(
    query: ImageQuery, fixed: Bool[np.ndarray, "c h w"], n: int, seed: int, engine: str
) -> Samples | None:
    if n <= 0:
        return None
    request = Request(
        n=n,
        settings={"engine": query.engine if engine == "auto" else engine, "order": query.order.name},
        seed=seed,
        known=(query.x, fixed),
        method="sequential",
    )
    draws = request.resolve(query.model, at_once=True)
    draws = replace(draws, inputs=query.conditions[np.zeros(n, np.int64)])
    drawn, _ = complete_sequentially(draws)
    return Samples(levels=drawn.levels, nats=drawn.nats, **draws.facts())


def _edit(query: ImageQuery, position: SitePosition, level: int) -> PixelEdit:
    channels, levels = query.shape[0], query.model.image.levels
    if len(position) == 2 and channels > 1:
        raise ConfigError(
            f"`edits` at {position} must name a channel, (row, column, channel): the image has {channels} channels."
        )
    row, column, channel = (*position, 0)[:3]
    query.model.image.check_site(row, column, channel, query.shape[1:])
    if not 0 <= level < levels:
        raise ConfigError(f"`edits` at {position} (={level}) must be a level from 0 to {levels - 1}.")
    return PixelEdit(row, column, channel, int(level), int(query.x[0, channel, row, column]))


def _shift(query: ImageQuery, edited: ImageQuery, first: int) -> Float[np.ndarray, "c h w"]:
    """Compute the divergence at every sub-pixel after the first edit; it is 0 before by construction."""
    shift = np.zeros(query.shape)
    for channel in range(query.shape[0]):
        tables = query.iter_log_probs(channel), edited.iter_log_probs(channel)
        for (rows, log_p), (_, log_q) in zip(*tables, strict=True):
            shift[channel, rows] = divergence(log_p, log_q, 0)
    return np.where(query.order_index > first, shift, 0.0)
