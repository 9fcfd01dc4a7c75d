"""Grids of integers as a tokenizer reads and writes them; its codes are finite scalar quantisation.

A kind of grid (ordered levels, unordered levels, codes of another tokenizer) turns integers into the input of an
encoder, and the output of a decoder into a loss and into integers. A code is a vector whose numbers are rounded, each
to its own few levels:

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
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.images import MAX_LEVELS, ImageSpec
from pointillist.images.array_types import Float, Int

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
        half = self._column(z, [(n - 1) * (1 + EPSILON) / 2 for n in self.levels])
        offset = self._column(z, [0.5 * (n % 2 == 0) for n in self.levels])
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

    def _scales(self, like: Tensor) -> Tensor:
        return self._column(like, [n // 2 for n in self.levels])

    @staticmethod
    def _column(like: Tensor, values: list[float] | list[int]) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device)[None, :, None, None]


class Signal(nn.Module):
    """A kind of grid.

    Attributes:
        channels: channels of the input of the encoder.
        outputs: channels of the output of the decoder.
    """

    channels: int
    outputs: int

    def forward(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b i h w"]:
        """Input of the encoder."""
        raise NotImplementedError

    def loss(self, y: Float[Tensor, "b o h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Loss of an output of the decoder, a mean over sub-pixels."""
        raise NotImplementedError

    def decode(self, y: Float[Tensor, "b o h w"]) -> Int[Tensor, "b c h w"]:
        """Integers of an output of the decoder."""
        raise NotImplementedError


class OrderedLevels(Signal):
    """Quantities: numbers in [-1, 1], with the squared error, which PSNR measures."""

    channels: int
    outputs: int

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        self.top: int = image.levels - 1
        self.channels = self.outputs = image.channels

    def forward(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b i h w"]:
        """Scale levels to [-1, 1]."""
        return x.to(torch.get_default_dtype()) * (2 / self.top) - 1

    def loss(self, y: Float[Tensor, "b o h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Squared error."""
        return F.mse_loss(y, self(x).to(y.dtype))

    def decode(self, y: Float[Tensor, "b o h w"]) -> Int[Tensor, "b c h w"]:
        """Nearest levels."""
        return ((y + 1) * (self.top / 2)).round().clamp(0, self.top).long()


class UnorderedLevels(Signal):
    """Names, such as the colours of a palette: a learned vector each (one-hot times a matrix), and cross-entropy."""

    levels: int
    grids: int
    channels: int
    outputs: int

    def __init__(self, image: ImageSpec, width: int) -> None:
        super().__init__()
        self.levels, self.grids = image.levels, image.channels
        self.channels, self.outputs = image.channels * width, image.channels * image.levels
        self.embedding: nn.Embedding = nn.Embedding(image.levels, width)

    def forward(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b i h w"]:
        """Look up the vectors."""
        vectors: Tensor = self.embedding(x)
        return vectors.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def loss(self, y: Float[Tensor, "b o h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Cross-entropy in nats."""
        return F.cross_entropy(self._by_level(y), x)

    def decode(self, y: Float[Tensor, "b o h w"]) -> Int[Tensor, "b c h w"]:
        """Most probable levels."""
        return self._by_level(y).argmax(1)

    def _by_level(self, y: Float[Tensor, "b o h w"]) -> Float[Tensor, "b k c h w"]:
        return y.reshape(len(y), self.grids, self.levels, *y.shape[2:]).transpose(1, 2)


class CodeVectors(Signal):
    """Ids of the codes of a finer level: their vectors, with the squared error."""

    channels: int
    outputs: int

    def __init__(self, fsq: FSQ) -> None:
        super().__init__()
        self.fsq = fsq
        self.channels = self.outputs = len(fsq.levels)

    def forward(self, x: Int[Tensor, "b 1 h w"]) -> Float[Tensor, "b i h w"]:
        """Vectors of the codes."""
        return self.fsq.vectors(x, torch.get_default_dtype())

    def loss(self, y: Float[Tensor, "b o h w"], x: Int[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:
        """Squared error."""
        return F.mse_loss(y, self(x).to(y.dtype))

    def decode(self, y: Float[Tensor, "b o h w"]) -> Int[Tensor, "b 1 h w"]:
        """Nearest codes."""
        return self.fsq.ids(self.fsq.nearest(y))
