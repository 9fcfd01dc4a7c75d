"""Attribution: the effect of each earlier sub-pixel on the distribution at one pixel position. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pointillist.analysis.query import ImageQuery
from pointillist.images.array_types import Float
from pointillist.images.visualization import heat_map
from pointillist.images.visualization.pixels import ShownAsPicture


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
        unit: unit of `values`.
        site: row, column and channel; the channel is None for all channels of the pixel together.
        names: names of the channels.
    """

    values: Float[np.ndarray, "c h w"] = field(repr=False)
    signed: bool
    unit: str
    site: tuple[int, int, int | None]
    names: tuple[str, ...] = ()

    def image(self) -> Image.Image:
        """Draw the map of each channel, on a scale up to its largest value."""
        top = float(np.abs(self.values).max()) or 1.0
        return heat_map(self.values, top=top, unit=self.unit, captions=self.names, both=self.signed)


def gradient_unit(query: ImageQuery) -> str:
    """Return the unit of `gradient` and `gradient_maps`."""
    return "bits per level" if query.model.image.ordered else "bits per unit of the level's embedding"
