"""Misspellings and plurals of names."""

from __future__ import annotations

import re

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


LIKELY, NEIGHBOUR, OTHER, TWICE, NEVER = range(5)
"""Kinds of misspellings, the likeliest first: letters exchanged or doubled; a letter more or less, or its neighbour on
the keyboard; another letter; two of these in words of five letters with the same first letter; none."""
_ROWS = "qwertyuiop asdfghjkl zxcvbnm"


def misspelling(text: str, other: str) -> int:
    """Return the kind of misspelling that a text is of another.

    ```python
    misspelling("froog", "frog")  # LIKELY
    ```
    """
    if abs(len(text) - len(other)) > 2 or text == other or len(set(text) ^ set(other)) > 4:
        return NEVER
    distance = edit_distance(text, other)
    if distance > 1:
        return TWICE if distance == 2 and min(len(text), len(other)) >= SHORTEST and text[0] == other[0] else NEVER
    if sorted(text) == sorted(other) or re.sub(r"(.)\1+", r"\1", text) == re.sub(r"(.)\1+", r"\1", other):
        return LIKELY
    if len(text) != len(other):
        return NEIGHBOUR if text[0] == other[0] else OTHER
    pair = next(a + b for a, b in zip(text, other, strict=True) if a != b)
    return NEIGHBOUR if pair in _ROWS or pair[::-1] in _ROWS else OTHER


def edit_distance(text: str, other: str) -> int:
    """Return how many letters are left out, added or replaced, or neighbours exchanged (Damerau and Levenshtein).

    ```python
    edit_distance("froog", "frog")  # 1
    ```
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(text):
        last, before, row = before, row, [i + 1]
        for j, b in enumerate(other):
            cost = min(row[j] + 1, before[j + 1] + 1, before[j] + (a != b))
            if i and j and a == other[j - 1] and b == text[i - 1]:
                cost = min(cost, last[j - 1] + 1)
            row.append(cost)
    return row[-1]
