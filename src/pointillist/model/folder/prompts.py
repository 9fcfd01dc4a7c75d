"""Names that a text model was measured to show recognisably, in a file of its folder; read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.errors import CheckpointError, format_validation_error
from pointillist.files.reading import read_json

PROMPTS = "prompts.json"
MAX_BYTES = 262_144

Name = Annotated[str, Field(min_length=1, max_length=200)]


class MeasuredPrompts(BaseModel):
    """Names that samples of a model were recognised by, and how that was measured.

    ```python
    MeasuredPrompts.read(resolve("icons")).recognised[:3]
    ```

    Attributes:
        measured: command and criterion, in a sentence.
        recognised: names that samples show, the most frequent in training first.
        missed: names that were measured too, and whose samples do not show them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured: str = Field("", max_length=2000)
    recognised: tuple[Name, ...] = Field((), max_length=5000)
    missed: tuple[Name, ...] = Field((), max_length=5000)

    @classmethod
    def read(cls, folder: Path) -> MeasuredPrompts:
        """Read the file of a model folder; empty where there is none.

        Raises:
            CheckpointError: if it is too large, not JSON, or not lists of names.
        """
        path = folder / PROMPTS
        if not path.is_file():
            return cls()
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,}.")
        result = read_json(path, "copy it again, or delete it", CheckpointError)
        try:
            return cls.model_validate(result)
        except ValidationError as error:
            raise CheckpointError(f"{path}: {format_validation_error(error, 'an entry')}") from error
