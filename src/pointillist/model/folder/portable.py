"""Models that are opened by their stored integer program, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from pydantic import ValidationError

from pointillist.conditioning.hint import HintReader
from pointillist.conditioning.text_encoders import EmbeddingCache
from pointillist.data.tilemaps import TILESET, Tileset
from pointillist.errors import CheckpointError
from pointillist.files.checkpoint.header import CONFIG, read_config
from pointillist.images import ImageSpec
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.integer_cost import IntegerCost
from pointillist.portable import IntegerModel, load
from pointillist.portable.storage import PROGRAM, PROGRAM_TENSORS, has_program
from pointillist.zoo import resolve


@dataclass(frozen=True, kw_only=True)
class PortableModel:
    """A model folder that is sampled from its integer program, and whose weights are not read.

    ```python
    PortableModel.open(Path("digits")).image
    ```

    Attributes:
        integer_model: the integer model.
        image: meaning of its integers.
        generation_config: sampling settings that suit it.
        measured_prompts: names that its samples were recognised by.
        training_record: how it was trained.
        tileset: pictures of its levels; None if there are none.
        integer_cost: what the integer model costs, if that was measured.
    """

    integer_model: IntegerModel
    image: ImageSpec
    generation_config: GenerationConfig
    measured_prompts: MeasuredPrompts
    training_record: dict[str, Any]
    tileset: Tileset | None
    integer_cost: IntegerCost | None = None

    @classmethod
    def open(cls, folder: Path) -> PortableModel:
        """Open a model folder.

        Raises:
            CheckpointError: if it holds no integer program, or is damaged.
        """
        integer_model, config = load(folder), read_config(folder)
        try:
            image = ImageSpec(**config["image"])
        except (ValidationError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder / CONFIG} describes no images: copy the whole folder again.") from error
        if (*image.shape, image.levels) != (
            integer_model.channels,
            integer_model.height,
            integer_model.width,
            integer_model.levels,
        ):
            raise CheckpointError(
                f"{folder / CONFIG} and the integer program next to it do not belong together: copy both."
            )
        training = config.get("training")
        record = training if isinstance(training, dict) else {}
        cost = IntegerCost.pop(record)
        return cls(
            integer_model=integer_model,
            image=image,
            generation_config=GenerationConfig.read(folder),
            measured_prompts=MeasuredPrompts.read(folder),
            training_record=record,
            tileset=Tileset.read(folder / TILESET, image.levels) if (folder / TILESET).is_file() else None,
            integer_cost=cost,
        )

    @classmethod
    def of(cls, model: Any) -> PortableModel:
        """Open the stored program of a bundled model or a folder, or take the program of an open model.

        Raises:
            EngineError: if there is no program.

        Example:
            PortableModel.of("digits").image
        """
        if isinstance(model, cls):
            return model
        folder = resolve(str(model)) if isinstance(model, (str, Path)) else None
        if folder is not None and has_program(folder):
            return cls.open(folder)
        from pointillist.model.folder.pretrained import as_model

        pixel_model = as_model(model)
        return cls(
            integer_model=pixel_model.integer_model().integers,
            image=pixel_model.image,
            generation_config=pixel_model.generation_config,
            measured_prompts=pixel_model.measured_prompts,
            training_record=pixel_model.training_record,
            tileset=pixel_model.tileset,
            integer_cost=pixel_model.integer_cost,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        return self.integer_model.classes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the integer model."""
        return self.integer_model.fingerprint

    @property
    def prompt_vectors(self) -> EmbeddingCache | None:
        """Vectors of the frozen sentence encoder; None for a model without one."""
        reader = self.integer_model.reader("text")
        return None if reader is None else reader.vectors

    @property
    def hint_reader(self) -> HintReader | None:
        """Kind of hint; None for a model without, or whose program cannot encode it."""
        reader: HintReader | None = self.integer_model.reader("hint")
        return reader

    def order(self, name: str | None = None) -> PixelOrder:
        """Return one of its generation orders; without a name, its first."""
        return self.integer_model.order(name)

    def generation_rank(self, height: int, width: int, order: PixelOrder) -> Int[np.ndarray, "h w"]:
        """Return the rank of each pixel in a generation order."""
        return self.integer_model.generation_rank(height, width, order)

    def check_array(self, x: Int[np.ndarray, "b c h w"]) -> Int[np.ndarray, "b c h w"]:
        """Check that `x` is a batch of its images; see `IntegerModel.check`."""
        return self.integer_model.check(x)

    def has_size(self, size: tuple[int, int] | None) -> bool:
        """Return True if images of a size can be sampled: maps of conditions are stored for the model's own."""
        own = size is None or size == (self.image.height, self.image.width)
        return own or all(part.any_size for parts in self.integer_model.parts for part in parts)


def program_files(folder: Path) -> tuple[bytes, bytes]:
    """Return the JSON text and the arrays of the integer program of a model folder.

    Raises:
        CheckpointError: if it holds none.
    """
    paths = folder / PROGRAM, folder / PROGRAM_TENSORS
    if not all(path.is_file() for path in paths):
        raise CheckpointError(
            f"{folder} has no integer program, which an export runs: make one with `pointillist quantize --integer`."
        )
    return paths[0].read_bytes(), paths[1].read_bytes()
