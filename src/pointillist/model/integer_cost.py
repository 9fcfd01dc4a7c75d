"""The cost of the integer program of a model, measured when a training ends; it decides the default. No torch."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from pointillist.errors import counted

RECORD = "integers"
"""Key of the cost in the record of a training."""
_SECTION = re.compile(r"\n*## Integer program\n.*?(?=\n## |\Z)", re.DOTALL)


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class IntegerCost:
    """Bits that the integer program of a model costs, compared with its network in floating point.

    ```python
    str(pt.load("runs/digits").integer_cost)  # "0.003 bits/dim on 179 validation images"
    ```

    Attributes:
        bits_per_dim: bits/dim of the integer program, less the bits/dim in floating point on the same images.
        images: number of these images.
        split: split of the data set that they are from.
        is_default: whether the engine `auto` takes the integer program.
    """

    bits_per_dim: float
    images: int
    split: str
    is_default: bool = True

    def __str__(self) -> str:
        kind = "validation image" if self.split == "valid" else "training image"
        return f"{bits_text(self.bits_per_dim)} on {counted(self.images, kind)}"

    @property
    def why_floats(self) -> str:
        """A clause that says why `auto` computes in floating point; empty if it takes the integer program."""
        return "" if self.is_default else f"its integers cost {bits_text(self.bits_per_dim)}"

    def to_record(self) -> dict[str, Any]:
        """Return the entries of a training record."""
        return {RECORD: asdict(self)}

    @classmethod
    def pop(cls, training: dict[str, Any]) -> IntegerCost | None:
        """Take the cost out of a training record; None if it is absent, or not of this form."""
        stored = training.pop(RECORD, None)
        try:
            return cls(**stored)
        except (TypeError, ValidationError):
            return None


def engine_text(engine: str, why_floats: str = "") -> str:
    """Describe what computes a distribution: the integer program, or floating point and why.

    ```python
    engine_text("torch", "this model has no integer program")  # "floating point: this model has no integer program"
    ```
    """
    if engine == "integer":
        return "integer program"
    return f"floating point: {why_floats}" if why_floats else "floating point"


def bits_text(bits_per_dim: float) -> str:
    """Write a cost with its unit, and no minus before a zero.

    ```python
    bits_text(-0.0001)  # "0.000 bits/dim"
    ```
    """
    return f"{round(bits_per_dim, 3) + 0.0:.3f} bits/dim"


def card_with_cost(card: str, cost: IntegerCost | None) -> str:
    """Return a model card whose section on the integer program states its cost; without a cost, it has no section."""
    without = _SECTION.sub("\n", card)
    if cost is None:
        return without
    default = (
        "It samples and scores by default." if cost.is_default else "Floating point samples and scores by default."
    )
    return f"{without.rstrip()}\n\n## Integer program\n\nThe model in integers costs {cost}. {default}\n"
