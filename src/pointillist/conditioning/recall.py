"""What a prompt brings to mind: training images of the captions nearest to it, before the eyes while painting.

Not in the papers of this family; after Blattmann et al., Retrieval-Augmented Diffusion Models, 2022 (arXiv 2204.11824),
who show a generator the neighbours of an image. Here they are those of its caption, which is known beforehand, so the
convolutions that read them look in every direction, as for a hint. An image in training never recalls its own subject:
what it recalls is as far from it as for a prompt that nobody has trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from pointillist.conditioning.hint import HintConfig, HintListener
from pointillist.conditioning.listener import Listener
from pointillist.conditioning.numbers import level_vectors, numbers_of, width_of_level
from pointillist.conditioning.text import TextConfig, prompts_of, resolve_texts
from pointillist.conditioning.told import Part
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.text import CaptionLikeness, Nearest, Prompts, clean, places_of

MAX_CAPTIONS, MAX_BYTES = 65_536, 1 << 28
NOTHING = -1


class RecallConfig(BaseModel):
    """What a model remembers.

    Attributes:
        captions: of the images that it remembers, one for each.
        count: how many images a prompt brings to mind.
        width: features of the map that every layer hears.
        layers: 3x3 convolutions with residuals, at distances 1, 2, 4, 1, ...
        level_width: features of an unordered level that has no colour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    captions: tuple[str, ...] = Field(min_length=1, max_length=MAX_CAPTIONS)
    count: int = Field(4, ge=1, le=64)
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(3, ge=0, le=64)
    level_width: int = Field(8, ge=1, le=1024)

    @field_validator("captions")
    @classmethod
    def _said(cls, captions: tuple[str, ...]) -> tuple[str, ...]:
        if not all(caption.strip() for caption in captions):
            raise ConfigError("`captions` of images to recall must not be empty.")
        return captions


def worth_remembering(texts: Sequence[str], most: int = 3) -> list[int]:
    """Places of the first images of each subject: what a model remembers of a training part."""
    groups = places_of(map(subject, texts)).values()
    return sorted(place for group in groups for place in group[:most] if texts[place].strip())


def subject(caption: str) -> str:
    """The last part between commas, which is the most particular one: "monster, red dragon" is about a red dragon."""
    return clean(caption.rsplit(",", 1)[-1])


class Memory:
    """Which images a text brings to mind: those of the nearest subjects, all that are remembered of each.

    A subject is as near as the nearest of its captions is to the text, plus as it is itself to the subject of the text:
    "red dragon" finds "monster, red dragon" as "monster, red dragon" does.
    """

    def __init__(self, captions: Sequence[str], prompts: Prompts | None) -> None:
        images = places_of(map(subject, captions))
        whole, number = list(dict.fromkeys(captions)), {name: i for i, name in enumerate(images)}
        self._captions, self._subjects = CaptionLikeness(whole, prompts), CaptionLikeness(list(images), prompts)
        self._about = np.array([number[subject(caption)] for caption in whole])
        self._images = [np.array(places) for places in images.values()]
        self._nearest = Nearest(self._likeness)

    def __call__(self, text: str, count: int, without: str | None = None) -> Int[np.ndarray, " m"]:
        """Places of `count` images, the nearest first, or fewer; none has the subject of the caption `without`."""
        near = self._nearest(text, count + 1)
        if without is not None:
            own = subject(without)
            near = near[[self._subjects.captions[int(i)] != own for i in near]]
        places = [self._images[int(i)] for i in near]
        return np.concatenate([*places, np.zeros(0, np.int64)])[:count].astype(np.int64)

    def _likeness(self, text: str) -> Float[np.ndarray, " n"]:
        """How like a text each subject is."""
        score = np.full(len(self._images), -np.inf, np.float32)
        np.maximum.at(score, self._about, self._captions(text))
        score += self._subjects(subject(text))
        return score


class RecallListener(Listener):
    """The images that a prompt brings to mind, side by side, read as one hint."""

    asks = "text"
    images: Tensor

    def __init__(self, config: RecallConfig, text: TextConfig, image: ImageSpec) -> None:
        super().__init__()
        self.config, self.text, self.painted = config, text, image
        self.map_width = config.width
        self.number = np.dtype("u1" if image.levels <= 256 else "<u2")
        size = len(config.captions) * image.channels * image.height * image.width * self.number.itemsize
        if size > MAX_BYTES:
            raise ConfigError(
                f"{len(config.captions):,} images to recall take {size:,} bytes, over the limit of {MAX_BYTES:,}: "
                "train without `recall`, or on fewer captions."
            )
        self.register_buffer("images", torch.zeros(size, dtype=torch.uint8))
        self.register_load_state_dict_post_hook(lambda listener, _: listener._forget())  # type: ignore[no-untyped-call]
        self.embedding = level_vectors(image, config.level_width)
        channels = config.count * image.channels * width_of_level(image, config.level_width)
        self.reader = HintListener(HintConfig(channels=channels, width=config.width, layers=config.layers), image)

    def remember(self, levels: Int[Tensor, "n c h w"]) -> None:
        """Keep an image for each caption, in their order."""
        image = self.painted
        expected = (len(self.config.captions), image.channels, image.height, image.width)
        if tuple(levels.shape) != expected:
            raise ConfigError(f"Images to recall of shape {tuple(levels.shape)} must be {expected}.")
        numbers = levels.cpu().numpy().astype(self.number)
        self.images.copy_(torch.from_numpy(numbers.reshape(-1).view(np.uint8)))
        self._forget()

    @cached_property
    def levels(self) -> Int[Tensor, "n c h w"]:
        """The images that are remembered."""
        image = self.painted
        shape = (len(self.config.captions), image.channels, image.height, image.width)
        found = self.images.cpu().numpy().view(self.number).reshape(shape)
        return torch.from_numpy(np.minimum(found, image.levels - 1).astype(np.int64))  # a file may hold any numbers

    @cached_property
    def memory(self) -> Memory:
        """Finds images; by the words and n-grams alone where the model has no encoder."""
        encoder = self.text.encoder
        return Memory(self.config.captions, prompts_of(encoder, self.text.fingerprint) if encoder else None)

    def resolve(
        self,
        asked: str | Sequence[str] | None,
        count: int,
        size: tuple[int, int],
        *,
        without: Sequence[str] | None = None,
    ) -> Part:
        """Which images each prompt brings to mind.

        Args:
            without: a caption for each image: what has its subject is not recalled.
        """
        texts = resolve_texts(asked, count)
        found = torch.full((count, self.config.count), NOTHING)
        for i, text in enumerate(texts or ()):
            if text.strip():
                places = self.memory(text, self.config.count, None if without is None else without[i])
                found[i, : len(places)] = torch.from_numpy(places)
        return Part(found, (found != NOTHING).any(1))

    def forward(self, part: Part) -> Float[Tensor, "b d h w"]:
        """Features at each site."""
        levels, there = self._found(part)
        numbers = numbers_of(levels, self.painted, self.embedding, self.reader.first.weight.dtype)
        numbers = torch.where(there[:, :, None, None, None, None], numbers, 0.0)
        seen = numbers.permute(0, 1, 2, 5, 3, 4).flatten(1, 3)
        known = part.known[:, None, None, None].expand(-1, 1, *seen.shape[2:])
        out: Tensor = self.reader(Part(seen, known))
        return out

    def _found(self, part: Part) -> tuple[Int[Tensor, "b k c h w"], Bool[Tensor, "b k"]]:
        there = (part.values != NOTHING) & part.known[:, None]
        return self.levels.to(part.values.device)[torch.where(there, part.values, 0)], there

    def _forget(self) -> None:
        """The images were changed."""
        self.__dict__.pop("levels", None)
