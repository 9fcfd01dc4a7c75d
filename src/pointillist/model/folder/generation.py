"""Sampling settings that suit a model, prompts that it was measured to show, and its words by kind. No torch."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from pointillist.data.pixels import BROKEN, bounded, open_picture, upright
from pointillist.distributions.transform import Transform
from pointillist.errors import CheckpointError, ConfigError, DataError, format_validation_error
from pointillist.files.arrays import GENERATION, PROMPTS
from pointillist.files.reading import read_json
from pointillist.images import ImageSpec
from pointillist.images.array_types import Int
from pointillist.model.folder.grammar import Grammar, Phrase, Phrases

_GROUP = re.compile(r"\[([^\[\]]+)\]")
_SLOT = re.compile(r"\{([^{}=]+)(?:=([^{}]+))?\}")


class WordKinds(BaseModel):
    """Words by kind, and a sentence with a slot for each.

    Groups of the sentence stand in brackets, slots in braces. The last slot of a group is its head: without a word for
    it the group is left out. `{relation=on}` has a usual word, and `a/an` is the article that fits what follows.

    ```python
    kinds = {"colour": ("red",), "thing": ("cat", "owl"), "support": ("sofa",), "relation": ("on", "under")}
    words = WordKinds(kinds=kinds, sentence="[a/an {colour} {thing}] [{relation=on} a/an {colour} {support}]")
    ```

    Attributes:
        kinds: words, or phrases, by the name of their kind; a word may be of several.
        sentence: a sentence for words that are chosen; empty without.
        grammar: sentences that the captions have; without any, prompts are read word by word.
        others: other words, with spaces between, that are spelled like one of these and misspell none; empty takes the
            vocabulary of the sentence encoder.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kinds: dict[Phrase, Phrases] = Field(default_factory=dict, max_length=50)
    sentence: str = Field("", max_length=1000)
    grammar: Grammar = Grammar()
    others: str = Field("", max_length=100_000)

    @cached_property
    def as_json(self) -> str:
        """JSON of the words, by which those who read prompts are remembered."""
        return self.model_dump_json()

    @model_validator(mode="after")
    def _check(self) -> WordKinds:
        """Check that the sentence consists of groups, whose slots are kinds."""
        for group in _GROUP.findall(self.sentence) + [""] * bool(_GROUP.sub("", self.sentence).strip()):
            slots = _SLOT.findall(group)
            if not slots or any(
                kind not in self.kinds or usual not in ("", *self.kinds[kind]) for kind, usual in slots
            ):
                raise ValueError(f"a sentence has groups in brackets, with slots of the kinds {', '.join(self.kinds)}")
        return self


MAX_PICTURE_BYTES = 65_536
MAX_PICTURE = 65_536  # pixels of an example, as many as the studio paints

_DIGITS = str.maketrans(".#", "01")

Row = Annotated[str, Field(min_length=1, max_length=256, pattern="^[.#0-9]+$")]
Example = Annotated[str, Field(min_length=1, max_length=200)]
Examples = Annotated[tuple[Example, ...], Field(max_length=100)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", defer_build=True))
class ExampleHint:
    """A hint image that shows what a model can do.

    ```python
    ExampleHint(name="dot", rows=("...", ".#.", "...")).levels  # [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    ```

    Attributes:
        name: one or two words.
        rows: a character for each pixel: a digit is a level, `.` is 0 and `#` is 1.
    """

    name: Example
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=256)]

    @property
    def levels(self) -> list[list[int]]:
        """Levels `[h w]`."""
        return [[int(digit) for digit in row.translate(_DIGITS)] for row in self.rows]

    def __post_init__(self) -> None:
        if len({len(row) for row in self.rows}) > 1:
            raise ValueError(f"the rows of {self.name!r} must be of one length")


@dataclass(frozen=True, config=ConfigDict(extra="forbid", defer_build=True))
class ExamplePicture:
    """A picture that shows what a model can do: score, fill and compress it.

    ```python
    pt.load("photos").generation_config.pictures[0].sizes["PNG"]
    ```

    Attributes:
        name: some words, with the licence.
        png: the file, as base64.
        sizes: bytes of the picture in other formats, by name.
    """

    name: Example
    png: Annotated[str, Field(max_length=MAX_PICTURE_BYTES)]
    sizes: Annotated[dict[Example, Annotated[int, Field(ge=1)]], Field(max_length=8)] = field(default_factory=dict)

    def level_array(self, image: ImageSpec) -> Int[np.ndarray, "1 c h w"]:
        """Return the levels of the picture.

        Raises:
            DataError: if it is damaged.
        """
        try:
            data = base64.b64decode(self.png, validate=True)
            with bounded(self.name, MAX_PICTURE), open_picture(data, self.name, ("PNG",), MAX_PICTURE) as picture:
                return image.level_array(upright(picture))
        except (binascii.Error, *BROKEN) as error:
            raise DataError(f"The example picture {self.name!r} is damaged: copy the model again.") from error


FileT = TypeVar("FileT", bound="_File")


class _File:
    """A JSON file of a model folder, which may be missing: its defaults say nothing."""

    name: ClassVar[str]
    max_bytes: ClassVar[int]
    indent: ClassVar[int]

    @classmethod
    def read(cls: type[FileT], folder: Path) -> FileT:
        """Read the file of a model folder; the defaults without a file.

        Raises:
            CheckpointError: if it is too large, not JSON, or an entry is unknown or out of range.
        """
        path = folder / cls.name
        if not path.is_file():
            return cls()
        result = read_json(path, "copy it again, or delete it", CheckpointError, cls.max_bytes)
        try:
            return TypeAdapter(cls).validate_python(result)
        except ConfigError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except ValidationError as error:
            raise CheckpointError(f"{path}: {format_validation_error(error, GenerationConfig.what)}") from error

    @property
    def changed(self) -> dict[str, Any]:
        """The entries that differ from their defaults, ready for JSON."""
        values: dict[str, Any] = TypeAdapter(type(self)).dump_python(self, mode="json", exclude_defaults=True)
        return values

    def dumps(self) -> str:
        """Return the text of the file; empty for the defaults, which need none."""
        return json.dumps(self.changed, indent=self.indent) + "\n" if self.changed else ""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class GenerationConfig(Transform, _File):
    """Sampling settings that suit a model, and examples of its conditions.

    `sample`, the studio and the demo use them where a setting is not given. The file has the name that Hugging Face
    libraries use. A model without it is sampled as it is: guidance 1, temperature 1, top-p 1.

    ```python
    pt.load("icons").generation_config.guidance
    ```

    Attributes:
        guidance, temperature, top_p: as in `Transform`, the defaults of sampling for this model.
        prompts: prompts that show what it can do.
        labels: labels that do.
        hints: hints of one channel that do.
        pictures: pictures to score, fill and compress.
        min_is_white: show and read level 0 as white paper, and the greatest as black ink; see `ImageSpec`.
    """

    what: ClassVar[str] = "a setting of sampling"
    name: ClassVar[str] = GENERATION
    max_bytes: ClassVar[int] = 65_536
    indent: ClassVar[int] = 2

    prompts: Examples = ()
    labels: Examples = ()
    hints: Annotated[tuple[ExampleHint, ...], Field(max_length=20)] = ()
    pictures: Annotated[tuple[ExamplePicture, ...], Field(max_length=4)] = ()
    min_is_white: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="wrap")
    @classmethod
    def _worded(cls, values: Any, validate: Callable[[Any], Any]) -> Any:
        """Raise a `ConfigError` of one sentence."""
        try:
            return validate(values)
        except ValidationError as error:
            raise ConfigError(format_validation_error(error, cls.what)) from error

    def shown(self, image: ImageSpec) -> ImageSpec:
        """Return the images of a model with the colours in which they are shown, written and read.

        Raises:
            ConfigError: if `min_is_white` is set for other images than grey ones.
        """
        return _min_is_white(image) if self.min_is_white else image

    @property
    def sampling(self) -> dict[str, Any]:
        """The changed settings that are keywords of `sample`."""
        values = ((item.name, getattr(self, item.name), item.default) for item in fields(Transform))
        return {name: value for name, value, default in values if value != default}


@lru_cache(maxsize=64)
def _min_is_white(image: ImageSpec) -> ImageSpec:
    """Return a kind of image whose level 0 is white; a model asks for it at every use of its `image`."""
    return ImageSpec(**{**image.model_dump(), "min_is_white": True})


class MeasuredPrompts(_File, BaseModel):
    """Names that samples of a model were recognised by, and how that was measured.

    ```python
    MeasuredPrompts.read(resolve("icons")).recognised[:3]
    ```

    Attributes:
        measured: command and criterion, in a sentence.
        recognised: names that samples show, the most frequent in training first.
        missed: names that were measured too, and whose samples do not show them.
        words: words of the captions by kind, and the sentence that they are put into.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    what: ClassVar[str] = "an entry"
    name: ClassVar[str] = PROMPTS
    max_bytes: ClassVar[int] = 262_144
    indent: ClassVar[int] = 1

    measured: str = Field("", max_length=2000)
    recognised: tuple[Example, ...] = Field((), max_length=5000)
    missed: tuple[Example, ...] = Field((), max_length=5000)
    words: WordKinds = WordKinds()
