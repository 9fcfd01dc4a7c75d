"""What changes from epoch to epoch: where an image lies, and what it is told. Pure functions of seed and image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pointillist.conditioning import ConditionInputs, MaskedValue
from pointillist.data import Batch
from pointillist.training.captions import CaptionSettings, augment_caption
from pointillist.training.config import TrainConfig

SPOKEN = ("text", "words", "tokens")
"""Parts that are made of one caption: they are hidden together."""


def drop_conditions(told: ConditionInputs, keys: np.ndarray, seed: int, config: TrainConfig) -> ConditionInputs:
    """Leave conditions out at random, so that the model learns to paint by any of them, and unasked.

    Each is hidden from an image by itself, each attribute too; where there are several, now and then all at once.
    """
    spoken = [name for name in told.parts if name in SPOKEN]
    parts = {name: part for name, part in told.parts.items() if name not in spoken[1:]}
    widths = {name: part.known.shape[1] if name == "attributes" else 1 for name, part in parts.items()}
    total = sum(widths.values())
    if not total:
        return told
    draws = np.stack([np.random.default_rng([seed, int(key), 11]).random(1 + total) for key in keys])
    everything = draws[:, :1] < (config.all_dropout if total > 1 else 0.0)
    where, column = {}, 1
    for name, width in widths.items():
        share = config.label_dropout if name == "label" else config.condition_dropout
        hidden = torch.from_numpy((draws[:, column : column + width] < share) | everything)
        where[name] = hidden if name == "attributes" else hidden[:, 0]
        column += width
    for name in spoken[1:]:
        where[name] = where[spoken[0]]
    return told.dropped(where)


def reworded(batch: Batch, keys: np.ndarray, seed: int, settings: CaptionSettings) -> Batch:
    """Captions in other words; see `augment_caption`."""
    if batch.texts is None or not settings.anything:
        return batch
    draws = [np.random.default_rng([seed, int(key), 13]) for key in keys]
    texts = tuple(augment_caption(text, rng, settings) for text, rng in zip(batch.texts, draws, strict=True))
    return replace(batch, texts=texts)


def noise_text_embeddings(told: ConditionInputs, keys: np.ndarray, seed: int, deviation: float) -> ConditionInputs:
    """Vectors of prompts (of length 1) with normal noise of a length of about `deviation`, brought back to length 1."""
    if not deviation or "text" not in told.parts:
        return told
    part = told.parts["text"]
    size = part.values.shape[1]
    noise = np.stack([np.random.default_rng([seed, int(key), 17]).standard_normal(size) for key in keys])
    values = part.values + torch.from_numpy(noise * (deviation / size**0.5)).to(part.values)
    values = values / values.norm(dim=1, keepdim=True)
    return ConditionInputs(told.count, {**told.parts, "text": MaskedValue(values, part.known)})


def shifted(batch: Batch, keys: np.ndarray, seed: int, reach: int) -> Batch:
    """Images and their hints moved alike; see `shift_images`."""
    levels = torch.from_numpy(shift_images(batch.levels.numpy(), keys, seed, reach))
    hints = None if batch.hints is None else torch.from_numpy(shift_images(batch.hints.numpy(), keys, seed, reach))
    return replace(batch, levels=levels, hints=hints)


def shift_images(levels: np.ndarray, keys: np.ndarray, seed: int, reach: int) -> np.ndarray:
    """Each image `c h w` moved by up to `reach` pixels each way; its draw depends on (seed, key) alone."""
    out = np.zeros_like(levels)
    height, width = levels.shape[2:]
    for i, key in enumerate(keys):
        dy, dx = np.random.default_rng([seed, int(key), 7]).integers(-reach, reach + 1, 2)
        (to_rows, from_rows), (to_columns, from_columns) = _overlap(dy, height), _overlap(dx, width)
        out[i, :, to_rows, to_columns] = levels[i, :, from_rows, from_columns]
    return out


def _overlap(move: int, size: int) -> tuple[slice, slice]:
    """Where the part that stays in view goes to, and where it comes from; both empty where nothing does."""
    kept = max(0, size - abs(move))
    target, origin = max(move, 0), max(-move, 0)
    return slice(target, target + kept), slice(origin, origin + kept)
