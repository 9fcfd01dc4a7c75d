"""Caption augmentation: templates, synonyms, words and parts left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class CaptionSettings(BaseModel):
    """Settings of `augment_caption`: `[train.captions]`.

    Attributes:
        templates: sentences around a caption, one of which is drawn each time: `["{}", "a picture of {}"]`; "{}" is
            the caption itself.
        synonyms: other words for a word (lower case), each as likely as the word: `{"red": ["crimson"]}`.
        word_dropout: share of captions of two words or more that lose one.
        part_dropout: probability with which each part between commas is left out; one that is drawn always stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    templates: tuple[str, ...] = ()
    synonyms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    word_dropout: float = Field(0.0, ge=0, lt=1)
    part_dropout: float = Field(0.0, ge=0, lt=1)

    @property
    def anything(self) -> bool:
        """Whether `augment_caption` changes any caption."""
        return bool(self.templates or self.synonyms or self.word_dropout or self.part_dropout)


def augment_caption(text: str, rng: np.random.Generator, settings: CaptionSettings) -> str:
    """Draw a variant of a caption; it depends on `text`, the state of `rng` and the settings alone.

    ```python
    augment_caption("monster, red dragon", np.random.default_rng(0), CaptionSettings(part_dropout=0.5))
    ```
    """
    lose, which, template = rng.random(3)
    if settings.part_dropout:
        text = _shortened(text, rng, settings.part_dropout)
    words = text.split()
    if len(words) > 1 and lose < settings.word_dropout:
        del words[int(which * len(words))]
    if settings.synonyms:
        words = [_other(word, settings.synonyms, rng) for word in words]
    varied = " ".join(words)
    templates = settings.templates
    return templates[int(template * len(templates))].replace("{}", varied) if templates else varied


def _shortened(text: str, rng: np.random.Generator, dropout: float) -> str:
    parts = [part.strip() for part in text.split(",")]
    stays, lost = int(rng.random() * len(parts)), rng.random(len(parts)) < dropout
    return ", ".join(part for number, part in enumerate(parts) if number == stays or not lost[number])


def _other(word: str, synonyms: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    match = re.fullmatch(r"(\W*)(\w+)(\W*)", word)
    if match is None or match[2].lower() not in synonyms:
        return word
    choices = [match[2], *synonyms[match[2].lower()]]
    return match[1] + choices[int(rng.random() * len(choices))] + match[3]
