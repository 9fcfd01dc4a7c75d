"""Conditions of a model as one object: encoders by kind, learned positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import nn

from pointillist.conditioning import (
    ConditionEncoder,
    ConditionInputs,
    ConditionKwargs,
    Label,
    OrderEmbedding,
    PositionEmbedding,
    condition_dims,
    encode_conditions,
    unsupported_condition,
)
from pointillist.data import Batch
from pointillist.model.config import ModelConfig
from pointillist.nn import Condition, ConditionDims
from pointillist.ordering import PixelOrder


class ModelConditions(nn.Module):
    """Conditions of a model: from what a user gives, or a batch of a data set, to what enters every layer.

    ```python
    inputs = model.conditions.inputs(label="cat", count=4)
    params = model.params(x, model.conditions(inputs, 4, device=model.device))
    ```
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        image = config.image
        kinds = [settings.encoders(image) for settings in config.conditions.values()]
        encoders = {name: encoder for kind in kinds for name, encoder in kind.items()}
        self._names = tuple(encoders)
        for name, encoder in encoders.items():
            self.add_module(name, encoder)
        channels = config.position_channels
        self.position = PositionEmbedding(channels, image.height, image.width) if channels else None
        several = len(config.orders) > 1
        self.order = OrderEmbedding(config.orders, config.order_channels) if several else None
        self._size = (image.height, image.width)

    @property
    def encoders(self) -> dict[str, ConditionEncoder]:
        """Encoders by name, in the order of their features."""
        return {name: self.get_submodule(name) for name in self._names}  # type: ignore[misc]

    @property
    def dims(self) -> ConditionDims:
        """Number of features of the condition that enters every layer."""
        widths = self.widths("vector"), self.widths("map")
        encoders = self.encoders
        vector, map = (sum(w for name, w in found.items() if name not in encoders) for found in widths)
        return condition_dims(encoders, vector, map)

    def widths(self, part: str) -> dict[str, int]:
        """Features of the vector, or of the map, by the name of the encoder, `order` or `position`, in their order."""
        found = {name: int(getattr(encoder, f"{part}_width")) for name, encoder in self.encoders.items()}
        if part == "map":
            found["position"] = 0 if self.position is None else self.position.map.shape[1]
        else:
            found["order"] = 0 if self.order is None else self.order.embedding.embedding_dim
        return {name: width for name, width in found.items() if width}

    def inputs(
        self,
        label: Label = None,
        count: int = 1,
        text: Any = None,
        *,
        size: tuple[int, int] | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> ConditionInputs:
        """Validate what a user gives for `count` images: one for all or one each; None leaves a condition out.

        Args:
            label: by number or name.
            text: prompts.
            size: height and width of the images; None for the model's own.
            further: see `ConditionKwargs`; a registered kind of condition by its own keyword.

        Raises:
            ConfigError, ShapeError, DataError: if the model does not take them.
        """
        given: Mapping[str, Any] = {"label": label, "text": text, **further}
        known = {encoder.keyword for encoder in self.encoders.values()}
        for name, value in given.items():
            if value is not None and name not in known:
                raise unsupported_condition(name, value)
        size = size or self._size
        return ConditionInputs(
            count, {name: one.parse(given.get(one.keyword), count, size) for name, one in self.encoders.items()}
        )

    def from_batch(self, batch: Batch) -> ConditionInputs:
        """Read the conditions of a batch of a data set; those that the data set lacks are unknown.

        Raises:
            ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
        """
        return ConditionInputs(len(batch), {name: one.from_batch(batch) for name, one in self.encoders.items()})

    def forward(
        self,
        inputs: ConditionInputs | None,
        count: int,
        size: tuple[int, int] | None = None,
        device: torch.device | None = None,
    ) -> Condition:
        """Encode the conditions of `count` images; None is unconditional, for images of `size`."""
        if inputs is None:
            inputs = self.inputs(None, count, size=size)
        maps = [] if self.position is None else [self.position(count)]
        return encode_conditions(self.encoders, inputs if device is None else inputs.to(device), maps)

    def to_raster_frame(self, condition: Condition, order: PixelOrder) -> Condition:
        """Turn a condition into the raster frame of an order, with the embedding of the order if there are several."""
        turned = condition.in_raster_frame(order)
        return turned if self.order is None else self.order(turned, order)
