"""Augmentation of images and captions, and condition dropout: pure functions of the seed, the epoch and the image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning import ConditionInputs, MaskedValue
from pointillist.conditioning.inputs import PROMPT_PARTS
from pointillist.data import Batch
from pointillist.training.config import CaptionSettings, ConditionDropoutConfig


class RandomStream(IntEnum):
    """Independent streams of random numbers: the last entry of a seed `[seed, counter, stream]`.

    A stored run repeats its draws only as long as the numbers stay the same. `GENERATION_ORDER` shares its number with
    `TEXT_NOISE`; its counter is a round of orders instead of an image, and the seed of an epoch is not the run's.
    """

    SHIFT = 7
    CONDITION_DROPOUT = 11
    CAPTIONS = 13
    TEXT_NOISE = 17
    KNOWN_PIXELS = 19
    MUTATION = 23
    GENERATION_ORDER = 17

    def generator(self, seed: int, counter: int | np.int64) -> np.random.Generator:
        """Make the generator of this stream for one image (or round) of an epoch."""
        return np.random.default_rng([seed, int(counter), int(self)])


def drop_conditions(
    inputs: ConditionInputs, keys: NDArray[np.int64], seed: int, dropout: ConditionDropoutConfig
) -> ConditionInputs:
    """Drop conditions at random, so that the model also learns with some conditions, and unconditionally.

    Each condition is dropped independently, and so is each attribute. Where an image has several conditions, all are
    dropped together with probability `dropout.unconditional`.

    Args:
        keys: index of each image in the data set, `b`.
        seed: seed of the epoch.
    """
    from_caption = [name for name in inputs.parts if name in PROMPT_PARTS]
    parts = {name: part for name, part in inputs.parts.items() if name not in from_caption[1:] and not part.observed}
    widths = {name: part.known.shape[1] if name == "attributes" else 1 for name, part in parts.items()}
    total = sum(widths.values())
    if not total:
        return inputs
    draws = np.stack([RandomStream.CONDITION_DROPOUT.generator(seed, key).random(1 + total) for key in keys])
    everything = draws[:, :1] < (dropout.unconditional if total > 1 else 0.0)
    masks, column = {}, 1
    for name, width in widths.items():
        probability = dropout.label if name == "label" else dropout.other
        dropped = (draws[:, column : column + width] < probability) | everything
        masks[name] = dropped if name == "attributes" else dropped[:, 0]
        column += width
    for name in from_caption[1:]:
        masks[name] = masks[from_caption[0]]
    return inputs.dropped(masks)


def augment_captions(batch: Batch, keys: NDArray[np.int64], seed: int, settings: CaptionSettings) -> Batch:
    """Replace the captions of a batch by variants; see `augment_caption`."""
    if batch.texts is None or not settings.is_active:
        return batch
    generators = [RandomStream.CAPTIONS.generator(seed, key) for key in keys]
    texts = tuple(augment_caption(text, rng, settings) for text, rng in zip(batch.texts, generators, strict=True))
    return replace(batch, texts=texts)


def noise_text_embeddings(
    inputs: ConditionInputs, keys: NDArray[np.int64], seed: int, deviation: float
) -> ConditionInputs:
    """Add normal noise of length about `deviation` to text embeddings `b d`, and scale them back to length 1."""
    if not deviation or "text" not in inputs.parts:
        return inputs
    part = inputs.parts["text"]
    size = part.values.shape[1]
    noise = np.stack([RandomStream.TEXT_NOISE.generator(seed, key).standard_normal(size) for key in keys])
    values = part.values + (noise * (deviation / size**0.5)).astype(part.values.dtype)
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return ConditionInputs(inputs.count, {**inputs.parts, "text": MaskedValue(values, part.known)})


def shift_batch(batch: Batch, keys: NDArray[np.int64], seed: int, reach: int) -> Batch:
    """Shift images and their hints by up to `reach` pixels per axis; the offsets depend on (seed, key) alone."""
    height, width = batch.levels.shape[2:]
    shifted = {name: np.zeros_like(x) for name in ("levels", "hints") if (x := getattr(batch, name)) is not None}
    for i, key in enumerate(keys):
        dy, dx = RandomStream.SHIFT.generator(seed, key).integers(-reach, reach + 1, 2)
        (to_rows, from_rows), (to_columns, from_columns) = _overlap(dy, height), _overlap(dx, width)
        for name, out in shifted.items():
            out[i, :, to_rows, to_columns] = getattr(batch, name)[i, :, from_rows, from_columns]
    return replace(batch, **shifted)


def mutate_batch(batch: Batch, keys: NDArray[np.int64], seed: int, rate: float, levels: int) -> Batch:
    """Give each sub-pixel a level drawn uniformly with probability `rate`; the draws depend on (seed, key) alone.

    A model learns what the noise does not destroy: the background (Ren et al. 2019, arXiv 1906.02845).
    """
    images = batch.levels.copy()
    for image, key in zip(images, keys, strict=True):
        generator = RandomStream.MUTATION.generator(seed, key)
        mutated = generator.random(image.shape) < rate
        image[mutated] = generator.integers(0, levels, int(mutated.sum()))
    return replace(batch, levels=images)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Return the target and the source slice of the part that stays in view; both are empty where nothing does."""
    visible = max(0, size - abs(offset))
    target, origin = max(offset, 0), max(-offset, 0)
    return slice(target, target + visible), slice(origin, origin + visible)


def augment_caption(text: str, rng: np.random.Generator, settings: CaptionSettings) -> str:
    """Draw a variant of a caption. The result depends on `text`, the state of `rng` and the settings alone.

    ```python
    augment_caption("monster, red dragon", np.random.default_rng(0), CaptionSettings(part_dropout=0.5))
    ```
    """
    drop, position, choice = rng.random(3)
    if settings.part_dropout:
        text = _drop_parts(text, rng, settings.part_dropout)
    words = text.split()
    if len(words) > 1 and drop < settings.word_dropout:
        del words[int(position * len(words))]
    if settings.synonyms:
        words = [_draw_synonym(word, settings.synonyms, rng) for word in words]
    caption = " ".join(words)
    templates = settings.templates
    return templates[int(choice * len(templates))].replace("{}", caption) if templates else caption


def _drop_parts(text: str, rng: np.random.Generator, dropout: float) -> str:
    parts = [part.strip() for part in text.split(",")]
    kept, dropped = int(rng.random() * len(parts)), rng.random(len(parts)) < dropout
    return ", ".join(part for number, part in enumerate(parts) if number == kept or not dropped[number])


def _draw_synonym(word: str, synonyms: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    match = re.fullmatch(r"(\W*)(\w+)(\W*)", word)
    if match is None or match[2].lower() not in synonyms:
        return word
    choices = [match[2], *synonyms[match[2].lower()]]
    return match[1] + choices[int(rng.random() * len(choices))] + match[3]
