"""A hierarchy as `pointillist sample` sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.engine.selection import EngineChoice, choose_engine

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset
    from pointillist.hierarchy import Hierarchy
    from pointillist.images import ImageSpec
    from pointillist.images.ordering import PixelOrder
    from pointillist.model.folder.generation import GenerationConfig
    from pointillist.sampling.arrays import SampleArrays


@dataclass(frozen=True)
class HierarchySource:
    """A hierarchy, whose scales torch or the engines sample in turn."""

    model: Hierarchy
    engine: EngineChoice

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers of its images."""
        return self.model.image

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels of the coarsest scale."""
        return self.model.classes

    @property
    def generation_config(self) -> GenerationConfig:
        """Sampling settings that suit the coarsest scale."""
        return self.model.codes[-1].generation_config

    @property
    def tileset(self) -> Tileset | None:
        """Pictures of its levels."""
        return None if self.model.pixels is None else self.model.pixels.tileset

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and settings of all scales."""
        from pointillist.checkpoint.tensors import fingerprint
        from pointillist.model.folder.fingerprint import model_fingerprint

        parts = [fingerprint(one.state_dict(), one.config.model_dump(mode="json")) for one in self.model.tokenizers]
        parts += [model_fingerprint(model) for model in self.model.models.values()]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    @property
    def measure(self) -> str:
        """Description of the bits/dim of its samples."""
        if self.model.pixels is not None:
            return "a bound: the codes, and the pixels given the codes"
        return "as the decoder is deterministic" if self.model.tokenizers else "of all scales of codes, per finest code"

    def order(self, name: str | None) -> PixelOrder:
        """Return the generation order of the finest scale; there is no other."""
        from pointillist.errors import ConfigError

        own = list(self.model.models.values())[-1].order()
        if name not in (None, own.name):
            raise ConfigError(f"`--order` (={name!r}) is not for a hierarchy, whose scales have their own orders.")
        return own

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Any:
        """Return the rank of each pixel in the generation order of the finest scale, `[h w]`."""
        return order.rank(height, width)

    def hint(self, hint: Path | None, image: Path | None, size: tuple[int, int] | None) -> dict[str, Any]:
        """Return nothing: the hints of a hierarchy are its codes.

        Raises:
            ConfigError: if a hint is given.
        """
        from pointillist.errors import ConfigError

        if hint is not None or image is not None:
            raise ConfigError(f"`--hint` (={hint or image}) is not for a hierarchy, whose hints are its codes.")
        return {}

    def notes(self, prompts: Sequence[str]) -> list[str]:
        """Name the words of some prompts that no caption had."""
        from pointillist.model.vocabulary import describe_unseen_words

        top = self.model.codes[-1]
        return describe_unseen_words(top.training_record, prompts, top.conditions.prompt_vectors)

    def stream(self, settings: Mapping[str, Any], on_row: Any, first: int) -> Iterator[SampleArrays]:
        """Sample, batch by batch; `settings` are keywords of `pt.sample`."""
        own = {name: value for name, value in settings.items() if name != "order"}
        return (part.numpy() for part in self.model.stream(**own, on_row=on_row, first=first))


def open_hierarchy(name: str, engine: str, device: str, quantize: str | None) -> HierarchySource:
    """Open the folder of a hierarchy.

    Args:
        name: the folder.
        engine, device, quantize: as given.

    Raises:
        CheckpointError, ConfigError: if it cannot be read, or is to be quantized.
    """
    from pointillist.errors import ConfigError
    from pointillist.hierarchy import Hierarchy
    from pointillist.system import resolve_device

    if quantize is not None:
        raise ConfigError(f"`--quantize` (={quantize}) is not for a hierarchy of several models: leave it out.")
    place = resolve_device(device)
    return HierarchySource(Hierarchy.load(name).to(place), choose_engine(engine, place))
