"""Record of a training in a model folder, and the cost of its integers, which decides the default. Needs no torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.dataclasses import dataclass

from pointillist.conditioning.text_encoders.cache import normalize_text
from pointillist.errors import CheckpointError, counted, format_validation_error

MAX_WORDS = 20_000  # about 150 kB
_SECTION = re.compile(r"\n*## Integer program\n.*?(?=\n## |\Z)", re.DOTALL)


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class IntegerCost:
    """Bits that the integer program of a model costs, compared with its network in floating point.

    ```python
    str(pt.load("runs/digits").integer_cost)  # "0.003 bits/dim on 179 validation images"
    ```

    Attributes:
        bits_per_dim: bits/dim of the integer program, less the bits/dim in floating point on the same images.
        images: number of these images.
        split: split of the data set that they are from.
        is_default: whether the engine `auto` takes the integer program.
    """

    bits_per_dim: float
    images: int
    split: str
    is_default: bool = True

    def __str__(self) -> str:
        kind = "validation image" if self.split == "valid" else "training image"
        return f"{bits_text(self.bits_per_dim)} on {counted(self.images, kind)}"

    @property
    def why_floats(self) -> str:
        """A clause that says why `auto` computes in floating point; empty if it takes the integer program."""
        return "" if self.is_default else f"its integers cost {bits_text(self.bits_per_dim)}"


def split_words(text: str) -> list[str]:
    """Split a prompt or caption into words in lower case, without numbers and single letters.

    ```python
    split_words("A red dragon, 2x")  # ["red", "dragon", "2x"]
    ```
    """
    return [word for word in re.findall(r"\w+", normalize_text(text)) if len(word) > 1 and not word.isdigit()]


def _stored_words(words: Any) -> tuple[str, ...]:
    """Return the words of a stranger's file, and no more of them than are stored."""
    if not isinstance(words, str):
        raise ValueError("must be words, separated by spaces")
    return tuple(split_words(words)[:MAX_WORDS])


class Vocabulary(BaseModel):
    """Words of captions, the most frequent first; they are stored as a text.

    ```python
    Vocabulary.of_captions(["a red heart", "heart, small"]).words[0]  # "heart"
    ```

    Attributes:
        words: at most `MAX_WORDS`.
        commas: whether any caption has a comma.
        complete: whether these are all words.
    """

    words: Annotated[tuple[str, ...], BeforeValidator(_stored_words), PlainSerializer(" ".join)]
    commas: bool = False
    complete: bool = False

    @classmethod
    def of_captions(cls, captions: Iterable[str]) -> Vocabulary:
        """Count the words of captions."""
        counts: Counter[str] = Counter()
        commas = False
        for caption, number in Counter(captions).items():
            commas |= "," in caption
            counts.update(dict.fromkeys(split_words(caption), number))
        words: Any = " ".join(word for word, _ in counts.most_common(MAX_WORDS))
        return cls(words=words, commas=commas, complete=len(counts) <= MAX_WORDS)


class TrainingRecord(BaseModel):
    """Record of a training, which a model folder stores under `training` in `config.json`; further entries are kept.

    ```python
    pt.load("digits").training_record.step  # 1900
    ```

    Attributes:
        record: settings of the run, by their section.
        notes: sentences on how the images were read.
        captions: words of the captions.
        adjacency: pairs of neighbours in maps, as `pairs_to_record` makes them.
        step, best_step: the last step, and the step of least bits/dim.
        valid_bits_per_dim: bits/dim of the validation images.
        pointillist, torch: versions.
        platform, date: where and when the training ended.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", populate_by_name=True)

    record: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    captions: Vocabulary | None = None
    adjacency: Any = None
    step: int | None = None
    valid_bits_per_dim: float | None = None
    best_step: int | None = None
    pointillist: str = ""
    torch: str = ""
    platform: str = Field("", alias="machine")
    date: str = ""

    @property
    def is_empty(self) -> bool:
        """True for a model that was not trained."""
        return not self.model_fields_set

    @property
    def data(self) -> dict[str, Any]:
        """Settings of the training images; empty without a record."""
        return self.record.get("data", {})

    def stored(self, cost: IntegerCost | None) -> dict[str, Any]:
        """Return what is stored, with the cost of the integers: JSON values."""
        integers = {} if cost is None else {"integers": asdict(cost)}
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True) | integers

    @classmethod
    def read(cls, stored: Any, path: Path) -> tuple[TrainingRecord, IntegerCost | None]:
        """Read what `stored` returned; a cost of another form is left out.

        Raises:
            CheckpointError: naming the file and what is damaged.
        """
        try:
            entries = dict(stored)
            cost = entries.pop("integers", None)
            record = cls.model_validate(entries)
        except (TypeError, ValueError) as error:
            problem = '"training" must be a table.'
            if isinstance(error, ValidationError):
                problem = format_validation_error(error, 'an entry of "training"')
            raise CheckpointError(f"{path} is damaged: {problem}") from error
        try:
            return record, IntegerCost(**cost)
        except (TypeError, ValidationError):
            return record, None


def engine_text(engine: str, why_floats: str = "") -> str:
    """Describe what computes a distribution: the integer program, or floating point and why.

    ```python
    engine_text("torch", "this model has no integer program")  # "floating point: this model has no integer program"
    ```
    """
    if engine == "integer":
        return "integer program"
    return f"floating point: {why_floats}" if why_floats else "floating point"


def bits_text(bits_per_dim: float) -> str:
    """Write a cost with its unit, and no minus before a zero.

    ```python
    bits_text(-0.0001)  # "0.000 bits/dim"
    ```
    """
    return f"{round(bits_per_dim, 3) + 0.0:.3f} bits/dim"


def card_with_cost(card: str, cost: IntegerCost | None) -> str:
    """Return a model card whose section on the integer program states its cost; without a cost, it has no section."""
    without = _SECTION.sub("\n", card)
    if cost is None:
        return without
    default = (
        "It samples and scores by default." if cost.is_default else "Floating point samples and scores by default."
    )
    return f"{without.rstrip()}\n\n## Integer program\n\nThe model in integers costs {cost}. {default}\n"
