"""Strategies for files of strangers: valid files that are damaged, and structured values of any form."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

TOKENS = [
    *(b"9" * 400, b"9" * 5000, b"1e999", b"-1", b"NaN", b"18446744073709551616", b"null", b"true", b'"\\ud800"', b"\0"),
    *(b"[" * 2000, b'{"a":' * 2000, b"a." * 500, b"\xff\xfe", b'"' + b"x" * 20_000 + b'"', b"[]", b"{}", b"\n", b","),
]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """Change, cut, repeat and insert parts of a valid file."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["byte", "byte", "token", "cut", "drop", "repeat", "bytes"]))
        if kind == "byte" and place < len(data):
            data[place] = draw(st.integers(0, 255))
        elif kind == "token":
            data[place : place + draw(st.integers(0, 8))] = draw(st.sampled_from(TOKENS))
        elif kind == "cut":
            del data[place:]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "repeat":
            data[place:place] = data[max(0, place - draw(st.integers(1, 64))) : place] * draw(st.integers(1, 20))
        elif kind == "bytes":
            data[place : place + 4] = draw(st.binary(min_size=4, max_size=4))
    return bytes(data)


@lru_cache
def _values(keys: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """JSON values of any depth, with some names that a reader knows."""
    numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([2**31, 2**63, 2**64, 10**30, -1, 0, 1e308]))
    texts = st.one_of(st.text(max_size=20), st.sampled_from(["a.png", "#ff0000", "../x", "\ud800", "x" * 20_000]))
    names = st.one_of(st.sampled_from(keys), st.text(max_size=8))
    leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names, inner, max_size=6), max_leaves=20
    )


def values(keys: list[str]) -> st.SearchStrategy[Any]:
    """JSON values of any depth, with some names that a reader knows; one strategy for all draws."""
    return _values(tuple(keys))


def as_json(value: Any) -> bytes:
    """JSON text, in which halves of characters are escaped."""
    return json.dumps(value).encode()


@st.composite
def replaced(draw: st.DrawFn, tree: Any, keys: list[str]) -> bytes:
    """A JSON tree with some of its values replaced, removed or added."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        inner = tree
        while isinstance(inner, (dict, list)) and inner:
            places = list(inner) if isinstance(inner, dict) else range(len(inner))
            place = draw(st.sampled_from(places))
            if not isinstance(inner[place], (dict, list)) or not inner[place] or draw(st.booleans()):
                if draw(st.integers(0, 5)):
                    inner[place] = draw(values(keys))
                else:
                    del inner[place]
                break
            inner = inner[place]
    return as_json(tree)
