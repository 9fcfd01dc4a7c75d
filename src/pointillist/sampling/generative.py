"""A model of images as sampling sees it: any of them gives batches that draw levels from uniforms. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.uniforms import Uniforms

if TYPE_CHECKING:
    from pointillist.conditioning import HintReader
    from pointillist.conditioning.text_encoders import EmbeddingCache
    from pointillist.data.tilemaps import Tileset
    from pointillist.engine.constraints.masks import LevelMask
    from pointillist.engine.program import IntArray
    from pointillist.images import ImageSpec
    from pointillist.images.ordering import PixelOrder
    from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts

OnRow = Callable[[int, Any], None]
"""Called with the number of rows done and the levels so far, in the orientation of the image."""
OnBatchRow = Callable[[int, int, Any], None]
"""Called with the number of images finished before this batch, rows done, and the levels of the batch."""


@runtime_checkable
class GenerativeModel(Protocol):
    """A model that can be sampled: a pixel model, its stored integer program without torch, or a hierarchy.

    Attributes:
        image: meaning of the integers of its images.
        classes: names of the labels; empty for none.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        tileset: pictures of its levels; None if there are none.
        training_record: how it was trained.
        fingerprint: names what its samples depend on.
        prompt_vectors: vectors of the frozen sentence encoder; None for a model without one.
        hint_reader: what it takes as a hint; None for a model that takes none.
    """

    @property
    def image(self) -> ImageSpec: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def generation_config(self) -> GenerationConfig: ...

    @property
    def measured_prompts(self) -> MeasuredPrompts: ...

    @property
    def tileset(self) -> Tileset | None: ...

    @property
    def training_record(self) -> dict[str, Any]: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def prompt_vectors(self) -> EmbeddingCache | None: ...

    @property
    def hint_reader(self) -> HintReader | None: ...

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first."""

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order."""

    def check_array(self, x: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images."""


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """Images that are asked for.

    Attributes:
        n: number of images.
        label, text: one for all images or one each; None for none.
        conditions: others by keyword, in the same way.
        config: settings; engine and order may still be to be resolved.
        size: height and width.
    """

    n: int
    label: Any
    text: Any
    conditions: Mapping[str, Any]
    config: SamplingConfig
    size: tuple[int, int]


@dataclass(frozen=True)
class Drawn:
    """Levels of some images, `[n c h w]`, and their log-likelihood in nats, `[n]`."""

    levels: Int[np.ndarray, "n c h w"]
    nats: Float[np.ndarray, " n"]


@runtime_checkable
class BatchSampler(Protocol):
    """Images that are sampled as one batch, with encoded conditions.

    Attributes:
        labels: label that each image is conditioned on, `[n]`; -1 for none.
    """

    @property
    def labels(self) -> Int[np.ndarray, " n"]: ...

    def draw(
        self, rows: IntArray, uniforms: Uniforms, mask: LevelMask | None = None, on_row: OnRow | None = None
    ) -> Drawn:
        """Draw the images with these numbers in the batch, within a mask, if any."""

    def unconditional_nats(self, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
        """Compute the log-likelihood of an image each without its conditions, in nats."""


@runtime_checkable
class ImageSampler(Protocol):
    """Images that are to be sampled from a model, with checked conditions.

    Attributes:
        config: settings with a resolved engine and order.
        is_conditional: whether any image has a condition, prompts aside.
    """

    @property
    def config(self) -> SamplingConfig: ...

    @property
    def is_conditional(self) -> bool: ...

    def batch(self, start: int, stop: int) -> BatchSampler:
        """Prepare the images `start .. stop`."""


@runtime_checkable
class SelfSampling(Protocol):
    """A model that makes its sampler: a hierarchy, whose scales are sampled in turn."""

    def sampler(self, request: ImageRequest) -> ImageSampler:
        """Check a request."""
