"""Base class of the encoders of conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import LayerFeatures, PortableEncoder, StoredWeights
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.nn import Tokens


def as_tensor(array: Any, device: torch.device | None = None) -> Tensor:
    """Convert an array or a tensor to a tensor on a device; what torch cannot share is copied.

    That is an array that is read-only (one image that stands for many), of other strides, or of the other byte order.

    ```python
    as_tensor(np.broadcast_to(np.int64(0), (4, 8))).shape  # (4, 8)
    ```
    """
    if isinstance(array, np.ndarray):
        array = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
    return torch.as_tensor(array, device=device)


def levels_tensor(x: Any, image: ImageSpec, device: torch.device | None = None) -> Int[Tensor, "b c h w"]:
    """Convert levels or pictures of a kind of image to int64 on a device; see `PixelModel.check`.

    ```python
    levels_tensor(np.zeros((1, 1, 28, 28), int), model.image)
    ```

    Raises:
        ShapeError, DataError: if channels, type or values do not match.
    """
    try:
        x = as_tensor(image.level_array(x) if image.is_picture(x) else x)
    except (TypeError, ValueError, RuntimeError):
        kind = type(x).__name__
        raise DataError(f"Levels must be an integer tensor, not {kind}: convert with `model.to_levels`.") from None
    if x.ndim != 4 or x.shape[1] != image.channels:
        form = f"(n, {image.channels}, h, w)"
        raise ShapeError(f"Levels of shape {tuple(x.shape)} must be {form}: convert pictures with `to_levels`.")
    if x.is_floating_point() or x.dtype == torch.bool or x.is_complex():
        raise DataError(f"Levels must be integers, not {x.dtype}: convert pictures with `model.to_levels`.")
    result: Tensor = x.to(device, torch.int64)
    if torch.compiler.is_compiling():  # a look at the values would cut the compiled graph in two
        return result
    low, high = _range(result)
    if not (top := image.levels - 1) >= high >= low >= 0:
        raise DataError(f"Levels from {low} to {high} must lie in 0 to {top}: convert pictures with `to_levels`.")
    return result


def _range(x: Tensor) -> tuple[int, int]:
    """Return the least and the largest of some integers; 0 and 0 of none."""
    try:
        return (int(x.min()), int(x.max())) if x.numel() else (0, 0)
    except RuntimeError as error:
        if not str(error).startswith("vmap"):
            raise
        raise ConfigError("`torch.vmap` hides values, which a model checks: call it on a batch.") from error


class ConditionEncoder(nn.Module):
    """Encoder of one condition that may be unknown; features that stand for "unknown" are learned.

    ```python
    encoder = model.conditions.encoders["label"]
    value = encoder.reader.read("3", 4, (8, 8))
    encoder.encode(value).shape  # (4, 64, 1, 1)
    ```

    Attributes:
        vector_width, map_width, tokens_width: features it adds to the vector or to the map that enter every layer, or
            of its tokens; two are 0.
        reader: what reads values without torch, and is shared with the portable half; None for an encoder that defines
            `keyword`, `read` and `from_batch` itself.
        without_torch: computes the same with arrays; None where a stored model knows "unknown" only.
    """

    vector_width: int = 0
    map_width: int = 0
    tokens_width: int = 0
    reader: Any = None
    without_torch: ClassVar[type[LayerFeatures] | None] = None

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d h w"] | Tokens:
        """Compute features from tensors: `b d 1 1`, a map, or tokens. They do not depend on values that are unknown."""
        raise NotImplementedError

    def encode(self, value: MaskedValue) -> Float[Tensor, "b d h w"] | Tokens:
        """Compute the features of what `read` returns, on the device of the weights."""
        device = next(self.parameters()).device
        values, known = (as_tensor(array, device) for array in (value.values, value.known))
        result: Tensor | Tokens = self(replace(value, values=values, known=known))
        return result

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """Embeddings of named values, with their names; the last row, beyond them, stands for "unknown"."""
        return {}

    def named_values(self) -> tuple[str, ...]:
        """Names of the values, if they are few: a model without torch stores the features of each."""
        return ()

    def portable(self, weights: StoredWeights) -> PortableEncoder | None:
        """Make the half that a model without torch stores and computes; without one it knows "unknown" only.

        Args:
            weights: the weights of this encoder, without the weights of "unknown".
        """
        return None if self.without_torch is None else self.without_torch(self.reader, weights)
