"""Conditional gain: bits that the conditions, and each word of the prompt, save at each sub-pixel; bits by label."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import color_scale_max
from pointillist.conditioning import ConditionInputs, label_input, labels_from_input
from pointillist.errors import ConfigError, quote
from pointillist.files.arrays import Summary
from pointillist.images import channel_names
from pointillist.images.array_types import Float
from pointillist.images.visualization import Chart, heat_map
from pointillist.images.visualization.pixels import ShownAsPicture

MAX_WORDS = 100
"""Most words of a prompt whose bits are computed: each takes a pass over the image and a map of it."""
_LONGEST_NAME = 24  # letters of a word under its map


@dataclass(frozen=True)
class PromptWord:
    """A word of a prompt: what stands between spaces, without the punctuation around it.

    ```python
    [word.text for word in prompt_words("a cat, on a red sofa")]  # ["a", "cat", "on", "a", "red", "sofa"]
    ```

    Attributes:
        text: the word as written.
        index: its index in `prompt.split()`, from 0.
    """

    text: str
    index: int

    def left_out_of(self, prompt: str) -> str:
        """Return the prompt without this word and the punctuation around it; empty for the only word."""
        parts = prompt.split()
        return " ".join(parts[: self.index] + parts[self.index + 1 :])

    def exchanged_in(self, prompt: str, replacement: str) -> str:
        """Return the prompt with another word, or several, in the place of this one."""
        parts = prompt.split()
        parts[self.index] = parts[self.index].replace(self.text, replacement.strip(), 1)
        return " ".join(parts)


def describe_length(num_words: int) -> str:
    """Return a sentence on a prompt with too many words; empty for others."""
    if num_words <= MAX_WORDS:
        return ""
    return (
        f"The prompt has {num_words:,} words, over the limit of {MAX_WORDS} whose bits are computed one by one: "
        "shorten it."
    )


def prompt_words(prompt: str) -> list[PromptWord]:
    """Return the words of a prompt in their order, each occurrence by itself; punctuation alone is not a word.

    A symbol between spaces, such as an emoji, is a word. A language that is written without spaces has one word
    between two spaces, or two marks that are followed by one.
    """
    cores = ((index, _without_punctuation(part)) for index, part in enumerate(prompt.split()))
    return [PromptWord(core, index) for index, core in cores if core]


def _without_punctuation(part: str) -> str:
    inside = [i for i, letter in enumerate(part) if not unicodedata.category(letter).startswith("P")]
    return part[inside[0] : inside[-1] + 1] if inside else ""


@dataclass(frozen=True, eq=False)
class WordGain(Summary):
    """Bits saved by a word: log2 p(x | prompt) - log2 p(x | prompt without it, or with another word in its place).

    Other conditions stay. The bits at a sub-pixel are given the sub-pixels before it: what they have shown already
    needs no word. They sum to the difference of the two log-likelihoods of the image. The bits of several words do
    not sum to the bits of the prompt, since words tell the same, or tell something only together.

    ```python
    for gain in condition_gain(ImageQuery.of(model, x, text="a red sofa")).words:
        print(gain.word.text, gain.bits)
    ```

    Attributes:
        word: the word.
        replacement: the word in its place; None where it is left out (leave-one-out).
        saved: bits saved at each sub-pixel, `[c h w]`; below 0 where the word misleads.
        read: False if the text encoder makes the same of both prompts, so that no bit can differ: of an emoji for
            learned words, for example, or of a word that was repeated.
    """

    _summary = "word=word.text index=word.index replacement saved_bits=bits read"

    word: PromptWord
    replacement: str | None
    saved: Float[np.ndarray, "c h w"] = field(repr=False)
    read: bool = True

    @property
    def bits(self) -> float:
        """Bits saved in the entire image."""
        return float(self.saved.sum())

    @property
    def name(self) -> str:
        """The word, and the word in its place: `red` or `red, not blue`."""
        return self.word.text if self.replacement is None else f"{self.word.text}, not {self.replacement}"


@dataclass(frozen=True, eq=False)
class ConditionGain(ShownAsPicture, Summary):
    """Bits of an image with and without its conditions, and each word of its prompt.

    ```python
    gain = condition_gain(ImageQuery.of(model, x, label="6"))
    gain.saved.sum()  # bits that the label saves
    gain.posterior.argmax()  # the most probable class
    ```

    Attributes:
        conditional, unconditional: surprisal of every sub-pixel with and without the conditions, in bits, `[c h w]`.
        classes: names of the labels; empty for a model without labels.
        class_bits: bits of the whole image under each label, the other conditions unchanged, `[k]`.
        color_max: value of the last colour of a scale, as in `SurprisalMaps`.
        names: names of the channels.
        words: gain of each word of the prompt, left out in turn; empty without a prompt, or if it is too long.
        exchanges: gain of words against others in their place, as given.
        num_words: number of words of the prompt; more than `MAX_WORDS` have no `words`.
    """

    _summary = (
        "words exchanges num_words conditional_bits=conditional.sum unconditional_bits=unconditional.sum "
        "saved_bits=saved.sum classes class_bits posterior"
    )

    conditional: Float[np.ndarray, "c h w"] = field(repr=False)
    unconditional: Float[np.ndarray, "c h w"] = field(repr=False)
    classes: tuple[str, ...]
    class_bits: Float[np.ndarray, " k"]
    color_max: float
    names: tuple[str, ...] = ()
    words: tuple[WordGain, ...] = ()
    exchanges: tuple[WordGain, ...] = ()
    num_words: int = 0

    @property
    def saved(self) -> Float[np.ndarray, "c h w"]:
        """Bits saved by the conditions at each sub-pixel; below 0 where they mislead."""
        saved: np.ndarray = self.unconditional - self.conditional
        return saved

    @property
    def too_long(self) -> str:
        """Sentence on a prompt with too many words; empty for others."""
        return describe_length(self.num_words)

    @property
    def posterior(self) -> Float[np.ndarray, " k"]:
        """Probability of each label given the image, by Bayes' rule with a uniform prior."""
        likelihood = np.exp2(self.class_bits.min(initial=np.inf) - self.class_bits)
        posterior: np.ndarray = likelihood / likelihood.sum()
        return posterior

    def image(self) -> Image.Image:
        """Draw the effect of the conditions at each sub-pixel: blue where they save bits, red where they cost bits."""
        unit = "bits more with the conditions"
        return heat_map(-self.saved, top=self.color_max, unit=unit, captions=self.names, both=True)

    def chart(self, most: int | None = None) -> Chart:
        """Draw the bits that each label saves; without labels, the bits with and without conditions.

        Args:
            most: number of labels to draw, those that save most first; None for all in their order.
        """
        if not self.classes:
            rows = [("unconditional", float(self.unconditional.sum())), ("conditional", float(self.conditional.sum()))]
            return bars_chart(rows, "bits of the image", marked=1)
        saved = (self.unconditional.sum() - self.class_bits).tolist()
        rows = list(zip(self.classes, saved, strict=True))
        if most is None:
            return bars_chart(rows, "bits saved by each label", marked=int(self.class_bits.argmin()))
        rows = sorted(rows, key=lambda row: -row[1])[:most]
        return bars_chart(rows, "bits saved by each label", marked=0)

    def words_image(self) -> Image.Image:
        """Draw the effect of each word at each pixel, and of each exchange: blue where it saves bits, red where not.

        Raises:
            ConfigError: if there is no word.
        """
        gains = (*self.words, *self.exchanges)
        if not gains:
            raise ConfigError("The prompt has no word whose bits were computed: give a prompt, `text`, to the query.")
        names = [_shortened(gain.name) for gain in gains]
        maps = np.stack([-gain.saved.sum(0) for gain in gains])
        top, unit = self.color_max * len(self.saved), "bits more with the word"
        return heat_map(maps, top=top, unit=unit, captions=names, both=True)


def condition_gain(query: ImageQuery, exchange: Mapping[str, str | Sequence[str]] | None = None) -> ConditionGain:
    """Compute the bits that the conditions of an image save, and each word of its prompt; its bits under every label.

    Pointwise mutual information of image and conditions, sub-pixel by sub-pixel. Without any condition, a model with
    labels is conditioned on the label under which the image takes the fewest bits.

    A word is left out, or exchanged, where it stands; the other conditions stay. Without its only word a prompt is
    empty, and the model has none. A caption without one of its words may be unlike all captions of the training;
    captions with a word of the same kind in its place are not. A prompt of more than `MAX_WORDS` words has no `words`.

    Args:
        exchange: words, or several for one, to put in the place of a word of the prompt, at each of its occurrences.

    Raises:
        ConfigError: if the model is unconditional, or `exchange` names a word that the prompt does not have.

    Example::

        gain = condition_gain(ImageQuery.of(model, x, text="a red sofa"), {"red": ["blue", "green"]})
        gain.saved.sum()  # bits saved by the prompt
        gain.words[1].bits  # bits saved by "red", against "a sofa"
        gain.exchanges[0].saved  # [c h w], bits saved by "red" against "a blue sofa"
    """
    model, classes = query.model, query.model.classes
    if not model.conditions.readers:
        raise ConfigError("This model is unconditional: it has no condition whose bits could be measured.")
    by_label = [_with_label(query, label).surprisal for label in range(len(classes))]
    class_bits = np.array([surprisal.sum() for surprisal in by_label])
    best = by_label[int(class_bits.argmin())] if by_label and not query.conditions.is_conditional else query.surprisal
    put = {} if exchange is None else exchange
    exchanges = tuple(word_gain(query, word, other) for word, other in check_exchange(query, put))
    return ConditionGain(
        best,
        query.unconditional().surprisal,
        classes,
        class_bits,
        color_scale_max(model),
        channel_names(model.image),
        word_gains(query),
        exchanges,
        len(_words_of(query)),
    )


def word_gains(query: ImageQuery) -> tuple[WordGain, ...]:
    """Compute the bits saved by each word of the prompt, left out in turn; see `condition_gain`.

    Returns:
        the gains in the order of the words; none without a prompt, or if it has more than `MAX_WORDS` words.

    Example::

        gains = word_gains(ImageQuery.of(model, x, text="a red sofa"))
        [(gain.word.text, gain.bits) for gain in gains]
    """
    words = _words_of(query)
    return () if len(words) > MAX_WORDS else tuple(word_gain(query, word, None) for word in words)


def word_gain(query: ImageQuery, word: PromptWord, replacement: str | None = None) -> WordGain:
    """Compute the bits saved by a word against the prompt without it, or with another in its place.

    Example::

        query = ImageQuery.of(model, x, text="a red sofa")
        word_gain(query, prompt_words(query.prompt)[1], "blue").bits  # bits saved by "red", not "blue"
    """
    prompt = query.prompt or ""
    other = word.left_out_of(prompt) if replacement is None else word.exchanged_in(prompt, replacement)
    conditions = query.model.conditions.with_prompts(query.conditions, [other])
    if conditions.key == query.conditions.key:
        return WordGain(word, replacement, np.zeros(query.shape), read=False)
    without = query.changed(conditions=conditions, prompt=other or None)
    return WordGain(word, replacement, without.surprisal - query.surprisal)


def _with_label(query: ImageQuery, label: int) -> ImageQuery:
    """Return the query under a label; itself if it has that label."""
    value = query.conditions.parts["label"]
    if bool(value.known.all()) and int(labels_from_input(value, 1)[0]) == label:
        return query
    parts = {**query.conditions.parts, "label": label_input(np.array([label]))}
    return query.changed(conditions=ConditionInputs(1, parts))


def _words_of(query: ImageQuery) -> list[PromptWord]:
    """Return the words of the prompt; none for a model that is not conditioned on text."""
    reads = any(reader.keyword == "text" for reader in query.model.conditions.readers.values())
    return prompt_words(query.prompt) if reads and query.prompt else []


def check_exchange(query: ImageQuery, exchange: Any) -> list[tuple[PromptWord, str]]:
    """Check words to exchange in the prompt of a query; return each occurrence with the word in its place.

    Raises:
        ConfigError: if the prompt does not have a word, there is nothing in its place, or there are too many.
    """
    words = _words_of(query)
    names = {word.text.casefold() for word in words}
    if not isinstance(exchange, Mapping):
        raise ConfigError(f"`exchange` (={quote(exchange)}) must be a dictionary: each word, and the one in its place.")
    pairs = [
        (a, b) for a, put in exchange.items() for b in ((put or [None]) if isinstance(put, list | tuple) else [put])
    ]
    for name, other in pairs:
        if not isinstance(name, str) or name.strip().casefold() not in names:
            has = f"has {', '.join(quote(word.text) for word in words[:12])}" if words else "is empty"
            raise ConfigError(f"`exchange` (={quote(name)}) must name a word of the prompt, which {has}.")
        if not isinstance(other, str) or not other.strip():
            raise ConfigError(f"`exchange` of {quote(name)} (={quote(other)}) must be a word to put in its place.")
    chosen = [(word, b.strip()) for a, b in pairs for word in words if word.text.casefold() == a.strip().casefold()]
    if len(chosen) > MAX_WORDS:
        raise ConfigError(f"`exchange` asks for {len(chosen):,} exchanges, over the limit of {MAX_WORDS}: give fewer.")
    return chosen


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\u2026"
