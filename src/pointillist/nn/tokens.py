"""The tokens of a prompt, which are known before the first site."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """An encoded prompt.

    ```python
    Tokens(torch.randn(2, 5, 64), torch.ones(2, 5, dtype=torch.bool))
    ```

    Attributes:
        states: features of each token, `[b t d]`.
        mask: True for tokens, False for padding, `[b t]`; each image has at least one token.
    """

    states: Float[Tensor, "b t d"]
    mask: Bool[Tensor, "b t"]

    def packed(self) -> Float[Tensor, "b c 1 1"]:
        """Return all of it as a vector for each image: 1 or 0 for each token, and then the features of each in turn."""
        mask = self.mask.to(self.states.dtype)
        return torch.cat([mask, torch.where(self.mask[:, :, None], self.states, 0.0).flatten(1)], 1)[:, :, None, None]

    @classmethod
    def unpacked(cls, packed: Float[Tensor, "b c 1 1"], width: int) -> Tokens:
        """Return the tokens, each of `width` features, that `packed` returned."""
        count = packed.shape[1] // (1 + width)
        vectors = packed[:, :, 0, 0]
        return cls(vectors[:, count:].reshape(len(packed), count, width), vectors[:, :count] > 0)
