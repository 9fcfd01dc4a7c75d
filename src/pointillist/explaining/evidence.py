"""What a label is worth: bits it saves at each pixel, and how well each label explains the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from pointillist.conditioning.label import Label
from pointillist.errors import ConfigError
from pointillist.explaining.asking import Asked
from pointillist.explaining.charts import bars_chart
from pointillist.explaining.scales import bits_top
from pointillist.pictures import Chart, heat_map, png_bytes
from pointillist.pixel_model import PixelModel
from pointillist.receptive import channel_names
from pointillist.scoring import evaluating


@dataclass(frozen=True, eq=False)
class ConditionBits:
    """Bits of an image with and without what the model is told.

    Attributes:
        told, untold: surprise of every sub-pixel, in bits, `[c h w]`.
        classes: names of the labels.
        class_bits: of the whole image, told each label, `[classes]`.
        top: the value of the last colour of a scale, as in `BitMaps`.
        names: of the channels.
    """

    told: Float[np.ndarray, "c h w"] = field(repr=False)
    untold: Float[np.ndarray, "c h w"] = field(repr=False)
    classes: tuple[str, ...]
    class_bits: Float[np.ndarray, " k"]
    top: float
    names: tuple[str, ...] = ()

    @property
    def saved(self) -> Float[np.ndarray, "c h w"]:
        """What being told saves at each sub-pixel, in bits; below 0 where it misleads."""
        found: np.ndarray = self.untold - self.told
        return found

    @property
    def posterior(self) -> Float[np.ndarray, " k"]:
        """Probability of each label given the image, if all were equally likely before (Bayes)."""
        p = np.exp2(self.class_bits.min() - self.class_bits)
        share: np.ndarray = p / p.sum()
        return share

    def image(self) -> Image.Image:
        """What being told saves at each sub-pixel."""
        return heat_map(self.saved, top=self.top, unit="bits saved by being told", captions=self.names, both=True)

    def chart(self) -> Chart:
        """Bits of the image, told each label."""
        rows = [("no label", float(self.untold.sum())), *zip(self.classes, self.class_bits.tolist(), strict=True)]
        return bars_chart(rows, "bits of the image, told each label", marked=1 + int(self.class_bits.argmin()))

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the whole image."""
        return {
            "told_bits": float(self.told.sum()),
            "untold_bits": float(self.untold.sum()),
            "saved_bits": float(self.saved.sum()),
            "classes": list(self.classes),
            "class_bits": self.class_bits.tolist(),
            "posterior": self.posterior.tolist(),
        }

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def condition_bits(model: PixelModel, image: Any, label: Label = None) -> ConditionBits:
    """What the label of an image saves, and the bits of the image under every label.

    Args:
        image: as for `bit_maps`.
        label: what it is told; None for the label that explains it best.

    Raises:
        ConfigError: if the model takes no labels, or not this one.
        ShapeError, DataError: as `bit_maps`.
    """
    classes = model.config.classes
    if not classes:
        raise ConfigError("This model was trained without labels, so there is no label whose bits could be counted.")
    asked = Asked.of(model, image, label)
    with evaluating(model):
        untold = _surprise(Asked(model, asked.x))
        each = np.array([_surprise(Asked(model, asked.x, number)).sum() for number in range(len(classes))])
        told = _surprise(Asked(model, asked.x, int(each.argmin())) if label is None else asked)
    return ConditionBits(told, untold, classes, each, bits_top(model), channel_names(model))


def _surprise(asked: Asked) -> np.ndarray:
    found: np.ndarray = asked.surprise(asked.params(), asked.x)[0].double().cpu().numpy()
    return found
