"""Score images by an integer program, and what any model offers that scores images. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.keywords import ConditionKwargs
from pointillist.conditioning.label import Label
from pointillist.conditioning.readers import ConditionReaders
from pointillist.engine.program import IntArray
from pointillist.files.arrays import as_array
from pointillist.images import ImageSpec
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.portable.likelihood import ProgramLikelihood
from pointillist.portable.model import IntegerModel
from pointillist.system import default_threads

OtherFeatures = Callable[[ConditionInputs, tuple[int, int]], Mapping[str, NDArray[np.float64]]]
"""Returns features of the conditions that a program has no encoder for, `[n, ..., c]` by name, for images of a size."""


@dataclass(frozen=True, eq=False)
class ProgramScorer:
    """The distribution of an integer program, with all conditions of its model.

    Its likelihood is its own: that of the integer frequencies, near the likelihood of the pixel model but not equal to
    it.

        integer_model = model.integer_model()
        integer_model.log_prob(x, label=3)  # nats, one for each image

    Attributes:
        integers: the integer model.
        conditions: reads conditions.
        image: meaning of the integers.
        other_features: of conditions that the program has no encoder for; None if it knows them as unknown only.
    """

    integers: IntegerModel
    conditions: ConditionReaders
    image: ImageSpec
    other_features: OtherFeatures | None = None
    engine: str = "integer"

    @property
    def likelihood(self) -> ProgramLikelihood:
        """Distribution of a pixel, given the parameters that the integer program computes."""
        return ProgramLikelihood(self.integers.programs[0])  # the programs of other orders have the same head

    def log_prob(
        self,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[np.ndarray, " b"]:
        """Compute the exact log-likelihood of each image under the integer model, in nats, float64.

        Args:
            x: levels, integers `[b c h w]`.
            label, text, further: conditions; see `ConditionReaders.inputs`.
            order: generation order; None for the usual one.

        Raises:
            ShapeError, ConfigError: if the model does not take the images, or a condition.
        """
        return sum_images(self.log_prob_map(x, label, text, order=order, **further))

    def log_prob_map(
        self,
        x: Any,
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute the log-probability of each sub-pixel given those before it, in nats. Arguments as `log_prob`."""
        levels = self.integers.check(as_array(x))
        size = (levels.shape[2], levels.shape[3])
        inputs = self.conditions.inputs(label, len(levels), text, size=size, **further)
        return self.unchecked_log_prob_map(levels, inputs, self.integers.order(order))

    def unchecked_log_prob_map(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[np.ndarray, "b c h w"]:
        """Compute `log_prob_map` of images and conditions that are validated already; known sub-pixels are certain."""
        order = self.integers.order() if order is None else order
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        maps = np.ascontiguousarray(self.integers.log_prob_map(x, encoded, order, threads=default_threads()))
        observed = None if inputs is None else inputs.observed
        if observed is not None:
            maps[observed] = 0.0
        return maps

    def params(
        self, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Int[np.ndarray, "b p h w"]:
        """Compute the parameters of the distribution at every pixel of complete images."""
        order = self.integers.order() if order is None else order
        encoded = self.encode(inputs, len(x), (x.shape[2], x.shape[3]), order)
        params = self.integers.params(x, encoded, order, threads=default_threads())
        return np.ascontiguousarray(np.moveaxis(params, 3, 1))

    def encode(
        self, inputs: ConditionInputs | None, count: int, size: tuple[int, int], order: PixelOrder
    ) -> dict[str, IntArray]:
        """Return conditions as the integers that are part of the input of the program; None for no condition."""
        if inputs is None:
            inputs = self.conditions.inputs(count=count, size=size)
        others = {} if self.other_features is None else self.other_features(inputs, size)
        return self.integers.encode(inputs, size, order, others)
