"""What a data set tells a model: columns matched by name once, and the hint of each batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from pointillist.conditioning import (
    NO_LABEL,
    ConditionInputs,
    HintPreprocessor,
    ImageConditionEncoder,
    MaskedValue,
    SentenceEncoder,
    label_input,
)
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel


class DatasetConditions:
    """What the images of a data set are told; a condition that the data set lacks is left out.

    Raises:
        ConfigError: if the data set has a value that the model does not know, or a vector or hint of another kind.
    """

    def __init__(self, model: PixelModel, data: ImageDataset) -> None:
        self._model = model
        count, columns = len(data), data.columns
        parts: dict[str, MaskedValue] = {}
        if model.config.classes:
            parts["label"] = label_input(match_labels(model, data))
        if model.config.attributes is not None:
            parts["attributes"] = _attributes(model.config.attributes.values, data)
        if model.config.vector is not None:
            size = model.config.vector.size
            if columns.vectors is not None and columns.vectors.shape[1] != size:
                raise ConfigError(
                    f"The vectors of {data.name} have {columns.vectors.shape[1]} numbers, and the model takes {size}: "
                    "read others, or leave them out."
                )
            parts["vector"] = model.listeners["vector"].resolve(columns.vectors, count, (1, 1))
        self._told = ConditionInputs(count, parts)
        self._brings_hints = columns.hints is not None
        self._derives = model.config.hint is not None and model.config.hint.derive is not None
        if model.config.hint is not None and self._brings_hints and not self._derives:
            _check_hints(model, data)
        if data.texts is not None:
            precompute_text_embeddings(model, data.texts)

    def __call__(self, index: np.ndarray, batch: Batch) -> ConditionInputs:
        """What `batch`, the images at `index`, is told."""
        told = self._told[index]
        parts = dict(told.parts)
        for name, listener in self._model.listeners.items():
            if (listener.asks or name) == "text":
                parts[name] = listener.resolve(batch.texts, told.count, (1, 1))
        if self._model.config.hint is not None:
            parts["hint"] = self._hint(batch)
        return ConditionInputs(told.count, parts)

    def _hint(self, batch: Batch) -> MaskedValue:
        listener = self._model.listeners["hint"]
        assert isinstance(listener, ImageConditionEncoder)
        x, hints = batch.levels, batch.hints
        if self._derives:
            return listener.told(derive_hint(self._model, x))
        return listener.resolve(None, len(x), (x.shape[2], x.shape[3])) if hints is None else listener.told(hints)


def precompute_text_embeddings(model: PixelModel, texts: Iterable[str]) -> None:
    """Have the vectors of prompts at hand, of a model with a frozen encoder: from a file, if they were made before.

    Raises:
        ConfigError: if the encoder installed here is not the model's.
    """
    encoder = model.listeners.get("text")
    if isinstance(encoder, SentenceEncoder):
        encoder.prompts.prepare(text for text in texts if text.strip())


def derive_hint(model: PixelModel, x: Int[Tensor, "b c h w"]) -> Shaped[Tensor, "b d h w"]:
    """The hint that a model's own rule (`derive`) makes of images.

    Raises:
        ConfigError: if the model has no such rule.
    """
    return hint_preprocessor(model).of(x.cpu(), model.image)


def hint_preprocessor(model: PixelModel) -> HintPreprocessor:
    """A model's own rule for hints.

    Raises:
        ConfigError: if the model has no such rule.
    """
    listener = model.listeners.get("hint")
    if not isinstance(listener, ImageConditionEncoder):
        raise ConfigError("This model takes no hint: leave it out.")
    if listener.derivation is None:
        raise ConfigError("This model does not make hints from images: give them as `hint`.")
    return listener.derivation


def match_labels(model: PixelModel, data: ImageDataset) -> Int[Tensor, " n"]:
    """The labels of a data set as the model numbers them, matched by class name; `NO_LABEL` where there are none.

    Raises:
        ConfigError: if the data set has a class that the model does not know.
    """
    classes = model.config.classes
    if not classes or data.labels is None:
        return torch.full((len(data),), NO_LABEL)
    unknown = [name for name in data.classes if name not in classes]
    if unknown:
        raise ConfigError(
            f"Class {unknown[0]!r} of {data.name} is not one of the model's ({', '.join(classes[:8])}...): "
            "evaluate without labels, or fine-tune with `--init-from`."
        )
    table = np.array([classes.index(name) for name in data.classes], np.int64)
    return torch.from_numpy(table[data.labels])


def _attributes(known: dict[str, tuple[str, ...]], data: ImageDataset) -> MaskedValue:
    """The attributes of a data set as the model numbers them, by names."""
    columns = []
    for name, values in known.items():
        numbers = np.full(len(data), NO_LABEL)
        if name in data.columns.attributes:
            theirs = data.columns.values[name]
            unknown = [value for value in theirs if value not in values]
            if unknown:
                raise ConfigError(
                    f"The {name} {unknown[0]!r} of {data.name} is not one of the model's ({', '.join(values[:8])}): "
                    "leave the attribute out, or fine-tune with `--init-from`."
                )
            table = np.array([*(values.index(value) for value in theirs), NO_LABEL], np.int64)
            numbers = table[data.columns.attributes[name]]  # -1, for not known, is the last entry
        columns.append(numbers)
    return label_input(torch.from_numpy(np.stack(columns, 1)))


def _check_hints(model: PixelModel, data: ImageDataset) -> None:
    config, hints = model.config.hint, data.columns.hints
    assert config is not None
    assert hints is not None
    ours, theirs = _kind(config.channels, config.image), _kind(hints.shape[1], data.columns.hint_spec)
    if ours != theirs:
        raise ConfigError(
            f"The hints of {data.name} have {_words(theirs)}, and the model takes {_words(ours)}: convert them."
        )


def _kind(channels: int, spec: ImageSpec | None) -> tuple[int, int, bool, Sequence[object]]:
    return (channels, 0, True, ()) if spec is None else (channels, spec.levels, spec.ordered, spec.palette or ())


def _words(kind: tuple[int, int, bool, Sequence[object]]) -> str:
    channels, levels, ordered, palette = kind
    what = "floats" if not levels else f"{levels} {'ordered' if ordered else 'unordered'} levels"
    return f"{channels} channel(s) of {what}{' with a palette' if palette else ''}"
