"""Conditions as keywords. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class ConditionKwargs(TypedDict, total=False):
    """Conditions other than `label` and `text`, as a user gives them: one for all images, or one each.

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


def count_images(conditions: Mapping[str, Any]) -> int:
    """Return the number of images that conditions describe: as many as one of them has values; 1 where all have one.

    ```python
    count_images({"text": ["heart", "home"], "label": "tabler"})  # 2
    ```

    Args:
        conditions: values by keyword, as for `ConditionKwargs`; `label` and `text`; `uniforms`. Others are ignored.
    """
    attributes = conditions.get("attributes")
    values = [conditions.get("label"), conditions.get("text")]
    values += attributes.values() if isinstance(attributes, Mapping) else []
    return max(
        *(_length(value, 1) for value in values),
        _length(conditions.get("vector"), 2),
        _length(conditions.get("hint"), 4),
        _length(conditions.get("uniforms"), 4),
        1,
    )


def _length(value: Any, ndim: int) -> int:
    """Return the length of a batch, which has this number of axes; a list of arrays or pictures is one too."""
    if value is None or isinstance(value, str) or not hasattr(value, "__len__"):
        return 1
    axes = getattr(value, "ndim", None)
    if axes is None:  # a sequence; a sequence of numbers is a vector
        axes = ndim if ndim != 2 or any(hasattr(each, "__len__") for each in value) else 1
    return len(value) if axes == ndim else 1
