"""Attribution: the effect of each earlier sub-pixel on the distribution at one pixel position, without gradients.

Perturbation changes one sub-pixel at a time, and compares the distributions of the query's engine. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pointillist.analysis.distribution import divergence
from pointillist.analysis.query import ImageQuery
from pointillist.images import channel_names
from pointillist.images.array_types import Float, Int
from pointillist.images.visualization import heat_map
from pointillist.images.visualization.pixels import ShownAsPicture

_BATCH_SIZE = 32  # copies of an image in one pass


@dataclass(frozen=True, eq=False)
class Attribution(ShownAsPicture):
    """Effect of each sub-pixel before a position on the distribution at that position.

    ```python
    effect = gradient(ImageQuery.of(model, x, label="6"), 3, 4)
    effect.values.shape, effect.unit  # ((1, 8, 8), "bits per level")
    effect.image().save("effect.png")
    ```

    Attributes:
        values: the effect, `[c h w]`; 0 for every sub-pixel on which the model cannot depend.
        signed: whether a negative value speaks against the level that is there.
        method: `gradient`, `integrated gradients` or `perturbation`.
        unit: unit of `values`.
        site: row, column and channel; the channel is None for all channels of the pixel together.
        gap: part of the difference that integrated gradients miss because the number of steps is finite, in bits; None
            for the other methods.
        names: names of the channels.
    """

    values: Float[np.ndarray, "c h w"] = field(repr=False)
    signed: bool
    method: str
    unit: str
    site: tuple[int, int, int | None]
    gap: float | None = None
    names: tuple[str, ...] = ()

    def image(self) -> Image.Image:
        """Draw the map of each channel, on a scale up to its largest value."""
        top = float(np.abs(self.values).max()) or 1.0
        return heat_map(self.values, top=top, unit=self.unit, captions=self.names, both=self.signed)


def gradient_unit(query: ImageQuery) -> str:
    """Return the unit of `gradient` and `gradient_maps`."""
    return "bits per level" if query.model.image.ordered else "bits per unit of the level's embedding"


def perturbation_influence(query: ImageQuery, row: int, column: int, channel: int | None = None) -> Attribution:
    """Measure how far the distribution at a position moves when one earlier sub-pixel is changed, for each in turn.

    Each earlier sub-pixel takes the likeliest level there besides its own. The value is the Kullback-Leibler divergence
    of the position's distribution for the true image from the distribution that results, in bits. For a whole pixel
    (no channel) the divergences of its channels are added, each given the true channels before it.

    Args:
        row, column, channel: as for `gradient`.

    Raises:
        ConfigError: if the position lies outside the image.

    Example::

        perturbation_influence(ImageQuery.of(model, x), 3, 4).values  # bits [c h w]
    """
    model = query.model
    model.image.check_site(row, column, channel, query.shape[1:])
    channels = range(query.shape[0]) if channel is None else [channel]
    before = np.argwhere(query.earlier(row, column, channels[-1]))
    values = np.zeros(query.shape)
    likely = _likeliest_others(query)
    for start in range(0, len(before), _BATCH_SIZE):
        batch = before[start : start + _BATCH_SIZE]
        x = np.repeat(query.x, len(batch) + 1, 0)  # the true image too, computed in the same batch
        for number, (c, r, w) in enumerate(batch):
            x[number, c, r, w] = likely[c, r, w]
        values[tuple(batch.T)] = _divergences(query, x, row, column, channels)
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values, False, "perturbation", "bits", site, names=names)


def _likeliest_others(query: ImageQuery) -> Int[np.ndarray, "c h w"]:
    """Find the most probable alternative level at each sub-pixel."""
    result = np.zeros(query.shape, np.int64)
    for channel in range(query.shape[0]):
        for rows, log_probs in query.iter_log_probs(channel):
            np.put_along_axis(log_probs, query.x[:, channel, rows], -np.inf, 0)
            result[channel, rows] = log_probs.argmax(0)
    return result


def _divergences(
    query: ImageQuery, x: Int[np.ndarray, "b c h w"], row: int, column: int, channels: Sequence[int]
) -> Float[np.ndarray, " n"]:
    """Compute the divergence of the last image's distributions at a position from each of the others', in bits."""
    here = (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    params, true = query.params_of(x)[here], np.repeat(query.x[here], len(x), 0)
    total = np.zeros(len(x) - 1)
    for channel in channels:
        log_probs = query.likelihood.conditional(params, true, channel)[:, :, 0, 0]
        total += divergence(log_probs[-1:], log_probs[:-1], 1)
    return total
