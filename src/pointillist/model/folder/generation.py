"""Sampling settings that suit a model, in a file of its folder; read without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.errors import CheckpointError, format_validation_error
from pointillist.files.reading import read_json

GENERATION = "generation_config.json"
MAX_BYTES = 65_536

Example = Annotated[str, Field(min_length=1, max_length=200)]


class GenerationConfig(BaseModel):
    """Sampling settings that suit a model, and examples of its conditions.

    `sample`, the studio and the demo use them where a setting is not given. The file has the name that Hugging Face
    libraries use. A model without it is sampled as it is: guidance 1, temperature 1, top-p 1.

    ```python
    pt.load("icons").generation_config.guidance
    ```

    Attributes:
        guidance, temperature, top_p: defaults of `SamplingConfig` for this model.
        prompts: prompts that show what it can do.
        labels: labels that do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    guidance: float = Field(1.0, ge=0, le=100)
    temperature: float = Field(1.0, ge=0, le=100)
    top_p: float = Field(1.0, gt=0, le=1)
    prompts: tuple[Example, ...] = Field((), max_length=100)
    labels: tuple[Example, ...] = Field((), max_length=100)

    @property
    def sampling(self) -> dict[str, Any]:
        """The settings that differ from those of a model without the file, by the keywords of `sample`."""
        names = {"guidance", "temperature", "top_p"}
        return self.model_dump(include=names, exclude_defaults=True)

    @classmethod
    def read(cls, folder: Path) -> GenerationConfig:
        """Read the file of a model folder; the defaults where there is none.

        Raises:
            CheckpointError: if it is too large, no JSON, or a setting is unknown or out of range.
        """
        path = folder / GENERATION
        if not path.is_file():
            return cls()
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,}.")
        result = read_json(path, "copy it again, or delete it", CheckpointError)
        try:
            return cls.model_validate(result, strict=False)
        except ValidationError as error:
            raise CheckpointError(f"{path}: {format_validation_error(error, 'a setting of sampling')}") from error

    def dumps(self) -> str:
        """Return the text of the file; empty for the defaults, which need none."""
        settings = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(settings, indent=2) + "\n" if settings else ""
