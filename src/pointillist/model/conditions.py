"""Conditions of a model as one object: encoders by kind, learned positions, the generation order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning import (
    ConditionEncoder,
    ConditionInputs,
    ConditionKwargs,
    HintReader,
    Label,
    MaskedValue,
    unsupported_condition,
)
from pointillist.conditioning.text_encoders import EmbeddingCache
from pointillist.data import Batch
from pointillist.images.ordering import PixelOrder
from pointillist.model.config import ModelConfig
from pointillist.nn import Condition, ConditionDims


class OrderEmbedding(nn.Module):
    """A learned vector for each generation order of a model that was trained on several.

    ```python
    embed = OrderEmbedding(["raster", "s-curve"], 16)
    embed(Condition(), get_order("s-curve")).vector.shape  # (1, 16, 1, 1)
    ```
    """

    def __init__(self, orders: Sequence[str], width: int) -> None:
        super().__init__()
        self.orders = tuple(orders)
        self.embedding = nn.Embedding(len(orders), width)
        nn.init.zeros_(self.embedding.weight)  # random ones are noise for long: docs/decisions, 0027

    def forward(self, condition: Condition, order: PixelOrder) -> Condition:
        """Append the vector of the order to the vector of the condition."""
        vector = self.embedding.weight[self.orders.index(order.name)][None, :, None, None]
        if condition.vector is not None:
            vector = torch.cat([condition.vector, vector.expand(len(condition.vector), -1, -1, -1)], 1)
        return replace(condition, vector=vector)


class PositionEmbedding(nn.Module):
    """A learned vector for each pixel position of an `h x w` image; it fixes the size of images.

    ```python
    PositionEmbedding(8, 28, 28)(4).shape  # (4, 8, 28, 28)
    ```
    """

    def __init__(self, width: int, height: int, columns: int) -> None:
        super().__init__()
        self.map = nn.Parameter(nn.init.normal_(torch.empty(1, width, height, columns), std=0.1))

    def forward(self, count: int) -> Float[Tensor, "b d h w"]:
        """Repeat the map for `count` images."""
        return self.map.expand(count, -1, -1, -1)


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

    def reader(self, keyword: str) -> Any:
        """Return what reads a condition without torch; None for a model that does not take it."""
        encoders = self.encoders.values()
        return next(
            (encoder.reader for encoder in encoders if encoder.keyword == keyword and encoder.reader is not None), None
        )

    @property
    def prompt_vectors(self) -> EmbeddingCache | None:
        """Vectors of the frozen sentence encoder; None for a model without one."""
        reader = self.reader("text")
        return None if reader is None else reader.vectors

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model that takes none."""
        reader: HintReader | None = self.reader("hint")
        return reader

    @property
    def dims(self) -> ConditionDims:
        """Number of features of the condition that enters every layer."""
        vector, map = (sum(self.widths(part).values()) for part in ("vector", "map"))
        return ConditionDims(vector, map, sum(encoder.tokens_width for encoder in self.encoders.values()))

    def widths(self, part: str) -> dict[str, int]:
        """Features of the vector, the map or a token, by the name of the encoder, `order` or `position`, in order."""
        result = {name: int(getattr(encoder, f"{part}_width")) for name, encoder in self.encoders.items()}
        if part == "tokens":
            return {name: width for name, width in result.items() if width}
        if part == "map":
            result["position"] = 0 if self.position is None else self.position.map.shape[1]
        else:
            result["order"] = 0 if self.order is None else self.order.embedding.embedding_dim
        return {name: width for name, width in result.items() if width}

    def inputs(
        self,
        label: Label = None,
        count: int = 1,
        text: Any = None,
        *,
        size: tuple[int, int] | None = None,
        known: tuple[Any, Any] | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> ConditionInputs:
        """Validate what a user gives for `count` images: one for all or one each; None leaves a condition out.

        Args:
            label: by number or name.
            text: prompts.
            size: height and width of the images; None for the model's own.
            known: levels of the image itself, and the mask of its known pixels; see `KnownPixelsEncoder.parse`.
            further: see `ConditionKwargs`; a registered kind of condition by its own keyword.

        Raises:
            ConfigError, ShapeError, DataError: if the model does not take them.
        """
        values: Mapping[str, Any] = {"label": label, "text": text, "known": known, **further}
        keywords = {encoder.keyword for encoder in self.encoders.values()}
        for name, value in values.items():
            if value is not None and name not in keywords:
                raise unsupported_condition(name, value)
        size = size or self._size
        return ConditionInputs(
            count,
            {name: encoder.parse(values.get(encoder.keyword), count, size) for name, encoder in self.encoders.items()},
        )

    def with_prompts(self, inputs: ConditionInputs, text: Any) -> ConditionInputs:
        """Add prompts, one for all images or one each, to the other conditions of these images.

        Encoded prompts are large: of many images they are added batch by batch.

        Raises:
            ConfigError, ShapeError: if the model does not take them.
        """
        if text is None:
            return inputs
        encoders = {name: encoder for name, encoder in self.encoders.items() if encoder.keyword == "text"}
        if not encoders:
            raise unsupported_condition("text", text)
        result = {name: encoder.parse(text, len(inputs), self._size) for name, encoder in encoders.items()}
        return ConditionInputs(len(inputs), {**inputs.parts, **result})

    def from_batch(self, batch: Batch) -> ConditionInputs:
        """Read the conditions of a batch of a data set; those that the data set lacks are unknown.

        Raises:
            ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
        """
        return ConditionInputs(len(batch), {name: encoder.from_batch(batch) for name, encoder in self.encoders.items()})

    def forward(
        self,
        inputs: ConditionInputs | None,
        count: int,
        size: tuple[int, int] | None = None,
        device: torch.device | None = None,
        encoders: Mapping[str, Callable[[MaskedValue], Tensor]] | None = None,
    ) -> Condition:
        """Encode the conditions of `count` images; None is unconditional, for images of `size`.

        Args:
            encoders: functions that take the place of the encoders of these names.
        """
        if inputs is None:
            inputs = self.inputs(None, count, size=size)
        if device is not None:
            inputs = inputs.to(device)
        features: dict[str, list[Any]] = {"vector": [], "map": [], "tokens": []}
        for name, encoder in self.encoders.items():
            kind = "vector" if encoder.vector_width else "map" if encoder.map_width else "tokens"
            encode = (encoders or {}).get(name, encoder)
            features[kind].append(encode(inputs.parts[name]))
        if self.position is not None:
            features["map"].append(self.position(count))
        vector, map = (torch.cat(features[kind], 1) if features[kind] else None for kind in ("vector", "map"))
        return Condition(vector, map, features["tokens"][0] if features["tokens"] else None)

    def to_raster_frame(self, condition: Condition, order: PixelOrder) -> Condition:
        """Turn a condition into the raster frame of an order, with the embedding of the order if there are several."""
        turned = condition.in_raster_frame(order)
        return turned if self.order is None else self.order(turned, order)
