"""Words of the captions that a model was trained on: which words of a prompt it has never seen, and what is near them.

The words are part of the record of the training, `training.captions` in `config.json`. Needs no torch.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from pointillist.conditioning.text_encoders import EmbeddingCache, normalize_text

if TYPE_CHECKING:
    from pointillist.model.folder.generation import MeasuredPrompts

MAX_WORDS = 20_000  # about 150 kB
CAPTIONS = "captions"  # key in the record of a training
_CANDIDATES = 300  # most frequent words among which an encoder looks for a meaning
_NEAR = 0.6  # cosine of vectors from which a word that was never seen is understood all the same
_LIKE = 0.7  # ratio of letters from which a word may be a misspelling of another
_MISSPELT = 0.84  # ratio of letters from which a prompt is taken for a misspelling of a name
_SHOWN = 4
MAX_DESCRIBED = 20
"""Prompts of a request that sentences are written about."""
_ARTICLES = frozenset({"an", "the"})  # single letters do not count as words


@dataclass(frozen=True)
class Vocabulary:
    """Words of captions, the most frequent first.

    ```python
    Vocabulary.of_captions(["a red heart", "heart, small"]).words[0]  # "heart"
    ```

    Attributes:
        words: at most `MAX_WORDS`.
        commas: whether any caption has a comma.
        complete: whether these are all words.
    """

    words: tuple[str, ...]
    commas: bool
    complete: bool

    @classmethod
    def of_captions(cls, captions: Iterable[str]) -> Vocabulary:
        """Count the words of captions."""
        counts: Counter[str] = Counter()
        commas = False
        for caption, number in Counter(captions).items():
            commas |= "," in caption
            counts.update(dict.fromkeys(split_words(caption), number))
        result = [word for word, _ in counts.most_common(MAX_WORDS)]
        return cls(tuple(result), commas, len(counts) <= MAX_WORDS)

    @classmethod
    def of_record(cls, training: Mapping[str, Any]) -> Vocabulary | None:
        """Read the vocabulary from the record of a model's training; None where there is none."""
        record = training.get(CAPTIONS)
        if not isinstance(record, dict) or not isinstance(record.get("words"), str):
            return None
        words = split_words(record["words"])[
            :MAX_WORDS
        ]  # of a stranger's file: words, and no more of them than are stored
        return cls(tuple(words), bool(record.get("commas")), bool(record.get("complete")))

    def to_record(self) -> dict[str, Any]:
        """Return what is stored: JSON values."""
        return {"words": " ".join(self.words), "commas": self.commas, "complete": self.complete}


def split_words(text: str) -> list[str]:
    """Split a prompt or caption into words in lower case, without numbers and single letters.

    ```python
    split_words("A red dragon, 2x")  # ["red", "dragon", "2x"]
    ```
    """
    return [word for word in re.findall(r"\w+", normalize_text(text)) if len(word) > 1 and not word.isdigit()]


def describe_unseen_words(
    training: Mapping[str, Any], prompts: Sequence[str], vectors: EmbeddingCache | None = None
) -> list[str]:
    """Write a sentence for each word of some prompts that no caption had and that is near none, with the nearest words.

    A model that stores no vocabulary, or only a part of it, has none.

    Args:
        training: the record of a model's training.
        prompts: prompts.
        vectors: of the model's sentence encoder, which knows words that mean the same; None compares letters alone.

    Example:
        describe_unseen_words(model.training_record, ["a hart"])
        # ["No caption in training is near 'hart': nearest are heart, chart."]
    """
    vocabulary = Vocabulary.of_record(training)
    if vocabulary is None or not vocabulary.words:
        return []
    result = []
    if any("," in prompt for prompt in prompts) and not vocabulary.commas:
        result.append("A comma is part of a prompt: separate several prompts by semicolons.")
    seen = set(vocabulary.words)
    unseen = dict.fromkeys(word for prompt in prompts for word in split_words(prompt) if not _is_seen(word, seen))
    for word in unseen if vocabulary.complete else ():
        near, words = _nearest(vectors, word, vocabulary.words)
        if not near:
            result.append(f"No caption in training is near {word!r}: nearest are {', '.join(words)}.")
    return result


def describe_unmeasured_prompts(
    names: Sequence[str], prompts: Sequence[str], vectors: EmbeddingCache | None = None, missed: Sequence[str] = ()
) -> list[str]:
    """Write a sentence for each prompt that is none of the names that a model shows recognisably, with the nearest.

    What stands behind a comma is style, and is not compared. A prompt is sampled as it was typed.

    Args:
        names: names that the model was measured to show, the most frequent first.
        prompts: prompts.
        vectors: as in `describe_unseen_words`.
        missed: names that were measured, and that samples seldom showed: they are not misspellings.

    Example:
        describe_unmeasured_prompts(["heart", "key"], ["keys"])
        # ["This model was not measured to show 'keys': of the names that it shows, the nearest is 'key'."]
    """
    known = {frozenset(split_words(name)) for name in names}
    result = []
    for prompt in prompts:
        subject = " ".join(word for word in split_words(prompt.partition(",")[0]) if word not in _ARTICLES)
        if not subject or not names or frozenset(subject.split()) in known:
            continue
        same = [] if subject in missed else _singular_or_misspelt(subject, names)
        nearest = same or _nearest(vectors, subject, names)[1]
        verb = "nearest is" if len(nearest) == 1 else "nearest are"
        shown = ", ".join(map(repr, nearest))
        why = "Samples seldom showed" if subject in missed else "This model was not measured to show"
        result.append(f"{why} {subject!r}: of the names that it shows, the {verb} {shown}.")
    return result


def _singular_or_misspelt(subject: str, names: Sequence[str]) -> list[str]:
    """Return the one name of which a subject is the plural, the singular or a misspelling; none otherwise."""
    listed = set(names)
    endings = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"))
    stems = [subject.removesuffix(several) + single for several, single in endings if subject.endswith(several)]
    stems += [f"{subject}s", f"{subject}es"]
    same = [stem for stem in stems if stem in listed]
    return same[:1] or difflib.get_close_matches(subject, names, n=1, cutoff=_MISSPELT)


def _is_seen(word: str, seen: set[str]) -> bool:
    """Return whether a word is known, or differs in a plural only."""
    return bool({word, f"{word}s", word.removesuffix("s"), word.removesuffix("es")} & seen)


def _nearest(encode: EmbeddingCache | None, word: str, words: Sequence[str]) -> tuple[bool, list[str]]:
    """Find the words of similar spelling, then those of similar meaning; tell whether one is near."""
    similar = difflib.get_close_matches(word, words, n=_SHOWN, cutoff=_LIKE)
    if encode is None:
        return False, similar or list(words[:_SHOWN])
    frequent = list(dict.fromkeys([*similar, *words[:_CANDIDATES]]))
    encode.keep([word, *frequent])
    vectors = encode([word, *frequent])
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosines = vectors[1:] @ vectors[0]
    order = [frequent[i] for i in np.argsort(-cosines)]
    return bool(cosines.max() >= _NEAR), list(dict.fromkeys([*similar, *order]))[:_SHOWN]


@runtime_checkable
class PromptedModel(Protocol):
    """Protocol of what is known about the prompts of a model; see `GenerativeModel`."""

    @property
    def measured_prompts(self) -> MeasuredPrompts: ...

    @property
    def training_record(self) -> dict[str, Any]: ...

    @property
    def prompt_vectors(self) -> EmbeddingCache | None: ...


def describe_prompts(model: PromptedModel, prompts: Iterable[str | None] | None) -> list[str]:
    """Write a sentence for each prompt that a model was not measured to show, or for its words that are new to it.

    At most `MAX_DESCRIBED` prompts are looked at, each once.

    Example:
        describe_prompts(pt.load("icons"), ["keys"])
    """
    texts = list(islice(dict.fromkeys(text for text in prompts or () if text and text.strip()), MAX_DESCRIBED))
    measured = model.measured_prompts
    if not texts:
        return []
    if measured.recognised:
        return describe_unmeasured_prompts(measured.recognised, texts, model.prompt_vectors, measured.missed)
    return describe_unseen_words(model.training_record, texts, model.prompt_vectors)
