"""Two small networks that give captions and images vectors of length 1, alike where they belong together.

After Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021 (arXiv
2103.00020). They learn from the training images alone (`training/align.py`) and stay as they are from then on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pointillist.conditioning.numbers import level_vectors, numbers_of, width_of_level
from pointillist.images import ImageSpec
from pointillist.text import NOTHING

HEARD = 0.5
"""Share of words and n-grams that are heard in training."""


class CaptionTower(nn.Module):
    """Captions, from their words and n-grams, from the vector of an encoder, or from both.

    Args:
        buckets: of words and n-grams; 0 where they are not read.
        sentence: numbers of the encoder's vector; 0 where there is none.
        hidden, size: features inside, and numbers of the vector that is made.
    """

    def __init__(self, buckets: int, sentence: int, hidden: int, size: int) -> None:
        super().__init__()
        self.pieces = nn.Embedding(buckets, hidden) if buckets else None
        self.sentence = nn.Linear(sentence, hidden) if sentence else None
        self.dropout = nn.Dropout(0.4)
        self.out = nn.Linear(hidden, size)
        if self.pieces is not None:
            nn.init.normal_(self.pieces.weight, std=0.02)

    def forward(
        self, pieces: Int[Tensor, "n l"] | None, sentences: Float[Tensor, "n s"] | None
    ) -> Float[Tensor, "n d"]:
        """Vectors of captions.

        Args:
            pieces: buckets, `NOTHING` where there is none; None where they are not read.
            sentences: vectors of the encoder, of length 1; None where there is none.
        """
        hidden: Tensor | float = 0.0
        dtype = self.out.weight.dtype
        if self.pieces is not None and pieces is not None:
            there = pieces != NOTHING
            count = there.sum(1, keepdim=True).clamp(min=1)
            if self.training:
                there = there & (torch.rand(there.shape, device=there.device) < HEARD)
            heard = self.pieces(torch.where(there, pieces, 0)) * there[:, :, None]
            hidden = hidden + heard.sum(1) / (count**0.5 * (HEARD if self.training else 1.0))
        if self.sentence is not None and sentences is not None:
            hidden = hidden + self.sentence(sentences.to(dtype) * sentences.shape[1] ** 0.5 / 3)
        assert isinstance(hidden, Tensor)
        return F.normalize(self.out(self.dropout(F.gelu(hidden))), dim=1)


class ImageTower(nn.Module):
    """Images, by convolutions and pooling; of what is left, the mean and the maximum.

    Args:
        width: features of the first convolutions; twice and four times as many further on.
        size: numbers of the vector that is made.
        normed: with batch normalisation, to be trained; see `fused`.
    """

    def __init__(self, image: ImageSpec, width: int, size: int, *, normed: bool = False) -> None:
        super().__init__()
        self.image = image
        self.embedding = level_vectors(image, 8)
        features, sides = image.channels * width_of_level(image, 8), (image.height, image.width)
        layers: list[nn.Module] = []
        for wider in (width, 2 * width, 4 * width):
            for _ in range(2):
                layers.append(nn.Conv2d(features, wider, 3, padding=1))
                layers += [nn.BatchNorm2d(wider)] * normed + [nn.ReLU()]
                features = wider
            if min(sides) > 3:
                layers.append(nn.MaxPool2d(2))
                sides = (sides[0] // 2, sides[1] // 2)
            layers.append(nn.Dropout2d(0.1))
        self.seen = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(2 * features, size)

    def forward(self, levels: Int[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Vectors of images."""
        numbers = numbers_of(levels, self.image, self.embedding, self.out.weight.dtype)
        seen = self.seen(numbers.permute(0, 1, 4, 2, 3).flatten(1, 2))
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)
        return F.normalize(self.out(self.dropout(pooled)), dim=1)

    def fused(self) -> dict[str, Tensor]:
        """The weights of a tower without normalisation that sees the same as this one does in evaluation mode."""
        layers: list[nn.Module] = []
        for layer in self.seen:
            if isinstance(layer, nn.BatchNorm2d):
                before = layers[-1].eval()
                assert isinstance(before, nn.Conv2d)
                layers[-1] = fuse_conv_bn_eval(before, layer.eval())
            else:
                layers.append(layer)
        others = {name: weight for name, weight in self.state_dict().items() if not name.startswith("seen.")}
        return {**others, **{f"seen.{name}": weight for name, weight in nn.Sequential(*layers).state_dict().items()}}
