"""What images are told, as tensors: a value of each condition, and which images were given one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from pointillist.errors import ConfigError


class ConditionKwargs(TypedDict, total=False):
    """Conditions beside `label` and `text`, as a user gives them: one for all images, or one each.

    Attributes:
        attributes: values by the name of the attribute, each a number or a name: `{"hair": 2, "eyes": "blue"}`.
        vector: floats `[d]` or `[n d]`.
        hint: an image on the same grid, `[c h w]` or `[n c h w]`: levels, or floats where the model takes floats; or
            pictures (PIL).
    """

    attributes: Mapping[str, Any] | None
    vector: Any
    hint: Any


@dataclass(frozen=True)
class MaskedValue:
    """One condition of a batch.

    Attributes:
        values: what it is; where it is not known, anything.
        known: where it is: `[b]`, for each of several attributes `[b a]`, for each site of an image `[b 1 h w]`.
    """

    values: Shaped[Tensor, "b ..."]
    known: Bool[Tensor, "b ..."]

    def hidden(self, where: Bool[Tensor, "b ..."]) -> MaskedValue:
        """The same, but not known `where` that is true."""
        where = where.to(self.known.device)
        return MaskedValue(
            self.values, self.known & ~where.reshape(*where.shape, *[1] * (self.known.ndim - where.ndim))
        )


@dataclass(frozen=True)
class ConditionInputs:
    """All conditions of a batch of `count` images, by name; a model wants one part for each that it listens to."""

    count: int
    parts: Mapping[str, MaskedValue] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: slice | np.ndarray | Tensor) -> ConditionInputs:
        """Some of the images."""
        rows = torch.arange(self.count)[index]
        return ConditionInputs(
            len(rows), {name: MaskedValue(p.values[rows], p.known[rows]) for name, p in self.parts.items()}
        )

    def to(self, device: torch.device) -> ConditionInputs:
        """The same on a device."""
        return ConditionInputs(
            self.count, {n: MaskedValue(p.values.to(device), p.known.to(device)) for n, p in self.parts.items()}
        )

    def hidden(self, where: Mapping[str, Bool[Tensor, "b ..."]]) -> ConditionInputs:
        """The same without what is hidden: for a condition's name, the images from which it is."""
        return ConditionInputs(self.count, {n: p.hidden(where[n]) if n in where else p for n, p in self.parts.items()})

    def untold(self) -> ConditionInputs:
        """The same images, told nothing."""
        return ConditionInputs(
            self.count, {n: MaskedValue(p.values, torch.zeros_like(p.known)) for n, p in self.parts.items()}
        )

    @property
    def anything(self) -> bool:
        """Whether any image is told anything."""
        return any(bool(p.known.any()) for p in self.parts.values())

    @classmethod
    def together(cls, several: Sequence[ConditionInputs]) -> ConditionInputs:
        """Batches told the same conditions, one after the other."""
        names = several[0].parts
        return cls(
            sum(t.count for t in several),
            {
                n: MaskedValue(
                    torch.cat([t.parts[n].values for t in several]), torch.cat([t.parts[n].known for t in several])
                )
                for n in names
            },
        )


def unsupported_condition(name: str, value: Any) -> ConfigError:
    """What to say where a model is told what it does not listen to."""
    if name == "text":
        return ConfigError(f"`text` (={value!r}) cannot be used: this model does not listen to text. Leave it out.")
    what, shown = ("labels", f" (={value!r})") if name == "label" else (f"`{name}`", "")
    return ConfigError(f"`{name}`{shown} cannot be used: this model was trained without {what}. Leave it out.")
