"""Words of captions by kind, and the sentence that they are put into, for prompts of chosen words. No torch."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

Phrase = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+( \S+)*$")]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=500)]
_GROUP = re.compile(r"\[([^\[\]]+)\]")
_SLOT = re.compile(r"\{([^{}=]+)(?:=([^{}]+))?\}")


class Slot(NamedTuple):
    """A place for a word in a sentence.

    ```python
    Slot("relation", "on")
    ```

    Attributes:
        kind: kind of the word.
        usual: word that stands there if none is chosen; empty for none.
    """

    kind: str
    usual: str


class WordKinds(BaseModel):
    """Words by kind, and a sentence with a slot for each.

    Groups of the sentence stand in brackets, slots in braces. The last slot of a group is its head: without a word for
    it the group is left out. `{relation=on}` has a usual word, and `a/an` is the article that fits what follows.

    ```python
    kinds = {"colour": ("red",), "thing": ("cat", "owl"), "support": ("sofa",), "relation": ("on", "under")}
    words = WordKinds(kinds=kinds, sentence="[a/an {colour} {thing}] [{relation=on} a/an {colour} {support}]")
    words.nouns  # {"cat", "owl", "sofa"}
    ```

    Attributes:
        kinds: words, or phrases, by the name of their kind; a word may be of several.
        sentence: a sentence for words that are chosen; empty without.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[Phrase, Phrases] = Field(default_factory=dict, max_length=50)
    sentence: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _check(self) -> WordKinds:
        """Check that the sentence consists of groups, whose slots are kinds."""
        if _GROUP.sub("", self.sentence).strip():
            raise ValueError("a sentence consists of groups in brackets, such as [a/an {colour} {thing}] [{place}]")
        for slots in self.groups:
            unknown = [slot.kind for slot in slots if slot.kind not in self.kinds]
            if unknown or not slots:
                raise ValueError(f"a group of the sentence needs slots of the kinds {', '.join(self.kinds)}")
            usual = [slot for slot in slots if slot.usual and slot.usual not in self.kinds[slot.kind]]
            if usual:
                raise ValueError(f"the usual word {usual[0].usual!r} is none of the kind {usual[0].kind}")
        return self

    @property
    def groups(self) -> tuple[tuple[Slot, ...], ...]:
        """Slots of each group of the sentence."""
        return tuple(
            tuple(Slot(match[1], match[2] or "") for match in _SLOT.finditer(group))
            for group in _GROUP.findall(self.sentence)
        )

    @property
    def nouns(self) -> frozenset[str]:
        """Words that other words of a group are about: heads of groups with several slots."""
        heads = [slots[-1].kind for slots in self.groups if len(slots) > 1]
        return frozenset(word for kind in heads for word in self.kinds[kind])
