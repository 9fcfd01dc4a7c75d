"""Free prompts for words that are learned with a model: new words are sampled as the nearest that it knows.

Embeddings of words of which no caption was trained are noise, so such a word is never given to the model. A plural, a
misspelling, a word that means the same, in any language of the sentence encoder, or an emoji is sampled as the nearest
known word; a word that is near none is left out; a sentence says so in each case. Needs no torch.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from pointillist.conditioning.text_encoders.base import WordEncoder, open_encoder
from pointillist.conditioning.text_encoders.cache import EmbeddingCache, embedding_cache, normalize_text
from pointillist.errors import MissingExtraError, quote
from pointillist.model.folder.generation import WordKinds

NEAR = 0.6
"""Cosine of vectors from which a word is sampled as another: of 50 words tried, those below were not the same."""
_SHOWN = 4
_SAID = 8  # sentences about the words of a prompt
_FREE = frozenset({"a", "i"})  # letters that are words; a vocabulary has no single letters
_ARTICLES = frozenset({"a", "an", "the"})
_ARTICLE_AT_END = re.compile(r"\b(an?|the)\s+$", re.IGNORECASE)
_TOKEN = re.compile(r"\w+|[^\w\s]+")


class PromptReading(NamedTuple):
    """A prompt as it is sampled, and what is said about it.

    ```python
    PromptReading("a cat on a sofa", ("'sofabed' is sampled as 'sofa', ...",))
    ```
    """

    text: str
    sentences: tuple[str, ...]


class _Token(NamedTuple):
    """A word or an emoji of a prompt: its text, and its range in the prompt."""

    text: str
    start: int
    stop: int


class KnownWords:
    """The words that a model has learned, and what other words are sampled as.

    ```python
    KnownWords(("cat", "on", "red", "sofa")).read("a kitty on a red sofabed").text  # "a cat on a red sofa"
    ```

    Args:
        words: words of all captions.
        kinds: words by kind, if the model has them.
        spelling: compare letters alone, as an exported page does, which has no sentence encoder.
    """

    words: tuple[str, ...]
    kinds: WordKinds
    spelling: bool

    def __init__(self, words: Sequence[str], kinds: WordKinds | None = None, *, spelling: bool = False) -> None:
        self.words, self.kinds, self.spelling = tuple(words), kinds or WordKinds(), spelling
        phrases = list(dict.fromkeys(phrase for each in self.kinds.kinds.values() for phrase in each))
        self.seen: set[str] = {*words, *(word for phrase in phrases for word in phrase.split())}
        self.names: list[str] = phrases or [word for word in words if word not in _ARTICLES]
        self.nouns: frozenset[str] = self.kinds.nouns

    def read(self, prompt: str) -> PromptReading:
        """Return what is sampled for a prompt, with a sentence for each word that is another or left out."""
        parts: list[str] = []
        sentences: list[str] = []
        end = 0
        for start, stop, meant in self._changes(prompt):
            typed = prompt[start:stop]
            before = prompt[end:start]
            if meant is None and self.nouns and not self._is_noun(prompt[stop:]):
                before = _ARTICLE_AT_END.sub("", before)
            parts += [before, meant or ""]
            end = stop
            sentences.append(self._sentence(typed, meant))
        if not sentences:
            return PromptReading(prompt, ())
        text = _tidied("".join([*parts, prompt[end:]]))
        if not {word for word in re.findall(r"\w+", normalize_text(text)) if word not in _ARTICLES}:
            return PromptReading(
                "", (f"The prompt {quote(prompt)} has no word that this model knows: it is left out.",)
            )
        different = list(dict.fromkeys(sentences))
        if len(different) > _SAID:
            more = f"{len(different) - _SAID:,} more words of the prompt are sampled as others, or left out."
            different = [*different[:_SAID], more]
        return PromptReading(text, tuple(different))

    def describe_unlearned(self, prompt: str) -> list[str]:
        """Write a sentence for each new word of a prompt, which a likelihood counts as it is."""
        sentences = []
        for start, stop, meant in self._changes(prompt):
            nearest = "" if meant is None else f", and the nearest that it knows is {quote(meant)}"
            typed = quote(prompt[start:stop])
            sentences.append(f"This model has not learned {typed}{nearest}: a likelihood takes the prompt as it is.")
        return list(dict.fromkeys(sentences))[:_SAID]

    def _changes(self, prompt: str) -> Iterator[tuple[int, int, str | None]]:
        """Yield ranges of a prompt, with the words that are sampled in their place; None for what is left out."""
        tokens = [_Token(match[0], *match.span()) for match in _TOKEN.finditer(prompt) if _is_word(match[0])]
        skip = -1
        for i, token in enumerate(tokens):
            if i == skip:
                continue
            following = tokens[i + 1] if i + 1 < len(tokens) else None
            if self._is_known(token.text):
                name = self._compound(token, following)
                if name is not None and following is not None:
                    skip = i + 1
                    yield token.start, following.stop, name
                continue
            name = self._nearest(token.text)
            if name is None and following is not None and following.text.lower() in self.names:
                name = following.text if self._by_meaning(f"{token.text} {following.text}") is not None else None
                if name is not None:
                    skip = i + 1
                    yield token.start, following.stop, name
                    continue
            yield token.start, token.stop, name

    def _is_known(self, text: str) -> bool:
        """Return True if captions had a word; nothing is known of letters and numbers without kinds of words."""
        word = text.lower()
        vague = (len(word) == 1 and word.isascii()) or word.isdigit()
        return word in self.seen or word in _FREE or (vague and not self.kinds.kinds)

    def _compound(self, first: _Token, second: _Token | None) -> str | None:
        """Return the noun that two nouns in a row are sampled as, such as "sofa bed"; None for other words."""
        if second is None or first.text.lower() == second.text.lower():
            return None
        pair = f"{first.text} {second.text}".lower()
        if not {first.text.lower(), second.text.lower()} <= self.nouns or self._is_phrase(pair):
            return None
        return self._by_meaning(pair, [first.text.lower(), second.text.lower()]) or second.text.lower()

    def _is_noun(self, text: str) -> bool:
        match = re.match(r"\s*(\w+)", text)
        return match is not None and match[1].lower() in self.nouns

    def _is_phrase(self, pair: str) -> bool:
        return any(f" {pair} " in f" {phrase} " for phrase in self.names)

    def _nearest(self, text: str) -> str | None:
        """Return the word that an unknown one is sampled as: of its spelling, then of its meaning.

        A word that is a letter from a known one, as "horse" is from "house", is not a misspelling of it.
        """
        word = text.lower()
        singular = next((stem for stem in singulars(word) if stem in self.seen), None)
        if singular is not None:
            return singular
        if f"{word}s" in self.seen:
            return f"{word}s"
        spelled = single_edits(word, self.words)
        if len(spelled) == 1 and not self._is_word(word):
            return spelled[0]
        return self._by_meaning(_meaning(text))

    def _is_word(self, word: str) -> bool:
        """Return True if the sentence encoder has a word in its vocabulary."""
        encoder = None if self.vectors is None else self.vectors.encoder
        return isinstance(encoder, WordEncoder) and encoder.is_word(word)

    def _by_meaning(self, text: str, names: Sequence[str] | None = None) -> str | None:
        """Return the name whose vector is nearest, if it is near."""
        if self.vectors is None:
            return None
        names = self.names if names is None else names
        cosines = self._cosines(text, names)
        return names[int(cosines.argmax())] if len(names) and cosines.max() >= NEAR else None

    def _cosines(self, text: str, names: Sequence[str]) -> np.ndarray:
        assert self.vectors is not None
        self.vectors.keep([text, *names])
        vectors = self.vectors([text, *names]).astype(np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        cosines: np.ndarray = vectors[1:] @ vectors[0]
        return cosines

    @cached_property
    def vectors(self) -> EmbeddingCache | None:
        """Vectors of the sentence encoder that comes with the package; None where it is missing."""
        if self.spelling:
            return None
        try:
            return embedding_cache("use", open_encoder("use").fingerprint)
        except (ImportError, MissingExtraError):
            return None

    def _sentence(self, typed: str, meant: str | None) -> str:
        """Say what a word is sampled as."""
        if meant is not None:
            return (
                f"{quote(typed)} is sampled as {quote(meant)}, the nearest that this model knows: quote the prompt to "
                "sample it literally."
            )
        if self.vectors is None or not self.names:
            return f"{quote(typed)} is unknown to this model, and is left out."
        order = np.argsort(-self._cosines(_meaning(typed), self.names), kind="stable")[:_SHOWN]
        nearest = ", ".join(quote(self.names[i]) for i in order)
        return f"{quote(typed)} is unknown to this model, and is left out: the nearest are {nearest}."


@lru_cache(maxsize=8)
def known_words(words: tuple[str, ...], kinds: str) -> KnownWords:
    """Return the words of a model, whose vectors are computed once; `kinds` is JSON of `WordKinds`.

    ```python
    known_words(("cat", "sofa"), WordKinds().model_dump_json()).read("a katze").text  # "a cat"
    ```
    """
    return KnownWords(words, WordKinds.model_validate_json(kinds))


def _is_word(text: str) -> bool:
    """Return True for a word or a symbol, such as an emoji; False for punctuation and signs of arithmetic."""
    return text[0].isalnum() or text[0] == "_" or any(unicodedata.category(each) == "So" for each in text)


def _meaning(text: str) -> str:
    """Return what the sentence encoder reads of a word: the name of an emoji, the word itself otherwise."""
    symbols = [each for each in text if unicodedata.category(each) == "So"]
    return unicodedata.name(symbols[0], text).lower() if symbols else text.lower()


def _tidied(text: str) -> str:
    """Remove the spaces, and the articles, that words left behind which are left out."""
    words = text.split()
    remaining = [word for word, after in zip_longest(words, words[1:], fillvalue="") if not _is_bare(word, after)]
    return " ".join(_agreeing(remaining)).replace(" ,", ",")


def _is_bare(word: str, after: str) -> bool:
    """Return True for an article that no noun can follow."""
    return word.lower() in _ARTICLES and (not after or after.lower() in _ARTICLES)


def _agreeing(words: Sequence[str]) -> Iterator[str]:
    """Yield words, with "a" and "an" as their followers want them."""
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word.lower() in ("a", "an") and after:
            yield ("an" if after[0].lower() in "aeiou" else "a") if word.islower() else word
        else:
            yield word


ENDINGS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"))
"""Endings of plurals, and of their singulars."""
SHORTEST = 5
"""Letters of a name of which misspellings are known."""


def singulars(word: str) -> list[str]:
    """Return what a word may be the plural of.

    ```python
    singulars("batteries")  # ["batterie", "batteri", "battery"]
    ```
    """
    return [word.removesuffix(several) + single for several, single in ENDINGS if word.endswith(several)]


def single_edits(word: str, names: Iterable[str]) -> list[str]:
    """Return the names of five letters or more that differ from a word in one letter; see `is_single_edit`.

    ```python
    single_edits("umbrela", ["umbrella", "heart"])  # ["umbrella"]
    ```
    """
    return [name for name in names if len(name) >= SHORTEST and is_single_edit(word, name)]


def is_single_edit(text: str, other: str) -> bool:
    """Return whether one letter was left out, added or replaced, or two neighbours were exchanged.

    ```python
    is_single_edit("umbrela", "umbrella")  # True
    ```
    """
    short, long = sorted((text, other), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) != len(short):
        return len(long) - len(short) == 1 and short[start:] == long[start + 1 :]
    a, b = short[start:], long[start:]
    return bool(a) and (a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:]))
