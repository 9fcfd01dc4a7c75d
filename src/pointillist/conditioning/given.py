"""What a user gives for conditions: keywords, prompts and labels. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from pointillist.errors import ConfigError, ShapeError, quote
from pointillist.files.reading import check_texts

NO_LABEL = -1
EVIDENCE = "known"
"""Name of the part that holds known pixels of the image itself: a fact, which guidance does not weigh."""


class ConditionKwargs(TypedDict, total=False):
    """Conditions beside `label` and `text`, as a user gives them: one for all images, or one each.

    ```python
    pt.sample(model, 4, attributes={"hair": "red"}, vector=[0.2, 1.5])
    ```

    Attributes:
        attributes: values by the name of the attribute, each a number or a name: `{"hair": 2, "eyes": "blue"}`.
        vector: floats `[d]` or `[n d]`.
        hint: an image on the same grid, `[c h w]` or `[n c h w]`: levels, or floats where the model takes floats; or
            pictures (PIL).
    """

    attributes: Mapping[str, Any] | None
    vector: Any
    hint: Any


def unsupported_condition(name: str, value: Any) -> ConfigError:
    """Error for a condition that a model was not trained with.

    ```python
    raise unsupported_condition("text", "a red dragon")
    ```
    """
    if name == "text":
        value = value if isinstance(value, str) else next((text for text in value if text), "")
        return ConfigError(f"`text` (={value!r}) cannot be used: this model was trained without text. Leave it out.")
    if name == EVIDENCE:
        return ConfigError(
            "`known` cannot be used: this model was not trained to complete images. Use `pt.inpaint`, or train it with "
            "`--completion`."
        )
    what, shown = ("labels", f" (={value!r})") if name == "label" else (f"`{name}`", "")
    return ConfigError(f"`{name}`{shown} cannot be used: this model was trained without {what}. Leave it out.")


def parse_prompts(value: Any, count: int) -> list[str] | None:
    """Parse prompts of `count` images: one for all or one each; None, and "" for an image, is no prompt.

    ```python
    parse_prompts("a red dragon", 2)  # ["a red dragon", "a red dragon"]
    ```

    Raises:
        ConfigError: if they are not strings.
        ShapeError: if there are neither one nor `count` of them.
    """
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else list(value)
    for text in texts:
        if not isinstance(text, (str, type(None))):
            raise ConfigError(f"`text` (={quote(text)}) must be a string, or one for each image.")
    if len(texts) not in (1, count):
        raise ShapeError(f"{len(texts)} texts do not fit {count} images: give one text, or one for each image.")
    filled = [text or "" for text in texts]
    check_texts(filled, "`text`")
    return filled * count if len(filled) == 1 else filled


def label_number(value: Any, classes: Sequence[str], what: str = "label") -> int:
    """Look up a class name first (so that a folder called "7" is found), then a number."""
    if value is None:
        return NO_LABEL
    if isinstance(value, str):
        if value in classes:
            return list(classes).index(value)
        if not re.fullmatch("-?[0-9]+", value):
            shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ConfigError(f"There is no {_kind(what)} {value!r}: choose one of {shown}.")
    number = int(value) if isinstance(value, (int, str)) or float(value).is_integer() else len(classes)
    if number != NO_LABEL and not 0 <= number < len(classes):
        raise ConfigError(
            f"`{what}` (={value}) must be a {_kind(what)} name or a number from 0 to {len(classes) - 1} "
            "(or -1 for none)."
        )
    return number


def _kind(what: str) -> str:
    return "class" if what == "label" else what
