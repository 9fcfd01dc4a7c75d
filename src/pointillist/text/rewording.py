"""Captions said in other words: templates, synonyms, words left out. A pure function of the seed and the image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np


def reword(
    text: str,
    draws: np.random.Generator,
    *,
    templates: Sequence[str] = (),
    synonyms: Mapping[str, Sequence[str]] | None = None,
    dropout: float = 0.0,
    part_dropout: float = 0.0,
) -> str:
    """One way to say `text`.

    Args:
        templates: such as "a picture of {}", one of which is chosen; "{}" is the caption itself.
        synonyms: other words for a word (lower case); it and each of them are equally likely.
        dropout: share of captions of two words or more that lose one.
        part_dropout: probability with which each part between commas is left out; one that is drawn always stays.
    """
    lose, which, template = draws.random(3)
    if part_dropout:
        text = _shortened(text, draws, part_dropout)
    words = text.split()
    if len(words) > 1 and lose < dropout:
        del words[int(which * len(words))]
    if synonyms:
        words = [_other(word, synonyms, draws) for word in words]
    said = " ".join(words)
    return templates[int(template * len(templates))].replace("{}", said) if templates else said


def _shortened(text: str, draws: np.random.Generator, dropout: float) -> str:
    parts = [part.strip() for part in text.split(",")]
    stays, lost = int(draws.random() * len(parts)), draws.random(len(parts)) < dropout
    return ", ".join(part for number, part in enumerate(parts) if number == stays or not lost[number])


def _other(word: str, synonyms: Mapping[str, Sequence[str]], draws: np.random.Generator) -> str:
    match = re.fullmatch(r"(\W*)(\w+)(\W*)", word)
    if match is None or match[2].lower() not in synonyms:
        return word
    choices = [match[2], *synonyms[match[2].lower()]]
    return match[1] + choices[int(draws.random() * len(choices))] + match[3]
