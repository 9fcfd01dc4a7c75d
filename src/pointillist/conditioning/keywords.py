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
