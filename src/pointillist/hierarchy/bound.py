"""The code length of an image by scales: an upper bound on its negative log-likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pointillist.distributions.likelihoods import bits_per_dim


@dataclass(frozen=True)
class CodeLength:
    """-log p(codes) - log p(x | codes) of images, in parts.

    The encoder is deterministic, so the codes and the image given the codes are a lossless code of the image. Other
    codes might give the same image, so it is an upper bound on -log p(x).

    ```python
    length = hierarchy.code_length(x)
    length.bits_per_dim, length.nats["codes"]
    ```

    Attributes:
        nats: negative log-likelihood of each image at each scale given the scales before it, `[n]`, coarse to fine.
        dims: numbers of the grid of each scale.
    """

    nats: Mapping[str, Float[Tensor, " n"]]
    dims: Mapping[str, int]

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {float(nats.mean()):.2f}" for name, nats in self.nats.items())
        return f"CodeLength({float(self.total.mean()):.2f} nats: {parts})"

    @property
    def total(self) -> Float[Tensor, " n"]:
        """Sum over the scales, in nats."""
        return torch.stack(list(self.nats.values())).sum(0)

    @property
    def bits_per_dim(self) -> Float[Tensor, " n"]:
        """Bits of all scales, per number of the finest grid."""
        return bits_per_dim(self.total, list(self.dims.values())[-1])

    def bits_per_number(self, scale: str) -> Float[Tensor, " n"]:
        """Bits of a scale per number of its grid: bits per code, or bits per sub-pixel."""
        return bits_per_dim(self.nats[scale], self.dims[scale])
