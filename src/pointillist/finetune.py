"""Fine-tuning: start a model from the weights of another one, taking what fits and saying what does not."""

from __future__ import annotations

import torch

from pointillist.errors import ConfigError
from pointillist.pixel_model import PixelModel

_LABELS = "label.embedding.weight"


def initialise_from(model: PixelModel, source: PixelModel) -> list[str]:
    """Give `model` the weights of `source` that fit, in place.

    Vectors of classes with the same name are kept; new classes start as "no label", whose vector both models have.

    Returns:
        What was taken and what starts afresh, one short sentence each.

    Raises:
        ConfigError: if the two are of different kinds, or an image of one means nothing to the other.
    """
    _check(model, source)
    model.fresh = False
    theirs = dict(source.named_parameters())
    fresh = []
    notes = []
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name == _LABELS and name in theirs and theirs[name].shape[1] == weight.shape[1]:
                notes += _take_labels(model, source)
            elif name in theirs and theirs[name].shape == weight.shape:
                weight.copy_(theirs[name])
            else:
                fresh.append(name)
    count = sum(1 for _ in model.named_parameters())
    taken = f"{count - len(fresh)} of {count} tensors from a {source.config.model_type}"
    if len(fresh) == count:
        raise ConfigError(
            "No weight of `init` fits this model: leave out the settings of the network, to take its own."
        )
    if fresh:
        notes.append(f"new weights: {', '.join(fresh[:4])}{', ...' if len(fresh) > 4 else ''}")
    return [taken, *notes]


def _check(model: PixelModel, source: PixelModel) -> None:
    """Refuse where weights would fit by shape, but not by meaning."""
    ours, theirs = model.image, source.image
    if model.config.model_type != source.config.model_type:
        raise ConfigError(
            f"`init` is a {source.config.model_type}, whose weights mean nothing to a {model.config.model_type}: "
            f"use `--model {source.config.model_type}`."
        )
    if model.likelihood.name != source.likelihood.name:
        raise ConfigError(
            f"`init` has a {source.likelihood.name} likelihood, not {model.likelihood.name}: "
            f"use `--likelihood {source.likelihood.name}`."
        )
    # a mixture is a distribution over the real line, cut into however many levels; other heads count them
    scale_free = ours.ordered and model.likelihood.name == "mixture"
    for what, option in (("channels", "--mode"), ("ordered", "--unordered"), ("levels", "--levels")):
        a, b = getattr(ours, what), getattr(theirs, what)
        if a != b and not (what == "levels" and scale_free):
            raise ConfigError(
                f"`init` was made for {what} {b}, and these images have {a}: read them with `{option}` to match."
            )
    if ours.palette != theirs.palette:
        raise ConfigError(
            "`init` has another palette than these images: leave out `--palette`, to read them with its own."
        )
    if source.fixed_size and ours.shape != theirs.shape:
        raise ConfigError(
            f"`init` has learned positions for {theirs.height}x{theirs.width}, and these images are "
            f"{ours.height}x{ours.width}: read them with `--size {theirs.height}x{theirs.width}`."
        )


def _take_labels(model: PixelModel, source: PixelModel) -> list[str]:
    assert model.label is not None
    assert source.label is not None
    ours, theirs = model.label.embedding.weight, source.label.embedding.weight
    known = {name: row for row, name in enumerate(source.config.classes)}
    ours.copy_(torch.stack([theirs[known.get(name, -1)] for name in model.config.classes] + [theirs[-1]]))
    kept = [name for name in model.config.classes if name in known]
    new = [name for name in model.config.classes if name not in known]
    notes = [f"classes kept: {_some(kept)}"] if kept else []
    return [*notes, f"new classes: {_some(new)}"] if new else notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
