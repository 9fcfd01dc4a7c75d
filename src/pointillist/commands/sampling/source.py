"""Where `pointillist sample` takes its images from: a model run by torch, or a stored integer program without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pointillist.commands.hierarchy import is_hierarchy
from pointillist.commands.sampling.hierarchy_source import open_hierarchy
from pointillist.engine.selection import INTEGER_REASON, EngineChoice, choose_engine

if TYPE_CHECKING:
    import numpy as np

    from pointillist.conditioning import HintReader
    from pointillist.data.tilemaps import Tileset
    from pointillist.images import ImageSpec
    from pointillist.images.ordering import PixelOrder
    from pointillist.model.folder.generation import GenerationConfig
    from pointillist.model.folder.portable import PortableModel
    from pointillist.model.pixel_model import PixelModel
    from pointillist.sampling.arrays import SampleArrays

OnBatchRow = Callable[[int, int, Any], None]
INTEGER = "integer program"
"""What bits/dim are of, for a model with an integer program."""


@runtime_checkable
class SampleSource(Protocol):
    """A model that samples, as the command sees it.

    Attributes:
        engine: the engine that samples, and why.
        image, classes, generation_config, tileset: of the model.
        fingerprint: names what its samples depend on.
        measure: what the bits/dim of its samples are.
    """

    @property
    def engine(self) -> EngineChoice: ...

    @property
    def image(self) -> ImageSpec: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def generation_config(self) -> GenerationConfig: ...

    @property
    def tileset(self) -> Tileset | None: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def measure(self) -> str: ...

    def order(self, name: str | None) -> PixelOrder:
        """Return a generation order."""

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Any:
        """Return the rank of each pixel in a generation order, `[h w]`."""

    def hint(self, hint: Path | None, image: Path | None, size: tuple[int, int] | None) -> dict[str, Any]:
        """Read a condition image."""

    def notes(self, prompts: Sequence[str]) -> list[str]:
        """Return what to say of some prompts."""

    def stream(self, settings: Mapping[str, Any], on_row: OnBatchRow | None, first: int) -> Iterator[SampleArrays]:
        """Sample, batch by batch."""


class _OfModel:
    """Names that both kinds of model share."""

    model: PixelModel | PortableModel

    @property
    def image(self) -> ImageSpec:
        """Meaning of its integers."""
        return self.model.image

    @property
    def generation_config(self) -> GenerationConfig:
        """Sampling settings that suit it."""
        return self.model.generation_config

    @property
    def tileset(self) -> Tileset | None:
        """Pictures of its levels."""
        return self.model.tileset

    @property
    def training_record(self) -> dict[str, Any]:
        """Record of its training."""
        return self.model.training_record


@dataclass(frozen=True)
class ModelSource(_OfModel):
    """A model that torch runs."""

    model: PixelModel
    engine: EngineChoice

    @property
    def measure(self) -> str:
        """Description of the bits/dim of its samples."""
        if self.engine.engine == "integer":
            return INTEGER
        obstacle = self.engine.without_program
        return f"floating point, engine {self.engine.engine}" + (f": {obstacle}" if obstacle else "")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.model.config.classes

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights and settings."""
        from pointillist.model.folder.fingerprint import model_fingerprint

        return model_fingerprint(self.model)

    def order(self, name: str | None) -> PixelOrder:
        """Return a generation order."""
        return self.model.order(name)

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Any:
        """Return the rank of each pixel in a generation order, `[h w]`."""
        return self.model.generation_rank(height, width, order)

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model that takes none."""
        return self.model.conditions.hint_reader

    def check_levels(self, x: np.ndarray) -> np.ndarray:
        """Check that `x` is a batch of levels; see `PixelModel.check`."""
        import torch

        return self.model.check(torch.from_numpy(x)).cpu().numpy()

    def hint(self, hint: Path | None, image: Path | None, size: tuple[int, int] | None) -> dict[str, Any]:
        """Read a condition image; see `parse_hint`."""
        from pointillist.commands.sampling.hints import parse_hint

        return parse_hint(self, hint, image, size)

    def notes(self, prompts: Sequence[str]) -> list[str]:
        """Name the words of some prompts that no caption had."""
        from pointillist.model.vocabulary import describe_unseen_words

        return describe_unseen_words(self.model.training_record, prompts, self.model.conditions.prompt_vectors)

    def stream(self, settings: Mapping[str, Any], on_row: OnBatchRow | None, first: int) -> Iterator[SampleArrays]:
        """Sample, batch by batch; `settings` are keywords of `pt.sample`."""
        from pointillist.completion.sample import stream

        return (part.numpy() for part in stream(self.model, **settings, on_row=on_row, first=first))


@dataclass(frozen=True)
class StoredSource(_OfModel):
    """A stored integer program; it needs no torch."""

    model: PortableModel
    engine: EngineChoice
    measure = INTEGER

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.model.classes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the integer model."""
        return self.model.integer_model.fingerprint

    def order(self, name: str | None) -> PixelOrder:
        """Return a generation order."""
        return self.model.integer_model.order(name)

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Any:
        """Return the rank of each pixel in a generation order, `[h w]`."""
        return order.rank(height, width)

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model that takes none."""
        return self.model.hint_reader

    def check_levels(self, x: np.ndarray) -> np.ndarray:
        """Check that `x` is a batch of levels; see `IntegerModel.check`."""
        return self.model.integer_model.check(x)

    def hint(self, hint: Path | None, image: Path | None, size: tuple[int, int] | None) -> dict[str, Any]:
        """Read a condition image; see `parse_hint`."""
        from pointillist.commands.sampling.hints import parse_hint

        return parse_hint(self, hint, image, size)

    def notes(self, prompts: Sequence[str]) -> list[str]:
        """Name the words of some prompts that no caption had."""
        from pointillist.model.vocabulary import describe_unseen_words

        return describe_unseen_words(self.model.training_record, prompts, self.model.prompt_vectors)

    def stream(self, settings: Mapping[str, Any], on_row: OnBatchRow | None, first: int) -> Iterator[SampleArrays]:
        """Sample, batch by batch; `settings` are keywords of `pt.sample`."""
        from pointillist.sampling.config import SamplingConfig
        from pointillist.sampling.stored import StoredPlan

        config = SamplingConfig(**{one.name: settings[one.name] for one in fields(SamplingConfig)})
        plan = StoredPlan.of(
            self.model, settings["n"], settings["label"], settings["text"], hint=settings.get("hint"),
            seed=settings["seed"], config=config, size=settings["size"],
        )  # fmt: skip
        return plan.batches(first, on_row)


def open_source(
    name: str,
    engine: str,
    device: str,
    quantize: str | None,
    size: tuple[int, int] | None,
    *,
    plain: bool,
    hint: bool = False,
) -> SampleSource:
    """Open a model: by its integer program alone where one is stored and the settings permit it, else with torch.

    Args:
        name: a folder, a bundled name or a hub id.
        engine, device, quantize, size: as given.
        plain, hint: see `open_stored`.
    """
    if is_hierarchy(name):
        return open_hierarchy(name, engine, device, quantize)
    from pointillist.sampling.stored import open_stored
    from pointillist.zoo import resolve

    first = choose_engine(engine)  # an error before the model is read
    plain = plain and device == "cpu" and quantize is None
    stored = open_stored(resolve(name), engine, size, plain=plain, hint=hint)
    if stored is not None:
        return StoredSource(stored, EngineChoice("integer", INTEGER_REASON if engine == "auto" else first.reason))
    if first.engine == "cpu" and device == "cpu":
        from pointillist.engine.cpu.precompile import precompile_in_background

        precompile_in_background()  # takes seconds at the first use ever
    from pointillist.commands.models import open_model
    from pointillist.sampling.engines import choose_model_engine

    model = open_model(name, device, quantize)
    return ModelSource(model, choose_model_engine(model, engine, size))
