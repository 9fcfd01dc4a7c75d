"""Caption augmentation: templates, synonyms, dropped words and dropped parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class CaptionSettings(BaseModel):
    """Settings of `augment_caption`: `[train.captions]`.

    Attributes:
        templates: Sentences around a caption, such as `["{}", "a picture of {}"]`; "{}" stands for the caption, and one
            template is drawn each time.
        synonyms: Alternatives to a word in lower case, such as `{"red": ["crimson"]}`; all are as likely as the word.
        word_dropout: Probability that a caption of two words or more loses one word.
        part_dropout: Probability of dropping each part between commas; one random part always stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    templates: tuple[str, ...] = ()
    synonyms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    word_dropout: float = Field(0.0, ge=0, lt=1)
    part_dropout: float = Field(0.0, ge=0, lt=1)

    @property
    def is_active(self) -> bool:
        """True if `augment_caption` changes any caption."""
        return bool(self.templates or self.synonyms or self.word_dropout or self.part_dropout)


def augment_caption(text: str, rng: np.random.Generator, settings: CaptionSettings) -> str:
    """Draw a variant of a caption. The result depends on `text`, the state of `rng` and the settings alone.

    ```python
    augment_caption("monster, red dragon", np.random.default_rng(0), CaptionSettings(part_dropout=0.5))
    ```
    """
    drop, position, choice = rng.random(3)
    if settings.part_dropout:
        text = _drop_parts(text, rng, settings.part_dropout)
    words = text.split()
    if len(words) > 1 and drop < settings.word_dropout:
        del words[int(position * len(words))]
    if settings.synonyms:
        words = [_draw_synonym(word, settings.synonyms, rng) for word in words]
    caption = " ".join(words)
    templates = settings.templates
    return templates[int(choice * len(templates))].replace("{}", caption) if templates else caption


def _drop_parts(text: str, rng: np.random.Generator, dropout: float) -> str:
    parts = [part.strip() for part in text.split(",")]
    kept, dropped = int(rng.random() * len(parts)), rng.random(len(parts)) < dropout
    return ", ".join(part for number, part in enumerate(parts) if number == kept or not dropped[number])


def _draw_synonym(word: str, synonyms: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    match = re.fullmatch(r"(\W*)(\w+)(\W*)", word)
    if match is None or match[2].lower() not in synonyms:
        return word
    choices = [match[2], *synonyms[match[2].lower()]]
    return match[1] + choices[int(rng.random() * len(choices))] + match[3]
