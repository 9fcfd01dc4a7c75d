"""The cluster of an image: one of a number of looks, drawn before the first pixel and known to every pixel.

    log p(k, x | c) = log p(k | c) + log p(x | k, c),    k = argmax_j z(x) . m_j

with z the vector of an image, m_j the mean of a cluster and p(k | c) a softmax over what the vector of a caption has in
common with each mean (`towers.py`), and over how much likelier a label makes the cluster. What a caption says of a
whole image, such as that it is a potion, is a few bits, which the likelihoods of a thousand pixels hide; here they
stand by themselves. p(k, x | c) is exact, sums to 1 over all pairs, and is never more than p(x | c), its sum over k. As
the upper codes of VQ-VAE-2 (Razavi et al. 2019, arXiv 1906.00446) k tells the whole before its parts; but it is one
code, learned from captions and not from pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pointillist.conditioning.label import label_part, resolve_labels
from pointillist.conditioning.listener import Listener
from pointillist.conditioning.text import TextConfig
from pointillist.conditioning.told import CLUSTER, Part, Told
from pointillist.conditioning.towers import CaptionTower, ImageTower
from pointillist.images import ImageSpec


class ClusterConfig(BaseModel):
    """How images are told apart.

    Attributes:
        count: of clusters.
        width: features of a cluster's vector, which every layer hears.
        size, hidden, channels: numbers of the vectors that captions and images share, and features of the networks that
            make them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(128, ge=2, le=65_536)
    width: int = Field(32, ge=1, le=8192)
    size: int = Field(128, ge=1, le=8192)
    hidden: int = Field(256, ge=1, le=8192)
    channels: int = Field(48, ge=1, le=1024)


class ClusterListener(Listener):
    """A learned vector for each cluster and one for none; and which cluster an image has, or what is told makes likely.

    What tells clusters apart gets no gradient here: it is made before the training (`training.align`).
    """

    def __init__(self, config: ClusterConfig, text: TextConfig, classes: Sequence[str], image: ImageSpec) -> None:
        super().__init__()
        self.config, self.classes = config, tuple(classes)
        self.vector_width = config.width
        self.embedding = nn.Embedding(config.count + 1, config.width)
        self.seeing = ImageTower(image, config.channels, config.size)
        buckets = text.buckets if text.learned else 0
        self.saying = CaptionTower(buckets, text.size, config.hidden, config.size)
        self.means = nn.Parameter(torch.zeros(config.count, config.size))
        self.shares = nn.Parameter(torch.zeros(config.count))  # log p(k) of an image without a caption
        self.lifts = nn.Parameter(torch.zeros(config.count))
        self.sharpness = nn.Parameter(torch.zeros(1))
        self.by_label = self.label_weight = None
        if classes:  # log p(k | label) - log p(k), 0 for none; and how much of it holds where a caption is known too
            self.by_label = nn.Parameter(torch.zeros(len(classes) + 1, config.count))
            self.label_weight = nn.Parameter(torch.zeros(1))
        for name, weight in self.named_parameters():
            weight.requires_grad_(name.startswith("embedding"))
        self.train()

    @property
    def fitted(self) -> bool:
        """Whether clusters were made."""
        return bool(self.means.any())

    def train(self, mode: bool = True) -> ClusterListener:
        """Its networks are trained by others."""
        super().train(mode)
        self.seeing.eval()
        self.saying.eval()
        return self

    def resolve(self, asked: Any, count: int, size: tuple[int, int]) -> Part:
        """By number, one for all or one each."""
        return label_part(resolve_labels(asked, [str(k) for k in range(self.config.count)], count, CLUSTER))

    def forward(self, part: Part) -> Float[Tensor, "b d 1 1"]:
        """The vector of each cluster."""
        out: Tensor = self.embedding(torch.where(part.known, part.values, self.config.count))[:, :, None, None]
        return out

    @torch.no_grad()
    def of(self, x: Int[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """The cluster of each image."""
        return (self.vectors(x) @ self.means.T).argmax(1)

    @torch.no_grad()
    def vectors(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Vectors of length 1 of images, the mean of an image and its mirror image."""
        x = x.to(self.means.device)
        return F.normalize(self.seeing(x) + self.seeing(x.flip(3)), dim=1)

    @torch.no_grad()
    def log_prior(self, told: Told) -> Float[Tensor, "b k"]:
        """log p(k | c) of images that are told this caption and label, either or none, in nats."""
        device = self.means.device
        said = [told.parts[name] for name in ("words", "text") if name in told.parts]
        words, text = (told.parts[n].values.to(device) if n in told.parts else None for n in ("words", "text"))
        logits = self.sharpness * self.saying(words, text) @ self.means.T + self.lifts
        known = said[0].known.to(device)[:, None]
        logits = torch.where(known, logits, self.shares)
        if self.by_label is not None and self.label_weight is not None:
            label = told.parts["label"]
            rows = torch.where(label.known, label.values, len(self.classes)).to(device)
            logits = logits + self.by_label[rows] * torch.where(known, self.label_weight, 1.0)
        return logits.double().log_softmax(1)

    def tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """What each class makes likely."""
        return {} if self.by_label is None else {"classes": (self.by_label, self.classes)}
