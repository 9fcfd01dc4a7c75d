"""Condition values of a batch, with masks of which are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

PROMPT_PARTS = ("text", "words", "tokens")
"""Encoders that read the prompt of an image; training drops them together."""


@dataclass(frozen=True)
class MaskedValue:
    """Values of one condition in a batch.

    ```python
    value = MaskedValue(torch.tensor([3, 0]), torch.tensor([True, False]))  # the second label is unknown
    value.dropped(torch.tensor([True, False])).known  # both are unknown
    ```

    Attributes:
        values: one for each image; anything where it is not known.
        known: mask of the known ones: `[b]`, for each of several attributes `[b a]`, for each pixel of an image
            `[b 1 h w]`, for each sub-pixel `[b c h w]`.
        observed: True for pixels of the image itself, which are facts: guidance does not weigh them, and they cost
            nothing.
    """

    values: Shaped[Tensor, "b ..."]
    known: Bool[Tensor, "b ..."]
    observed: bool = False

    def dropped(self, mask: Bool[Tensor, "b ..."]) -> MaskedValue:
        """A copy in which the masked values are unknown."""
        mask = mask.to(self.known.device)
        return replace(self, known=self.known & ~mask.reshape(*mask.shape, *[1] * (self.known.ndim - mask.ndim)))


@dataclass(frozen=True)
class ConditionInputs:
    """Conditions of a batch of `count` images, by the name of the encoder that takes each.

    ```python
    inputs = model.conditions.inputs(label="cat", count=4)
    model.unchecked_log_prob_map(x, inputs)
    model.unchecked_log_prob_map(x, inputs.unconditional())
    ```
    """

    count: int
    parts: Mapping[str, MaskedValue] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: slice | np.ndarray | Tensor) -> ConditionInputs:
        """Select some of the images."""
        rows = torch.arange(self.count)[index]
        return ConditionInputs(
            len(rows), {n: replace(p, values=p.values[rows], known=p.known[rows]) for n, p in self.parts.items()}
        )

    def to(self, device: torch.device) -> ConditionInputs:
        """Move all values to a device."""
        return ConditionInputs(
            self.count,
            {n: replace(p, values=p.values.to(device), known=p.known.to(device)) for n, p in self.parts.items()},
        )

    def dropped(self, masks: Mapping[str, Bool[Tensor, "b ..."]]) -> ConditionInputs:
        """A copy without some values: a mask of the images that lose it, by the name of the condition."""
        return ConditionInputs(self.count, {n: p.dropped(masks[n]) if n in masks else p for n, p in self.parts.items()})

    def unconditional(self) -> ConditionInputs:
        """A copy in which no value is known, except observed pixels."""
        return ConditionInputs(
            self.count,
            {n: p if p.observed else replace(p, known=torch.zeros_like(p.known)) for n, p in self.parts.items()},
        )

    def guidance_reference(self, negative: ConditionInputs | None = None) -> ConditionInputs:
        """Return the conditions of the distribution that guidance leads away from.

        The label of an image with a prompt stays, so that guidance strengthens the prompt and not the style; a negative
        prompt takes the place of the prompt. Of the other conditions only observed pixels stay.

        Args:
            negative: inputs of the same images, of which only prompts count; None for none.

        Example:
            inputs = model.conditions.inputs(label="tabler", text="heart")
            inputs.guidance_reference()  # the label without the prompt
        """
        prompted = torch.zeros(self.count, dtype=torch.bool)
        for inputs in (self, negative):
            for part in (p for n, p in (inputs.parts if inputs else {}).items() if n in PROMPT_PARTS):
                prompted |= part.known.reshape(self.count, -1).any(1).cpu()
        labels = {n: p.dropped(~prompted) for n, p in self.parts.items() if n == "label"}
        prompts = {n: p for n, p in (negative.parts if negative else {}).items() if n in PROMPT_PARTS}
        return ConditionInputs(self.count, {**self.unconditional().parts, **labels, **prompts})

    @property
    def is_conditional(self) -> bool:
        """True if any value of any image is known, except observed pixels."""
        return any(bool(p.known.any()) for p in self.parts.values() if not p.observed)

    @property
    def observed(self) -> Bool[Tensor, "b c h w"] | None:
        """Mask of the observed sub-pixels; None for a model that does not complete images."""
        return next((p.known for p in self.parts.values() if p.observed), None)

    @property
    def key(self) -> bytes:
        """Bytes that are equal for batches with the same values and masks, of one model."""
        tensors = (tensor for part in self.parts.values() for tensor in (part.values, part.known))
        return b"".join(tensor.cpu().numpy().tobytes() for tensor in tensors)

    @classmethod
    def concat(cls, batches: Sequence[ConditionInputs]) -> ConditionInputs:
        """Concatenate batches with the same conditions."""
        return cls(
            sum(t.count for t in batches),
            {
                n: replace(
                    part,
                    values=torch.cat([t.parts[n].values for t in batches]),
                    known=torch.cat([t.parts[n].known for t in batches]),
                )
                for n, part in batches[0].parts.items()
            },
        )
