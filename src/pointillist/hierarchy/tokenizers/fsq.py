"""Finite scalar quantisation: a code is a vector whose numbers are rounded, each to its own few levels.

Mentzer, Minnen, Agustsson, Tschannen: Finite Scalar Quantization: VQ-VAE Made Simple, ICLR 2024 (arXiv 2309.15505).
There is no codebook that could collapse, and no auxiliary loss.

    bound(z) = h tanh(z + s) - o    with h = (L - 1)(1 + eps) / 2;  o = 1/2 for even L, else 0;  s = atanh(o / h)
    vector   = round(bound(z)) / (L // 2)    in [-1, 1]; the gradient of `round` is taken as 1 (straight-through)
    id       = sum over d of (round(bound(z_d)) + L_d // 2) (L_1 L_2 ... L_(d-1))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.errors import ConfigError
from pointillist.images import MAX_LEVELS

EPSILON = 1e-3  # of the authors' code: the outermost levels are reached by finite inputs


@dataclass(frozen=True)
class FSQ:
    """The quantiser: vectors of `d` numbers, and their ids.

    ```python
    fsq = FSQ((8, 5, 5, 5))
    fsq.size  # 1000
    fsq.ids(fsq.vectors(torch.arange(1000).reshape(1, 1, 10, 100)))  # the same ids
    ```

    Attributes:
        levels: number of values of each number of a vector, 2 or more.

    Raises:
        ConfigError: if a number has fewer than two values, or there are more than 65,536 codes.
    """

    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.levels or min(self.levels) < 2 or self.size > MAX_LEVELS:
            raise ConfigError(
                f"`levels` (={list(self.levels)}) of a tokenizer must be 2 or more each, and their product, the number "
                f"of codes, at most {MAX_LEVELS:,}: try [8, 5, 5, 5], which has 1,000."
            )

    @property
    def size(self) -> int:
        """Number of codes."""
        return math.prod(self.levels)

    def bound(self, z: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Squash numbers into the range of their levels."""
        half, offset = self._halves(z), self._offsets(z)
        return torch.tanh(z + torch.atanh(offset / half)) * half - offset

    def quantize(self, z: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Round to the vectors of codes; gradients pass as if `round` were the identity."""
        bounded = self.bound(z)
        # the difference is exactly zero, and has the gradient of `bounded`
        return (bounded.detach().round() + (bounded - bounded.detach())) / self._scales(z)

    def nearest(self, vectors: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Find the nearest vector of a code."""
        scale = self._scales(vectors)
        top = self._column(vectors, [n - 1 - n // 2 for n in self.levels])
        return torch.minimum(torch.maximum((vectors * scale).round(), -scale), top) / scale

    def ids(self, vectors: Float[Tensor, "b d h w"]) -> Int[Tensor, "b 1 h w"]:
        """Number the vectors of codes."""
        scale = self._scales(vectors)
        digits = (vectors * scale).round() + scale
        return (digits.long() * self._bases(vectors.device)).sum(1, keepdim=True)

    def vectors(self, ids: Int[Tensor, "b 1 h w"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "b d h w"]:
        """Return the vector of each id, in [-1, 1]."""
        counts = torch.tensor(self.levels, device=ids.device)[None, :, None, None]
        digits = (ids // self._bases(ids.device) % counts).to(dtype)
        scale = self._scales(digits)
        return (digits - scale) / scale

    def _bases(self, device: torch.device) -> Int[Tensor, "1 d 1 1"]:
        bases = [math.prod(self.levels[:i]) for i in range(len(self.levels))]
        return torch.tensor(bases, device=device)[None, :, None, None]

    def _halves(self, like: Tensor) -> Tensor:
        return self._column(like, [(n - 1) * (1 + EPSILON) / 2 for n in self.levels])

    def _offsets(self, like: Tensor) -> Tensor:
        return self._column(like, [0.5 * (n % 2 == 0) for n in self.levels])

    def _scales(self, like: Tensor) -> Tensor:
        return self._column(like, [n // 2 for n in self.levels])

    @staticmethod
    def _column(like: Tensor, values: list[float] | list[int]) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device)[None, :, None, None]
