"""Conditions of a model as one object: encoders by kind, learned positions, the generation order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.conditioning import ConditionEncoder, ConditionInputs, ConditionReader, ConditionReaders
from pointillist.conditioning.encoder import as_tensor
from pointillist.conditioning.known import OBSERVED
from pointillist.engine.weights import inference_mode
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float
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
        self.orders: tuple[str, ...] = tuple(orders)
        self.embedding: nn.Embedding = nn.Embedding(len(orders), width)
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
        self.map: nn.Parameter = nn.Parameter(nn.init.normal_(torch.empty(1, width, height, columns), std=0.1))

    def forward(self, count: int) -> Float[Tensor, "b d h w"]:
        """Repeat the map for `count` images."""
        return self.map.expand(count, -1, -1, -1)


class ModelConditions(ConditionReaders, nn.Module):
    """Conditions of a model: from what a user gives, or a batch of a data set, to what enters every layer.

    ```python
    inputs = model.conditions.inputs(label="cat", count=4)
    outputs = model.outputs(model.canvas(x), model.conditions(inputs, 4, device=model.device))
    ```
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._image = config.image
        kinds = [settings.encoders(config.image) for settings in config.conditions.values()]
        encoders = {name: encoder for kind in kinds for name, encoder in kind.items()}
        self._names = tuple(encoders)
        for name, encoder in encoders.items():
            self.add_module(name, encoder)
        channels = config.position_channels
        self.position: PositionEmbedding | None = (
            PositionEmbedding(channels, config.image.height, config.image.width) if channels else None
        )
        several = len(config.orders) > 1
        self.order: OrderEmbedding | None = OrderEmbedding(config.orders, config.order_channels) if several else None

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers of the images."""
        return self._image

    @property
    def readers(self) -> Mapping[str, ConditionReader]:
        """Readers of the encoders; an encoder without one reads by itself."""
        return {name: cast(ConditionReader, encoder.reader or encoder) for name, encoder in self.encoders.items()}

    @property
    def encoders(self) -> dict[str, ConditionEncoder]:
        """Encoders by name, in the order of their features."""
        return {name: self.get_submodule(name) for name in self._names}  # type: ignore[misc]

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
        inputs = inputs.converted(lambda array: as_tensor(array, device))
        features: dict[str, list[Any]] = {"vector": [], "map": [], "tokens": []}
        encoded = {name: encoder(inputs.parts[name]) for name, encoder in self.encoders.items()}
        for name, encoder in self.encoders.items():
            kind = "vector" if encoder.vector_width else "map" if encoder.map_width else "tokens"
            features[kind].append(encoded[name])
        if self.position is not None:
            features["map"].append(self.position(count))
        vector, map = (torch.cat(features[kind], 1) if features[kind] else None for kind in ("vector", "map"))
        head = getattr(self.encoders.get(OBSERVED), "marginals", None)
        marginals = None if head is None else F.log_softmax(head(encoded[OBSERVED]).float(), 1)
        return Condition(vector, map, features["tokens"][0] if features["tokens"] else None, marginals)

    def log_marginals(self, inputs: ConditionInputs) -> Float[np.ndarray, "b k h w"] | None:
        with inference_mode(self):
            logs = self(inputs, len(inputs), device=next(self.parameters(), torch.empty(0)).device).marginals
            return None if logs is None else logs.double().cpu().numpy()

    def to_raster_frame(self, condition: Condition, order: PixelOrder) -> Condition:
        """Turn a condition into the raster frame of an order, with the embedding of the order if there are several."""
        turned = condition.in_raster_frame(order)
        return turned if self.order is None else self.order(turned, order)
