"""Free prompts for words that are learned with a model: new words are sampled as the nearest that it knows.

Embeddings of words of which no caption was trained are noise, so such a word is never given to the model. A plural, a
misspelling, a word that means the same, in any language of the sentence encoder, or an emoji is sampled as the nearest
known word of a kind that stands at its place; a word that is near none is left out, and so are a colour that its thing
cannot take, and what the grammar of the captions does not cover. A sentence says so in each case. Needs no torch.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from pointillist.conditioning.text_encoders.cache import EmbeddingCache, embedding_cache, open_encoder
from pointillist.conditioning.text_encoders.spelling import (
    LIKELY,
    NEIGHBOUR,
    OTHER,
    SHORTEST,
    TWICE,
    edit_distance,
    misspelling,
    singulars,
)
from pointillist.errors import ConfigError, MissingExtraError, quote
from pointillist.model.folder.generation import WordKinds
from pointillist.model.folder.grammar import ARTICLES, either

NEAR = 0.6
"""Cosine of vectors from which a word is sampled as another: of 50 words tried, those below were not the same."""
_SHOWN = 4
_EACH = 2  # examples of each kind of words
_SAID = 8  # sentences about the words of a prompt
_FREE = frozenset({"a", "i"})  # letters that are words; a vocabulary has no single letters
_NEGATIONS = frozenset(["no", "not", "without", "never", "none", "nothing", "neither", "nor", "non"])
_FORM = -1  # of a word in the plural or singular: likelier than any misspelling
_LOOKED_UP = 200  # words of a prompt whose nearest are looked for
_KINDS = NOUN, COLOUR, FUNCTION = "noun", "colour", "function"
_TOKEN = re.compile(r"\w+|[^\w\s]+")


class PromptReading(NamedTuple):
    """A prompt as it is sampled, and what is said about it.

    ```python
    PromptReading("a cat on a sofa", ("'sofabed' is sampled as 'sofa', ...",))
    ```

    Attributes:
        text: the prompt that is sampled.
        notes: a sentence for whatever is sampled as something else, or left out.
    """

    text: str
    notes: tuple[str, ...] = ()


class KnownWords:
    """The words that a model has learned, and what other words are sampled as.

    ```python
    KnownWords(("cat", "on", "red", "sofa")).read("a kitty on a red sofabed").text  # "a cat on a red sofa"
    ```

    Args:
        words: words of all captions.
        kinds: words by kind, if the model has them.
    """

    def __init__(self, words: Sequence[str], kinds: WordKinds | None = None) -> None:
        self.words: tuple[str, ...] = tuple(words)
        self.kinds: WordKinds = kinds or WordKinds()
        self.nouns: frozenset[str] = self.kinds.grammar.names
        grammar = self.kinds.grammar
        colours = {*self.kinds.kinds.get("colour", ()), *grammar.words.get("colour", ())}
        phrases = dict.fromkeys(chain(*self.kinds.kinds.values(), *grammar.words.values()))
        self.seen: set[str] = {*words, *(word for phrase in phrases for word in phrase.split())}
        self.names: list[str] = list(phrases) or [word for word in words if word not in ARTICLES]
        of_kinds = self.kinds.kinds
        slots = dict.fromkeys(re.findall(r"{(\w+)", self.kinds.sentence)) or of_kinds
        some = [f"{', '.join(map(quote, of_kinds[kind][:_EACH]))} ({kind})" for kind in slots]
        self.examples: str = ", ".join(some or map(quote, self.names[:_SHOWN]))
        self._others = frozenset(self.kinds.others.split())
        self._spellings = [word for word in dict.fromkeys([*words, *sorted(self.seen)]) if len(word) > 1]
        self._relations = ", ".join(self.kinds.kinds.get("relation", ()))
        self._read_as = rf"(?<!\w)(?:{either(grammar.read_as)})(?!\w)"
        # without kinds of words, all are of one
        self._kinds = dict.fromkeys(phrases, FUNCTION)
        self._kinds |= {word: FUNCTION for name in {*phrases} - colours - self.nouns for word in name.split()}
        self._kinds |= dict.fromkeys(self.nouns, NOUN) | dict.fromkeys(colours, COLOUR)

    def read(self, prompt: str) -> PromptReading:
        """Return what is sampled for a prompt, with a sentence for whatever is sampled as something else, or left out.

        Raises:
            ConfigError: for a negation, which the model has not learned, and for a prompt without a word that it knows.
        """
        for word in re.findall(r"\w+(?:['’]\w+)?", prompt.lower()):
            if (word in _NEGATIONS or word.endswith("n't")) and word not in self.seen:
                what = "say what is seen, and name what is not in a negative prompt"
                raise ConfigError(f"The prompt has {quote(word)}, and this model has learned no negation: {what}.")
        notes: list[str] = []
        text = self._replaced(self._known(self._replaced(prompt, notes), notes), notes)
        if prompt.strip() and not {*re.findall(r"\w+", text.lower())} - ARTICLES:
            near = ", ".join(map(quote, self._closest(prompt)))
            known = f"{near} (the closest), {self.examples}" if near else self.examples
            raise ConfigError(f"The prompt {quote(prompt)} has no word that this model knows, such as {known}.")
        if self.kinds.grammar.sentences and text.strip():
            text = self._covered(text, notes)
        different = list(dict.fromkeys(notes))
        if len(different) > _SAID:
            different[_SAID:] = [f"{len(different) - _SAID:,} more words are sampled as others, or left out."]
        return PromptReading(text, tuple(different))

    def _replaced(self, text: str, notes: list[str]) -> str:
        """Replace words and phrases that mean the same, and colours that their thing cannot take."""
        table, colours = self.kinds.grammar.read_as, self.kinds.grammar.colours

        def replacement(match: re.Match[str]) -> str:
            meant = table[match[0].lower()]
            takes = f", which takes {' or '.join(colours[meant]) or 'no colour'}" if meant in colours else ""
            notes.append(f"{quote(match[0])} is read as {quote(meant)}{takes}.")
            return meant

        result = re.sub(self._read_as, replacement, text, flags=re.IGNORECASE) if table else text
        return text if result == text else _agreeing(result)

    def _known(self, prompt: str, notes: list[str]) -> str:
        """Replace unknown words, or leave them out."""
        tokens = [match for match in _TOKEN.finditer(prompt) if _is_word(match[0])]
        final = max((i for i, token in enumerate(tokens) if not self._is_known(token[0].lower())), default=-1)
        parts: list[str] = []
        end, last = 0, ""
        for i, token in enumerate(tokens):
            typed, after = token[0], tokens[i + 1][0] if i + 1 < len(tokens) else ""
            if self._is_known(typed.lower()):
                last = typed
                continue
            before = prompt[end : token.start()]
            around = ("".join([*parts, before]), prompt[token.end() :]) if i == final else None
            near = self._nearest(typed, self._place(last, after), around) if i < _LOOKED_UP else []
            last = near[0] if near else ""
            if not near and self.nouns and self._kind(after) != NOUN:
                before = _BARE.sub("", before)
            parts += [before, last]
            end = token.end()
            notes.append(self._sentence(typed, near))
        return _agreeing(_BARE.sub("", "".join([*parts, prompt[end:]]))) if parts else prompt

    def _fits(self, text: str) -> bool:
        """Return True if the grammar covers a prompt."""
        return bool(self.kinds.grammar.sentences) and not self.kinds.grammar.parse(self._replaced(text, []))[1]

    def _covered(self, text: str, notes: list[str]) -> str:
        """Return the sentence that the grammar covers, and say what it does not."""
        covered, rest = self.kinds.grammar.parse(text)
        said = text if covered == text else _agreeing(covered)
        knows = f": this model knows {self._relations}, and one scene in a sentence." if self._relations else "."
        if rest and covered == text:
            notes.append(f"No caption in training has the form of {quote(text)}{knows}")
        elif rest := rest.lstrip(", "):
            notes.append(f"{quote(rest)} is left out, as no caption goes on so after {quote(said)}{knows}")
        elif said != text:
            notes.append(f"The prompt is sampled as {quote(said)}, which says the same in the words of captions.")
        return said

    def exported(self) -> dict[str, object]:
        """Return what an exported page reads prompts by, ready for JSON."""
        grammar = self.kinds.grammar
        table = {
            key: sorted(entry, key=lambda phrase: (-len(phrase), phrase)) if isinstance(entry, frozenset) else entry
            for key, entry in grammar.table.items()
        }
        rewritten = [text for _, text in grammar.rewritten]
        parsed = {
            "table": table,
            "rewritten": rewritten,
            "content": sorted(grammar.content),
            "colours": grammar.colours,
        }
        known = {
            "kinds": self._kinds,
            "nouns": sorted(self.nouns),
            "relations": self._relations,
            "examples": self.examples,
            "others": self.kinds.others,
        }
        return {**known, "readAs": grammar.read_as, "grammar": parsed if grammar.sentences else None}

    def _place(self, before: str, after: str) -> tuple[str, ...]:
        """Return the kinds of words that may stand between two words, the likeliest first."""
        if self._kind(before) == NOUN:
            return (FUNCTION,)
        return (COLOUR, NOUN, FUNCTION) if self._kind(after) == NOUN else (NOUN, COLOUR, FUNCTION)

    def _kind(self, text: str) -> str:
        """Return the kind of a word; articles and words of no kind are words of function."""
        word = text.lower()
        return next((self._kinds[each] for each in (word, *singulars(word)) if each in self._kinds), FUNCTION)

    def _is_known(self, word: str) -> bool:
        """Return True if captions had a word; nothing is known of letters and numbers without kinds of words."""
        vague = not self._kinds and (word.isdigit() or (len(word) == 1 and word.isascii()))
        return vague or word in self.seen or word in _FREE

    def _nearest(self, text: str, place: tuple[str, ...], around: tuple[str, str] | None) -> list[str]:
        """Return the words that are nearest to an unknown one, of its spelling, then one of its meaning.

        Words that make a sentence of the grammar with the text before and after come first, then words of the likeliest
        kind. A word that another letter makes of a known one, as "horse" of "house", is not a misspelling of it if it
        is among the words of the model, or of the encoder without these, or if there is neither.
        """
        word, others = text.lower(), self._others
        forms = (*singulars(word), f"{word}s") if len(word) > 2 else ()
        is_word = self.vectors is None or self.vectors.encoder.is_word(word)
        most = LIKELY if (word in others if others else is_word) else OTHER if len(word) < SHORTEST else TWICE
        alone = _FORM if len(word) < 3 else min(most, NEIGHBOUR) if len(word) < SHORTEST else most
        spelled: dict[tuple[int, int], list[str]] = {}
        for name in self._spellings:
            odds, kind = _FORM if name in forms else misspelling(word, name), self._kind(name)
            if odds <= most and around and self._fits(name.join(around)):
                spelled.setdefault((-1, odds), []).append(name)
            elif odds <= alone and (kind in place or odds == _FORM):
                spelled.setdefault((0 if odds == _FORM else place.index(kind), odds), []).append(name)
        if spelled:
            return spelled[min(spelled)]
        reads = len(word) > 3 or (is_word and len(word) > 2)
        meant = self._by_meaning(_meaning(text)) if reads or not word.isalnum() else None
        kind = self._kinds.get(meant or "", "")
        # before another noun, a noun by meaning describes it: "fluffy cat" does not mean "kitty cat"
        fits = not self._kinds or kind == place[0] or (kind == COLOUR and place[0] != FUNCTION)
        return [meant] if meant is not None and fits else []

    def _closest(self, prompt: str) -> list[str]:
        """Return known words spelled nearly like words of a prompt, by distance, nouns before colours."""
        typed = re.findall(r"\w{3,}", prompt.lower())[:_SAID]
        names = [name for name in self._spellings if typed and name not in ARTICLES]
        distances = {name: min(edit_distance(word, name) for word in typed) for name in names}
        order = sorted(distances, key=lambda name: (distances[name], _KINDS.index(self._kind(name))))
        return [name for name in order if 2 * distances[name] <= len(name)][:_SHOWN]

    def _by_meaning(self, text: str) -> str | None:
        """Return the name whose vector is nearest, if it is near."""
        if self.vectors is None or not self.names:
            return None
        cosines = cosines_of(self.vectors, text, self.names)
        return self.names[int(cosines.argmax())] if cosines.max() >= NEAR else None

    @cached_property
    def vectors(self) -> EmbeddingCache | None:
        """Vectors of the sentence encoder that comes with the package; None where it is missing."""
        try:
            return embedding_cache("use", open_encoder("use").fingerprint)
        except (ImportError, MissingExtraError):
            return None

    def _sentence(self, typed: str, meant: Sequence[str]) -> str:
        if meant:
            others = f" ({', '.join(map(quote, meant[1:_SHOWN]))} is as near)" if len(meant) > 1 else ""
            nearest = f"{quote(typed)} is sampled as {quote(meant[0])}, the nearest that this model knows{others}"
            return f"{nearest}: quote the prompt to sample it literally."
        if self.vectors is None or not self.names:
            return f"{quote(typed)} is unknown to this model, and is left out."
        order = np.argsort(-cosines_of(self.vectors, _meaning(typed), self.names), kind="stable")[:_SHOWN]
        nearest = ", ".join(quote(self.names[i]) for i in order)
        return f"{quote(typed)} is unknown to this model, and is left out: the nearest are {nearest}."


def cosines_of(encode: EmbeddingCache, text: str, names: Sequence[str]) -> np.ndarray:
    """Return the cosines between the vector of a text and the vectors of names.

    Example:
        cosines_of(model.conditions.prompt_reader.vectors, "kitty", ["cat", "sofa"]).argmax()  # 0
    """
    encode.keep([text, *names])
    vectors = encode([text, *names]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors[1:] @ vectors[0])


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
    symbol = next((each for each in text if unicodedata.category(each) == "So"), "")
    return unicodedata.name(symbol, text).lower() if symbol else text.lower()


_BARE = re.compile(r"\b(?:an?|the)\s+(?=(?:an?|the)\b)|\b(?:an?|the)(?=\s*(?:,|$))", re.IGNORECASE)
"""An article that no noun can follow."""


def _agreeing(text: str) -> str:
    """Remove spaces that words leave behind, and let "a" and "an" agree with what follows."""
    text = " ".join(text.split()).replace(" ,", ",")
    return re.sub(r"\ban?(?= (\w))", lambda match: "an" if match[1] in "aeiouAEIOU" else "a", text)
