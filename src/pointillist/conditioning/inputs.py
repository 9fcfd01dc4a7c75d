"""Condition values of a batch as arrays, with masks of which are known. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.errors import ConfigError, ShapeError, quote
from pointillist.files.reading import check_texts
from pointillist.images.array_types import Bool

PROMPT_PARTS = ("text", "words", "tokens")
"""Encoders that read the prompt of an image; training drops them together."""


@dataclass(frozen=True, eq=False)
class MaskedValue:
    """Values of one condition in a batch.

    ```python
    value = MaskedValue(np.array([3, 0]), np.array([True, False]))  # the second label is unknown
    value.dropped(np.array([True, False])).known  # both are unknown
    ```

    Attributes:
        values: array of one for each image, `[b ...]`; anything where it is not known. Encoders take tensors, see
            `ConditionInputs.converted`.
        known: mask of the known ones: `[b]`, for each of several attributes `[b a]`, for each pixel of an image
            `[b 1 h w]`, for each sub-pixel `[b c h w]`.
        observed: True for pixels of the image itself, which are facts: guidance does not weigh them, and they cost
            nothing.
    """

    values: Any
    known: Any
    observed: bool = False

    def __getitem__(self, index: Any) -> MaskedValue:
        """Select some of the images."""
        return replace(self, values=self.values[index], known=self.known[index])

    def dropped(self, mask: Bool[np.ndarray, "b ..."]) -> MaskedValue:
        return replace(self, known=self.known & ~mask.reshape(*mask.shape, *[1] * (self.known.ndim - mask.ndim)))

    @property
    def known_images(self) -> NDArray[np.bool_]:
        """Images of which something is known, `[b]`."""
        result: NDArray[np.bool_] = self.known.reshape(len(self.known), -1).any(1)
        return result


@dataclass(frozen=True, eq=False)
class ConditionInputs:
    """Conditions of a batch of `count` images, by the name of the encoder that takes each.

    ```python
    inputs = model.conditions.inputs(label="cat", count=4)
    model.log_prob_map(x, inputs=inputs)
    model.log_prob_map(x, inputs=inputs.unconditional())
    ```
    """

    count: int
    parts: Mapping[str, MaskedValue] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: slice | np.ndarray) -> ConditionInputs:
        """Select some of the images."""
        rows = np.arange(self.count)[index]
        return ConditionInputs(len(rows), {name: part[rows] for name, part in self.parts.items()})

    def converted(self, convert: Callable[[np.ndarray], Any]) -> ConditionInputs:
        """A copy with another kind of arrays: tensors on a device, which encoders compute with."""
        parts = {n: replace(p, values=convert(p.values), known=convert(p.known)) for n, p in self.parts.items()}
        return ConditionInputs(self.count, parts)

    def dropped(self, masks: Mapping[str, Bool[np.ndarray, "b ..."]]) -> ConditionInputs:
        """A copy without some values: a mask of the images that lose it, by the name of the condition."""
        return ConditionInputs(self.count, {n: p.dropped(masks[n]) if n in masks else p for n, p in self.parts.items()})

    def unconditional(self) -> ConditionInputs:
        """A copy in which no value is known, except observed pixels."""
        return ConditionInputs(
            self.count,
            {n: p if p.observed else replace(p, known=np.zeros_like(p.known)) for n, p in self.parts.items()},
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
        prompted = np.zeros(self.count, bool)
        for inputs in (self, negative):
            for part in (p for n, p in (inputs.parts if inputs else {}).items() if n in PROMPT_PARTS):
                prompted |= part.known_images
        labels = {n: p.dropped(~prompted) for n, p in self.parts.items() if n == "label"}
        prompts = {n: p for n, p in (negative.parts if negative else {}).items() if n in PROMPT_PARTS}
        return ConditionInputs(self.count, {**self.unconditional().parts, **labels, **prompts})

    @property
    def is_conditional(self) -> bool:
        """True if any value of any image is known, except observed pixels."""
        return any(bool(distinct(p.known).any()) for p in self.parts.values() if not p.observed)

    @property
    def observed(self) -> Bool[np.ndarray, "b c h w"] | None:
        """Mask of the observed sub-pixels; None for a model that does not complete images."""
        part = next((each for each in self.parts.values() if each.observed), None)
        return None if part is None else part.known

    @property
    def key(self) -> bytes:
        """Bytes that are equal for batches with the same values and masks, of one model."""
        arrays = (array for part in self.parts.values() for array in (part.values, part.known))
        return b"".join(array.tobytes() for array in arrays)

    @classmethod
    def concat(cls, batches: Sequence[ConditionInputs]) -> ConditionInputs:
        parts = {}
        for name, part in batches[0].parts.items():
            values, known = (
                np.concatenate([getattr(batch.parts[name], each) for batch in batches]) for each in ("values", "known")
            )
            parts[name] = replace(part, values=values, known=known)
        return cls(sum(batch.count for batch in batches), parts)


def distinct(array: np.ndarray) -> np.ndarray:
    """Return an array without its repetitions: one value for all images is held once, of however many.

    ```python
    distinct(np.broadcast_to(3, (1000,)))  # [3]
    ```
    """
    result: np.ndarray = array[tuple(slice(None if stride else 1) for stride in array.strides)]
    return result


def unique_items(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different items of an array, and of each item its place among them, by their bytes.

    `np.unique(array, axis=0)` compares number by number: 50 times as slow for large maps.

    ```python
    unique_items(np.array([[7, 8], [1, 2], [7, 8]]))  # [[1, 2], [7, 8]], [1, 0, 1]
    ```
    """
    _, first, place = np.unique(
        np.array([item.tobytes() for item in array], object), return_index=True, return_inverse=True
    )
    return array[first], place


def has_prompt(texts: Any) -> bool:
    """Return True if one of some prompts has a word; a text, one for each image, or None.

    ```python
    has_prompt(["", "a red dragon"])  # True
    ```
    """
    prompts = [texts] if texts is None or isinstance(texts, str) else texts
    return any(prompt is not None and prompt.strip() for prompt in prompts)


def parse_prompts(value: Any, count: int) -> list[str] | None:
    """Parse prompts of `count` images: one for all or one each; None, and "" for an image, is not a prompt.

    ```python
    parse_prompts("a red dragon", 2)  # ["a red dragon", "a red dragon"]
    ```

    Raises:
        ConfigError: if they are not strings.
        ShapeError: if there are neither one nor `count` of them.
    """
    if value is None:
        return None
    texts = list(value) if np.iterable(value) and not isinstance(value, (str, bytes)) else [value]
    for text in texts:
        if not isinstance(text, (str, type(None))):
            raise ConfigError(f"`text` (={quote(text)}) must be a string, or one for each image.")
    if len(texts) not in (1, count):
        raise ShapeError(f"{len(texts)} texts do not fit {count} images: give one text, or one for each image.")
    filled = [text or "" for text in texts]
    check_texts(filled, "`text`")
    return filled * count if len(filled) == 1 else filled
