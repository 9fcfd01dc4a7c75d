"""Grids of integers as a tokenizer reads and writes them: ordered levels, unordered levels, or codes of another one.

Each kind turns integers into the input of an encoder, and the output of a decoder into a loss and into integers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.hierarchy.tokenizers.fsq import FSQ
from pointillist.images import ImageSpec


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
