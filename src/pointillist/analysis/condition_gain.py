"""What being told is worth: bits it saves at each pixel, and how well each label explains the image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.color_scales import color_scale_max
from pointillist.analysis.query import ImageQuery, QueryKwargs
from pointillist.conditioning import ConditionInputs, Label, label_input, labels_from_input
from pointillist.errors import ConfigError
from pointillist.images import channel_names
from pointillist.model.pixel_model import PixelModel
from pointillist.visualization import Chart, heat_map, png_bytes


@dataclass(frozen=True, eq=False)
class ConditionGain:
    """Bits of an image with and without what the model is told.

    Attributes:
        told, untold: surprise of every sub-pixel, in bits, `[c h w]`.
        classes: names of the labels; empty for none.
        class_bits: of the whole image, told each label and else the same, `[classes]`.
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
        p = np.exp2(self.class_bits.min(initial=np.inf) - self.class_bits)
        share: np.ndarray = p / p.sum()
        return share

    def image(self) -> Image.Image:
        """What being told changes at each sub-pixel: blue where it saves bits, red where it costs."""
        return heat_map(-self.saved, top=self.top, unit="bits more when told", captions=self.names, both=True)

    def chart(self) -> Chart:
        """Bits that each label would save; without labels, the bits of the image told and untold."""
        if not self.classes:
            rows = [("told nothing", float(self.untold.sum())), ("told", float(self.told.sum()))]
            return bars_chart(rows, "bits of the image", marked=1)
        saved = (self.untold.sum() - self.class_bits).tolist()
        rows = list(zip(self.classes, saved, strict=True))
        return bars_chart(rows, "bits that each label would save", marked=int(self.class_bits.argmin()))

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


def condition_gain(
    model: PixelModel, image: Any, label: Label = None, text: Any = None, **further: Unpack[QueryKwargs]
) -> ConditionGain:
    """What the conditions of an image save, and the bits of the image under every label.

    Args:
        image: as for `bit_maps`.
        label, text, further: what the model is told. If that is nothing and it knows labels: the label that explains
            the image best.

    Raises:
        ConfigError: if the model listens to nothing, or does not take these.
        ShapeError, DataError: as `bit_maps`.
    """
    return conditions_of(ImageQuery.of(model, image, label, text, **further))


def conditions_of(asked: ImageQuery) -> ConditionGain:
    """Bits with and without the conditions of a question that is checked."""
    model, classes = asked.model, asked.model.config.classes
    if not model.conditions.encoders:
        raise ConfigError("This model listens to nothing, so there is no condition whose bits could be counted.")
    anything = asked.told.is_conditional
    untold = replace(asked, told=asked.told.unconditional()).bits if anything else asked.bits
    each = [_labelled(asked, number).bits for number in range(len(classes))]
    bits = np.array([part.sum() for part in each])
    told = each[int(bits.argmin())] if each and not anything else asked.bits
    return ConditionGain(told, untold, classes, bits, color_scale_max(model), channel_names(model.image))


def _labelled(asked: ImageQuery, number: int) -> ImageQuery:
    """The same, told a label; itself if that is its own."""
    told = asked.told.parts["label"]
    if bool(told.known.all()) and int(labels_from_input(told, 1)[0]) == number:
        return asked
    parts = {**asked.told.parts, "label": label_input(torch.tensor([number]))}
    return replace(asked, told=ConditionInputs(1, parts))
