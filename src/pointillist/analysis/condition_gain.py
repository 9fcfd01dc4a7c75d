"""Conditional gain: bits that the conditions save at each sub-pixel, and the bits of the image under every label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import color_scale_max
from pointillist.conditioning import ConditionInputs, label_input, labels_from_input
from pointillist.errors import ConfigError
from pointillist.images import channel_names
from pointillist.visualization import Chart, heat_map, png_bytes


@dataclass(frozen=True, eq=False)
class ConditionGain:
    """Bits of an image with and without its conditions.

    ```python
    gain = condition_gain(ImageQuery.of(model, x, label="6"))
    gain.saved.sum()  # bits that the label saves
    gain.posterior.argmax()  # the most probable class
    ```

    Attributes:
        conditional, unconditional: surprisal of every sub-pixel with and without the conditions, in bits, `[c h w]`.
        classes: names of the labels; empty for a model without labels.
        class_bits: bits of the whole image under each label, the other conditions unchanged, `[k]`.
        color_max: value of the last colour of a scale, as in `SurprisalMaps`.
        names: names of the channels.
    """

    conditional: Float[np.ndarray, "c h w"] = field(repr=False)
    unconditional: Float[np.ndarray, "c h w"] = field(repr=False)
    classes: tuple[str, ...]
    class_bits: Float[np.ndarray, " k"]
    color_max: float
    names: tuple[str, ...] = ()

    @property
    def saved(self) -> Float[np.ndarray, "c h w"]:
        """Bits saved by the conditions at each sub-pixel; below 0 where they mislead."""
        saved: np.ndarray = self.unconditional - self.conditional
        return saved

    @property
    def posterior(self) -> Float[np.ndarray, " k"]:
        """Probability of each label given the image, by Bayes' rule with a uniform prior."""
        likelihood = np.exp2(self.class_bits.min(initial=np.inf) - self.class_bits)
        posterior: np.ndarray = likelihood / likelihood.sum()
        return posterior

    def image(self) -> Image.Image:
        """Draw the effect of the conditions at each sub-pixel: blue where they save bits, red where they cost bits."""
        unit = "bits more with the conditions"
        return heat_map(-self.saved, top=self.color_max, unit=unit, captions=self.names, both=True)

    def chart(self, most: int | None = None) -> Chart:
        """Draw the bits that each label saves; without labels, the bits with and without conditions.

        Args:
            most: number of labels to draw, those that save most first; None for all in their order.
        """
        if not self.classes:
            rows = [("unconditional", float(self.unconditional.sum())), ("conditional", float(self.conditional.sum()))]
            return bars_chart(rows, "bits of the image", marked=1)
        saved = (self.unconditional.sum() - self.class_bits).tolist()
        rows = list(zip(self.classes, saved, strict=True))
        if most is None:
            return bars_chart(rows, "bits saved by each label", marked=int(self.class_bits.argmin()))
        rows = sorted(rows, key=lambda row: -row[1])[:most]
        return bars_chart(rows, "bits saved by each label", marked=0)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of the whole image, ready for JSON."""
        return {
            "conditional_bits": float(self.conditional.sum()),
            "unconditional_bits": float(self.unconditional.sum()),
            "saved_bits": float(self.saved.sum()),
            "classes": list(self.classes),
            "class_bits": self.class_bits.tolist(),
            "posterior": self.posterior.tolist(),
        }

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def condition_gain(query: ImageQuery) -> ConditionGain:
    """Compute the bits that the conditions of an image save, and its bits under every label.

    Pointwise mutual information of image and conditions, sub-pixel by sub-pixel. Without any condition, a model with
    labels is conditioned on the label under which the image takes the fewest bits.

    Raises:
        ConfigError: if the model is unconditional.

    Example::

        gain = condition_gain(ImageQuery.of(model, x, label="6"))
        gain.saved.sum()  # bits saved by the label
        gain.posterior  # probability of each label given the image
    """
    model, classes = query.model, query.model.config.classes
    if not model.conditions.encoders:
        raise ConfigError("This model is unconditional: it has no condition whose bits could be measured.")
    by_label = [_with_label(query, label).surprisal for label in range(len(classes))]
    class_bits = np.array([surprisal.sum() for surprisal in by_label])
    best = by_label[int(class_bits.argmin())] if by_label and not query.conditions.is_conditional else query.surprisal
    names = channel_names(model.image)
    return ConditionGain(best, query.unconditional().surprisal, classes, class_bits, color_scale_max(model), names)


def _with_label(query: ImageQuery, label: int) -> ImageQuery:
    """Return the query under a label; itself if it has that label."""
    value = query.conditions.parts["label"]
    if bool(value.known.all()) and int(labels_from_input(value, 1)[0]) == label:
        return query
    parts = {**query.conditions.parts, "label": label_input(torch.tensor([label]))}
    return replace(query, conditions=ConditionInputs(1, parts))
