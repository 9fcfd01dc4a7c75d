"""Vocabulary of a text model: the words of its captions, and the names that it was measured to show.

A prompt that is the plural or a misspelling of such a name is sampled as that name, and a sentence says so; of a model
that has learned its words, each new word of a prompt is sampled as the nearest known one
(`free_prompts.py`). Other sentences name what is nearest to a prompt or a word that is new to the model.
Likelihoods use each prompt as given.
The words are stored in the record of the training, `training.captions` in `config.json`, the names in `prompts.json`.
Needs no torch.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pointillist.conditioning.inputs import parse_prompts
from pointillist.conditioning.text_encoders.cache import EmbeddingCache, normalize_text
from pointillist.conditioning.text_encoders.spelling import SHORTEST, TWICE, misspelling, singulars
from pointillist.errors import ConfigError, quote
from pointillist.model.free_prompts import KnownWords, PromptReading, cosines_of, known_words
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.training_record import TrainingRecord, split_words

if TYPE_CHECKING:
    from pointillist.model.folder.generation import MeasuredPrompts

_log = logging.getLogger(__name__)

_CANDIDATES = 300  # most frequent words among which an encoder looks for a meaning
_NEAR = 0.6  # cosine of vectors from which a word that was never seen is understood all the same
_LIKE = 0.7  # ratio of letters from which a word may be a misspelling of another
_SHOWN = 4
MAX_DESCRIBED = 20
"""Prompts of a request that sentences are written about."""
_ARTICLES = frozenset({"an", "the"})  # single letters do not count as words
_QUOTE = '"'
_QUOTED = re.compile(r'^\s*"([^"]+)"\s*(?=,|$)')


def describe_unseen_words(
    training: TrainingRecord, prompts: Sequence[str], vectors: EmbeddingCache | None = None
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
    vocabulary = training.captions
    if vocabulary is None or not vocabulary.words:
        return []
    result = []
    if any("," in prompt for prompt in prompts) and not vocabulary.commas:
        result.append("A comma is part of a prompt: separate several prompts by semicolons.")
    seen = set(vocabulary.words)
    words_of = dict.fromkeys(word for prompt in prompts for word in split_words(prompt))
    unseen = [word for word in words_of if seen.isdisjoint([word, f"{word}s", *singulars(word)])]
    for word in unseen if vocabulary.complete else ():
        near, words = _nearest(vectors, word, vocabulary.words)
        if not near:
            result.append(f"No caption in training is near {word!r}: nearest are {', '.join(words)}.")
    return result


def _nearest(encode: EmbeddingCache | None, word: str, words: Sequence[str]) -> tuple[bool, list[str]]:
    """Find the words of similar spelling, then of similar meaning; return whether a word is near, too."""
    similar = difflib.get_close_matches(word, words, n=_SHOWN, cutoff=_LIKE)
    if encode is None:
        return False, similar or list(words[:_SHOWN])
    frequent = list(dict.fromkeys([*similar, *words[:_CANDIDATES]]))
    cosines = cosines_of(encode, word, frequent)
    order = [frequent[i] for i in np.argsort(-cosines)]
    return bool(cosines.max() >= _NEAR), list(dict.fromkeys([*similar, *order]))[:_SHOWN]


class Prompts(NamedTuple):
    """Prompts of images, as they are sampled.

    ```python
    Prompts(["heart"], ("'hearts' is sampled as 'heart', ...",))
    ```

    Attributes:
        texts: prompt of each image.
        notes: a sentence for each that is sampled as another or in part, or that is new to the model.
    """

    texts: list[str]
    notes: tuple[str, ...]


def read_prompts(model: LikelihoodModel, value: Any, count: int) -> Prompts | None:
    """Read prompts of `count` images: the one place that decides what is sampled for a word.

    A prompt whose subject, what stands before a comma, is the plural of a name that the model was measured to show is
    sampled as that name. So is one that differs in a letter from one name of at least five, if no caption in training
    had its words. If words were learned with the model, and none of its names was measured, prompts are read by
    `KnownWords`. A prompt or a subject in double quotes is sampled literally, without them. Notes are on the
    first `MAX_DESCRIBED` different prompts.

    Raises:
        ConfigError, ShapeError: as `parse_prompts`; for a negation that the model has not learned.

    Example:
        read_prompts(pt.load("icons"), ["hearts, outline", '"hearts"'], 2).texts  # ["heart, outline", "hearts"]
    """
    prompts = parse_prompts(value, count)
    if prompts is None:
        return None
    learned, seen = learned_words(model), cache(lambda: frozenset(caption_words(model)))
    readings = {
        prompt: _read_learned(learned, prompt)
        if learned and _QUOTE not in prompt
        else _read(prompt, model.measured_prompts, seen)
        for prompt in dict.fromkeys(prompts)
    }
    described = dict(islice(((text, each) for text, each in readings.items() if text.strip()), MAX_DESCRIBED))
    notes = list(_notes(model, described, learned is not None))
    if not described and (isinstance(value, str) or None not in value):
        notes.append("The prompt is empty: images are sampled without one.")
    texts = [type(prompt)(readings[prompt].text) for prompt in prompts]  # a `SpelledPrompt` stays one
    return Prompts(texts, tuple(dict.fromkeys(notes)))


def _notes(model: LikelihoodModel, readings: Mapping[str, PromptReading], learned: bool) -> Iterator[str]:
    measured, reader = model.measured_prompts, model.conditions.prompt_reader
    vectors = None if reader is None else reader.vectors
    yield from filter(None, (reader.describe_unread(reading.text) for reading in readings.values()) if reader else ())
    for typed, reading in readings.items():
        yield from reading.notes
        if reading.notes or (learned and _QUOTE not in typed):  # learned words are known, or an error
            continue
        if not _has_word(typed, measured.recognised):
            yield f"The prompt {typed!r} holds no word: write a name, as captions in training have."
        if measured.recognised:
            yield from describe_unmeasured_prompts(measured.recognised, [reading.text], vectors, measured.missed)
        else:
            yield from describe_unseen_words(model.training_record, [reading.text], vectors)


def learned_words(model: LikelihoodModel) -> KnownWords | None:
    """Return the words that a model has learned; None if a sentence encoder reads its prompts, or names were measured.

    ```python
    learned_words(model).read("a kitty on a sofabed").notes
    ```
    """
    reader, measured, words = model.conditions.prompt_reader, model.measured_prompts, caption_words(model)
    if reader is None or reader.vectors is not None or measured.recognised or not words:
        return None
    return known_words(words, measured.words.as_json)


@lru_cache(maxsize=64)
def _read_learned(learned: KnownWords, prompt: str) -> PromptReading:
    """Read a prompt once, as a sentence takes as long as a third of a small picture."""
    return learned.read(prompt)


def _read(prompt: str, measured: MeasuredPrompts, seen: Callable[[], frozenset[str]]) -> PromptReading:
    """Read a prompt by the names that a model shows; `seen` returns the words of all captions."""
    if _QUOTED.match(prompt):
        return PromptReading(_QUOTED.sub(r"\1", prompt))
    subject, comma, style = prompt.partition(",")
    name = _meant(_subject(subject), measured, seen)
    if name is None:
        return PromptReading(prompt)
    note = f"{subject.strip()!r} is sampled as {name!r}, a name that this model shows: quote it to sample it literally."
    return PromptReading(f"{name}{comma}{style}", (note,))


def _meant(subject: str, measured: MeasuredPrompts, seen: Callable[[], frozenset[str]]) -> str | None:
    """Return the name that a subject is another form of; None if there is none, or it is a name itself."""
    names = measured.recognised
    if not subject or not names or frozenset(subject.split()) in _word_sets(names) or subject in measured.missed:
        return None
    singular = next((stem for stem in singulars(subject) if stem in names), None)
    if singular is not None or not seen() or seen().issuperset(subject.split()):
        return singular
    meant = [name for name in names if len(name) >= SHORTEST and misspelling(subject, name) < TWICE]
    return meant[0] if len(meant) == 1 else None


def caption_words(model: LikelihoodModel) -> tuple[str, ...]:
    """Return the words of all captions, the most frequent first; none where they are not all known.

    ```python
    caption_words(pt.load("icons"))[0]  # "outline"
    ```
    """
    vocabulary = model.training_record.captions
    return vocabulary.words if vocabulary is not None and vocabulary.complete else ()


@lru_cache(maxsize=8)
def _word_sets(names: tuple[str, ...]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(split_words(name)) for name in names)


def _has_word(text: str, names: tuple[str, ...]) -> bool:
    """Return whether a prompt has a word, a number, or a single letter that is one of some names."""
    words = re.findall(r"\w+", normalize_text(text))
    return any(len(word) > 1 or word.isdigit() or word in names for word in words)


def _subject(text: str) -> str:
    return " ".join(word for word in split_words(text) if word not in _ARTICLES)


def describe_unmeasured_prompts(
    names: Sequence[str], prompts: Sequence[str], vectors: EmbeddingCache | None = None, missed: Sequence[str] = ()
) -> list[str]:
    """Write a sentence for each prompt that is none of the names that a model shows recognisably, with the nearest.

    What stands behind a comma is style, and is not compared.

    Args:
        names: names that the model was measured to show, the most frequent first.
        prompts: prompts as they are sampled.
        vectors: as in `describe_unseen_words`.
        missed: names that were measured, and that samples seldom showed.

    Example:
        describe_unmeasured_prompts(["heart", "key"], ["zebra"])
        # ["This model was not measured to show 'zebra': of the names that it shows, the nearest are 'heart', 'key'."]
    """
    result = []
    for prompt in prompts:
        subject = _subject(prompt.partition(",")[0])
        if not subject or not names or frozenset(subject.split()) in _word_sets(tuple(names)):
            continue
        nearest = _nearest(vectors, subject, names)[1]
        verb = "nearest is" if len(nearest) == 1 else "nearest are"
        why = "Samples seldom showed" if subject in missed else "This model was not measured to show"
        result.append(f"{why} {subject!r}: of the names that it shows, the {verb} {', '.join(map(repr, nearest))}.")
    return result


def log_notes(read: Prompts | None) -> None:
    for sentence in () if read is None else read.notes:
        _log.warning(sentence)


def literal_prompts(model: LikelihoodModel, value: Any, count: int) -> list[str] | None:
    """Parse prompts whose likelihood is asked for, and log what `read_prompts` notes of each; they stay as they are.

    Raises:
        ConfigError, ShapeError: as `parse_prompts`.

    Example:
        literal_prompts(pt.load("scenes"), "a froog", 1)  # ["a froog"]
    """
    prompts = parse_prompts(value, count)
    for text in islice(filter(str.strip, dict.fromkeys(prompts or ())), MAX_DESCRIBED):
        sampled, notes = read_prompt(model, text)
        literal = "" if sampled == text else f"A likelihood takes {quote(text)} literally, and a sample does not: "
        if notes:
            _log.warning(literal + " ".join(notes))
    return prompts


def read_prompt(model: LikelihoodModel, text: str) -> PromptReading:
    """Read a prompt as `read_prompts`; one that is refused is empty, and its note says why.

    ```python
    read_prompt(pt.load("scenes"), "no cat").text  # ""
    ```
    """
    try:
        (sampled,), notes = read_prompts(model, text, 1) or Prompts([""], ())
    except ConfigError as error:
        return PromptReading("", (str(error),))
    return PromptReading(sampled, notes)
