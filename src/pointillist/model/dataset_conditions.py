"""Conditions of a data set, as a model takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from pointillist.conditioning import (
    NO_LABEL,
    ConditionInputs,
    HintPreprocessor,
    ImageConditionEncoder,
    SentenceEncoder,
    match_names,
)
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError
from pointillist.model.pixel_model import PixelModel


class DatasetConditions:
    """Read the conditions of batches of a data set; those that the data set lacks are unknown.

    Raises:
        ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
    """

    def __init__(self, model: PixelModel, data: ImageDataset) -> None:
        self._conditions = model.conditions
        if len(data):
            # names what does not fit before any work is done: no caption is encoded, and no encoder loaded, for that
            model.conditions.from_batch(replace(data.batch([0]), texts=None))
        if data.texts is not None:
            precompute_text_embeddings(model, data.texts)

    def __call__(self, batch: Batch) -> ConditionInputs:
        """Conditions of `batch`."""
        return self._conditions.from_batch(batch)


def precompute_text_embeddings(model: PixelModel, texts: Iterable[str]) -> None:
    """Fill the embedding cache of a model with a frozen text encoder: from a file, if it was filled before.

    Raises:
        ConfigError: if the encoder installed here is not the model's.
    """
    encoder = model.conditions.encoders.get("text")
    if isinstance(encoder, SentenceEncoder):
        encoder.prompts.prepare(text for text in texts if text.strip())


def derive_hint(model: PixelModel, x: Int[Tensor, "b c h w"]) -> Shaped[Tensor, "b d h w"]:
    """Make the hints of images by the model's own rule.

    Raises:
        ConfigError: if the model has no such rule.
    """
    return hint_preprocessor(model).of(x.cpu(), model.image)


def hint_preprocessor(model: PixelModel) -> HintPreprocessor:
    """Get a model's own rule for hints.

    Raises:
        ConfigError: if the model has no such rule.
    """
    encoder = model.conditions.encoders.get("hint")
    if not isinstance(encoder, ImageConditionEncoder):
        raise ConfigError("This model takes no hint: leave it out.")
    if encoder.preprocessor is None:
        raise ConfigError("This model does not make hints from images: give them as `hint`.")
    return encoder.preprocessor


def match_labels(model: PixelModel, data: ImageDataset) -> Int[Tensor, " n"]:
    """Number the labels of a data set as the model does, by class name; `NO_LABEL` where there are none.

    Raises:
        ConfigError: if the data set has a class that the model does not know.
    """
    classes = model.config.classes
    if not classes or data.labels is None:
        return torch.full((len(data),), NO_LABEL)
    return match_names(data.classes, classes, "Class")[torch.from_numpy(np.asarray(data.labels))]
