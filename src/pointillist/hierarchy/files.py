"""The folder of a hierarchy: `hierarchy.json`, and a folder for each stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.errors import CheckpointError, format_validation_error
from pointillist.files.checkpoint.header import HIERARCHY_FILE
from pointillist.files.reading import read_json
from pointillist.files.writing import write_text
from pointillist.hierarchy.config import CODES, MAX_SCALES, PIXELS, TOKENIZER, scale_names

_FORMAT = {"format": "pointillist-hierarchy", "format_version": 1}


class HierarchyFile(BaseModel):
    """Contents of `hierarchy.json`.

    Attributes:
        scales: scales of codes.
        tokenized: whether tokenizers make the codes; otherwise the user does.
        pixels: whether there is a model of the pixels given the codes.
        data: how the images of the training were read, as in a run file.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    scales: int = Field(ge=1, le=MAX_SCALES)
    tokenized: bool
    pixels: bool
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the folders, in the order of their training."""
        names = scale_names(TOKENIZER, self.scales) if self.tokenized else []
        return (*names, *reversed(scale_names(CODES, self.scales)), *([PIXELS] if self.pixels else []))

    def write(self, folder: Path) -> None:
        """Write the file."""
        write_text(folder / HIERARCHY_FILE, json.dumps({**_FORMAT, **self.model_dump(mode="json")}, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> HierarchyFile:
        """Read the file, and check that each stage has a folder with a model.

        Raises:
            CheckpointError: if the folder is not a hierarchy, is damaged, or is not trained to its end.
        """
        path = folder / HIERARCHY_FILE
        if not path.is_file():
            raise CheckpointError(
                f"{folder} contains no {HIERARCHY_FILE}: give the folder of `pointillist train --model hierarchy`."
            )
        record = read_json(path, "the folder is damaged; copy it again", CheckpointError)
        if not isinstance(record, dict) or {key: record.pop(key, None) for key in _FORMAT} != _FORMAT:
            raise CheckpointError(f"{path} is not of a hierarchy of this release: copy the folder again, or upgrade.")
        try:
            result = cls(**record)
        except (ValidationError, TypeError) as error:
            words = format_validation_error(error, "an entry of it") if isinstance(error, ValidationError) else error
            raise CheckpointError(f"{path} does not describe a hierarchy ({words}): copy the folder again.") from error
        for stage in result.stages:
            if not (folder / stage / "config.json").is_file():
                raise CheckpointError(
                    f"{folder} has no {stage!r} yet: train it with `pointillist train --resume --out {folder}`."
                )
        return result
