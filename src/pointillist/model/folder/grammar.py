"""Forms of sentences that the captions of a model have: data of its folder, written by the generator of the captions.

The form of the data is described in docs/reference/file_formats.md. `runtime` and the page read the same. No torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Phrase = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+( \S+)*$")]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=500)]
Form = Annotated[str, Field(min_length=1, max_length=1000)]
ARTICLES = frozenset({"a", "an", "the"})
_WORDS = 64  # of a sentence that is parsed
_LONGEST = 100_000  # letters of a form with the parts that it uses
_OPTIONAL = 8  # brackets of a form: each may double the work
_TOKEN = re.compile(r"\{([^{}]+)\}|([\[(])|(\])|([^\s\[\](){}|]+)|\s+")


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
        """Check that each form can be read."""
        try:
            _ = self.forms, self.names
            for form, text in self.rewritten:
                _ = [form.split("{")[int(number)] for number in re.findall(r"{(\d+)}", text)]
        except (KeyError, IndexError) as error:
            raise ValueError(f"a form of the grammar names what is not there ({error})") from error
        return self

    @cached_property
    def forms(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """Regular expressions of `sentences` and `rewritten`, with a blank behind each word, which JavaScript reads."""
        parts = {kind: either(f"{word} " for word in words) for kind, words in self.words.items()}

        def expand(form: str, opened: str = "(?:") -> str:
            def element(match: re.Match[str]) -> str:
                name, bracket, end, word = match.groups()
                if name:
                    return f"{opened}{parts[name]})"
                return "(?:" if bracket else ")?" if end else re.escape(f"{word} ") if word else ""

            text = _TOKEN.sub(element, form)
            brackets = re.sub(r"[^\[\]()]", "", form)
            while (fewer := brackets.replace("[]", "").replace("()", "")) != brackets:
                brackets = fewer
            if brackets or len(text) > _LONGEST or form.count("[") > _OPTIONAL:
                raise ValueError(f"the form {form[:60]!r} of the grammar misses a bracket, or is too long")
            return text

        for name, form in self.parts.items():
            parts[name] = expand(form)
        return tuple(map(expand, self.sentences)), tuple((expand(form, "("), text) for form, text in self.rewritten)

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
        for cut in range(min(len(words), _WORDS), 0, -1):
            said = None if {*words[cut : cut + 1]} & self.content else self._sampled(_line(words[:cut]))
            if said is not None:
                return text if said == _line(words) else _joined(said.split()), _joined(words[cut:])
        return text, _joined(words)

    def _sampled(self, line: str) -> str | None:
        """Return a sentence in a form of the captions; None if there is none for it."""
        if any(re.fullmatch(form, line) for form in self.forms[0]):
            return line
        for form, text in self.forms[1]:
            match = re.fullmatch(form, line)
            for number, part in enumerate(match.groups("") if match else (), 1):
                text = text.replace(f"{{{number}}}", part)
            if match and any(re.fullmatch(each, _line(text.split())) for each in self.forms[0]):
                return _line(text.split())
        return None


def _joined(words: list[str]) -> str:
    return " ".join(words).replace(" ,", ",")


def _line(words: list[str]) -> str:
    return "".join(f"{word} " for word in words)


def either(words: Iterable[str]) -> str:
    """Return a regular expression of any of some words, the longest first.

    ```python
    either(["cat", "catfish"])  # "catfish|cat"
    ```
    """
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
