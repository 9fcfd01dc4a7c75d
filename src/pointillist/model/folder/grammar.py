"""Forms of sentences that the captions of a model have: data of its folder, written by the generator of the captions.

The form of the data is described in docs/reference/file_formats.md. `runtime` and the page read the same. No torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from itertools import count, repeat
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Phrase = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+( \S+)*$")]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=500)]
Form = Annotated[str, Field(min_length=1, max_length=1000)]
ARTICLES = frozenset({"a", "an", "the"})
Sequences = list[list[tuple[str, int]]]
"""Keys of `Grammar.table`, with the number of their braces in a form that is rewritten, or 0."""
Table = dict[str, frozenset[str] | Sequences]
Ends = dict[int, tuple[tuple[int, int, int], ...]]
"""Where matches end, the preferred first, with the number, start and end of each pair of braces that is rewritten."""
_WORDS = 64  # of a sentence that is parsed
_LARGEST = 4000  # words, braces and brackets of all forms
_DEEPEST = 64  # brackets and parts inside each other
_TOKEN = re.compile(r"\{([^{}]+)\}|([\[(])|([\])])|(\|)|([^\s\[\](){}|]+|\S)")


class Grammar(BaseModel):
    """Sentences of captions.

    ```python
    words = {"thing": ("cat", "dog"), "on": ("on", "sitting on"), "seat": ("sofa",)}
    grammar = Grammar(words=words, sentences=("[a] {thing} [{on} [a] {seat}]",), nouns=("thing", "seat"))
    grammar.parse("a cat on a sofa and a dog")  # ("a cat on a sofa", "and a dog")
    ```

    Attributes:
        words: words or phrases by kind.
        parts: forms of parts of a sentence, which use words, and parts above them.
        sentences: forms of sentences.
        rewritten: forms that no caption has, and the sentence that is sampled in their place.
        synonyms: words or phrases, and those that are read in their place.
        nouns: kinds of words that name something.
        colours: colours that a noun takes; one that is not listed takes all.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    words: dict[Phrase, Phrases] = Field(default_factory=dict, max_length=100)
    parts: dict[Phrase, Form] = Field(default_factory=dict, max_length=100)
    sentences: tuple[Form, ...] = Field((), max_length=50)
    rewritten: tuple[tuple[Form, Form], ...] = Field((), max_length=100)
    synonyms: dict[Phrase, Phrase] = Field(default_factory=dict, max_length=500)
    nouns: tuple[Phrase, ...] = Field((), max_length=100)
    colours: dict[Phrase, tuple[Phrase, ...]] = Field(default_factory=dict, max_length=1000)

    @model_validator(mode="after")
    def _check(self) -> Grammar:
        try:
            _ = self.table, self.names
            for form, text in self.rewritten:
                _ = [form.split("{")[int(number)] for number in re.findall(r"{(\d+)}", text)]
        except (KeyError, IndexError) as error:
            raise ValueError(f"a form of the grammar names what is not there ({error})") from error
        return self

    @cached_property
    def table(self) -> Table:
        """Phrases of kinds, and alternative sequences of parts, brackets, `sentences` and `rewritten`, by key.

        Raises:
            KeyError: for braces that name no kind of words, and no part above them.
            ValueError: for a form that misses a bracket, and for a grammar that is too large.
        """
        table: Table = {f"{{{kind}": frozenset(words) for kind, words in self.words.items()}
        for name, form in self.parts.items():
            _add(table, f"{{{name}", form)
        table["sentences"] = [[(_add(table, f"sentence {i}", form), 0)] for i, form in enumerate(self.sentences)]
        for i, (form, _) in enumerate(self.rewritten):
            _add(table, f"rewritten {i}", form, numbered=True)
        depths: dict[str, int] = {}
        for key, entry in table.items():  # an entry names those above it
            inner = [depths[name] for each in entry if isinstance(each, list) for name, _ in each]
            depths[key] = max(inner, default=0) + 1
        size = sum(1 + len(each) for entry in table.values() if isinstance(entry, list) for each in entry)
        if max(depths.values()) > _DEEPEST or size > _LARGEST:
            raise ValueError("the forms of the grammar are too large, or too deep")
        return table

    @cached_property
    def names(self) -> frozenset[str]:
        """Nouns, and phrases that name something."""
        return frozenset(word for kind in self.nouns for word in self.words[kind])

    @cached_property
    def read_as(self) -> dict[str, str]:
        """Phrases that are read as others: synonyms, and things in colours that they do not take."""
        table, colours = self.colours.items(), self.words.get("colour", ())
        refused = {f"{each} {noun}": noun for noun, takes in table for each in colours if each not in takes}
        return {**self.synonyms, **refused}

    @cached_property
    def content(self) -> frozenset[str]:
        """Words before which a sentence is not cut."""
        return ARTICLES.union(*(name.split() for name in (*self.names, *self.words.get("colour", ()))))

    def parse(self, text: str) -> tuple[str, str]:
        """Return the longest beginning that a form covers, and the rest; the rest is all where none does."""
        words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*|,", text.lower())
        ends = self._ends(words[:_WORDS])
        for cut in range(min(len(words), _WORDS), 0, -1):
            said = None if {*words[cut : cut + 1]} & self.content else self._sampled(words[:cut], ends)
            if said is not None:
                return text if said == words else _joined(said), _joined(words[cut:])
        return text, _joined(words)

    def _sampled(self, words: list[str], ends: Callable[[str, int], Ends]) -> list[str] | None:
        """Return a sentence in a form of the captions; None if there is none for it."""
        if len(words) in ends("sentences", 0):
            return words
        for i, (_, text) in enumerate(self.rewritten):
            match = ends(f"rewritten {i}", 0).get(len(words))
            for number, start, end in match or ():
                text = text.replace(f"{{{number}}}", " ".join(words[start:end]))
            said = re.sub(r"{\d+}", "", text).split()
            if match is not None and len(said) <= _WORDS and len(said) in self._ends(said)("sentences", 0):
                return said
        return None

    def _ends(self, words: list[str]) -> Callable[[str, int], Ends]:
        """Return a function of a key and a start: where matches end, first what a regular expression prefers.

        Of all ways to one end the first is known alone: time grows with the words, not with the ways.
        """
        count = len(words)
        phrases = [[(" ".join(words[at:end]), end) for end in range(count, at, -1)] for at in range(count + 1)]

        @cache
        def ends(key: str, start: int) -> Ends:
            entry, result = self.table[key], Ends()
            if isinstance(entry, frozenset):
                return {end: () for phrase, end in phrases[start] if phrase in entry}
            for sequence in entry:
                reached: Ends = {start: ()}
                for name, number in sequence:
                    before, reached = reached, {}
                    for at, taken in before.items():
                        for end, inside in ends(name, at).items():
                            reached.setdefault(end, (*taken, *(((number, at, end),) if number else inside)))
                for end, taken in reached.items():
                    result.setdefault(end, taken)
            return result

        return ends


def _add(table: Table, key: str, form: str, *, numbered: bool = False) -> str:
    """Add a form, after its words and brackets, to a table, and return its key."""
    opened: list[tuple[str, Sequences]] = [("", [[]])]
    braces = count(1) if numbered else repeat(0)
    for name, opening, closing, bar, word in _TOKEN.findall(f"({form})"):
        if opening:
            opened.append((opening, [[]]))
        elif bar:
            opened[-1][1].append([])
        elif closing:
            bracket, sequences = opened.pop()
            if not opened or bracket + closing not in ("[]", "()"):
                break
            inner = f"{bracket}{len(table)}"
            table[inner] = [*sequences, []] if closing == "]" else sequences
            opened[-1][1][-1].append((inner, 0))
        else:
            table |= {f"={word}": frozenset({word})} if word else {}
            opened[-1][1][-1].append((f"{{{name}", next(braces)) if name else (f"={word}", 0))
    if len(opened) != 1:
        raise ValueError(f"the form {form[:60]!r} of the grammar misses a bracket")
    table[key] = opened[0][1]
    return key


def _joined(words: list[str]) -> str:
    return " ".join(words).replace(" ,", ",")


def either(words: Iterable[str]) -> str:
    """Return a regular expression of any of some words, the longest first.

    ```python
    either(["cat", "catfish"])  # "catfish|cat"
    ```
    """
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
