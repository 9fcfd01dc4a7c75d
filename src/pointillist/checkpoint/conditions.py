"""Describe conditions from their settings as they are stored, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pointillist.errors import counted

Settings = Mapping[str, Any]


def describe_condition(kind: str, settings: Settings) -> list[str]:
    """Describe a condition in a few words for each input, from its settings as they are stored.

    ```python
    describe_condition("label", {"classes": ["cat", "dog"]})  # ["label (2 classes)"]
    ```
    """
    return _WORDS[kind](settings) if kind in _WORDS else [kind]


def _hint(settings: Settings) -> list[str]:
    rule, channels, image = settings["rule"], settings["channels"], settings["image"]
    values, palette = "floats", ""
    if image is not None:
        values = f"{image['levels']} {'ordered' if image['ordered'] else 'unordered'} levels"
        palette = " with a palette" if image["palette"] else ""
    return [f"hint ({'' if rule is None else f'{rule}, '}{counted(channels, 'channel')} of {values}{palette})"]


_WORDS: Mapping[str, Callable[[Settings], list[str]]] = {
    "label": lambda s: [f"label ({len(s['classes'])} classes)"],
    "attributes": lambda s: [f"attribute {name} ({len(values)} values)" for name, values in s["values"].items()],
    "vector": lambda s: [f"vector ({s['size']} numbers)"],
    "hint": _hint,
    "known": lambda s: ["known pixels (any mask)"],
    "text": lambda s: [f"text ({' + '.join(part.strip() for part in s['encoder'].split('+'))})"],
}
