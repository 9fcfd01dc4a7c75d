"""Fine-tuning: start a model from the weights of another one, and report what does not fit."""

from __future__ import annotations

import torch

from pointillist.errors import ConfigError
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import ConditionBias


def initialise_from(model: PixelModel, source: PixelModel) -> list[str]:
    """Copy the weights of `source` that fit into `model`, in place.

    Embeddings of classes (and of values of attributes) with the same name are kept; new ones start as "unknown", which
    both models embed. A condition that the source does not have starts without effect: whatever its value, the model
    is the source until it is trained.

    Returns:
        What was taken and what starts afresh, one short sentence each.

    Raises:
        ConfigError: if the two are of different kinds, or an image of one means nothing to the other.
    """
    _check(model, source)
    model.initialised = True
    theirs = dict(source.named_parameters())
    fresh = []
    with torch.no_grad():
        notes, done = _take_names(model, source)
        done |= _take_conditions(model, source)
        for name, weight in model.named_parameters():
            if name in done:
                continue
            if name in theirs and theirs[name].shape == weight.shape:
                weight.copy_(theirs[name])
            else:
                fresh.append(name)
    count = sum(1 for _ in model.named_parameters())
    taken = f"{count - len(fresh)} of {count} tensors from a {source.config.model_type}"
    if len(fresh) == count:
        raise ConfigError(
            "No weight of `init_from` fits this model: leave out the settings of the network, to take its own."
        )
    if fresh:
        notes.append(f"new weights: {', '.join(fresh[:4])}{', ...' if len(fresh) > 4 else ''}")
    return [taken, *notes]


def _check(model: PixelModel, source: PixelModel) -> None:
    """Reject a source whose weights would fit by shape, but not by meaning."""
    ours, theirs = model.image, source.image
    if model.config.model_type != source.config.model_type:
        raise ConfigError(
            f"`init_from` is a {source.config.model_type}, whose weights mean nothing to a {model.config.model_type}: "
            f"use `model={source.config.model_type}`."
        )
    if model.likelihood.name != source.likelihood.name:
        raise ConfigError(
            f"`init_from` has a {source.likelihood.name} likelihood, not {model.likelihood.name}: "
            f"use `likelihood={source.likelihood.name}`."
        )
    # a mixture is a distribution over the real line, cut into however many levels; other heads count them
    scale_free = ours.ordered and model.likelihood.name == "mixture"
    for what, option in (("channels", "mode"), ("ordered", "ordered"), ("levels", "levels")):
        a, b = getattr(ours, what), getattr(theirs, what)
        if a != b and not (what == "levels" and scale_free):
            raise ConfigError(
                f"`init_from` was made for {what} {b}, and these images have {a}: read them with `{option}` to match."
            )
    if ours.palette != theirs.palette:
        raise ConfigError(
            "`init_from` has another palette than these images: leave out `palette`, to read them with its own."
        )
    if source.fixed_size and ours.shape != theirs.shape:
        raise ConfigError(
            f"`init_from` samples only {theirs.height}x{theirs.width}, and these images are "
            f"{ours.height}x{ours.width}: read them with `size={theirs.height}x{theirs.width}`."
        )


def _take_names(model: PixelModel, source: PixelModel) -> tuple[list[str], set[str]]:
    """Copy embeddings of classes and values, matched by name; return notes and the parameters that are done."""
    notes: list[str] = []
    done: set[str] = set()
    for encoder in set(model.conditions.encoders) & set(source.conditions.encoders):
        theirs = source.conditions.encoders[encoder].embedding_tables()
        for table_name, (ours, names) in model.conditions.encoders[encoder].embedding_tables().items():
            if table_name not in theirs or theirs[table_name][0].shape[1] != ours.shape[1]:
                continue
            table, known = theirs[table_name]
            rows = {name: row for row, name in enumerate(known)}
            ours.copy_(torch.stack([table[rows.get(name, -1)] for name in names] + [table[-1]]))
            what = "classes" if encoder == "label" else table_name
            shared, new = [n for n in names if n in rows], [n for n in names if n not in rows]
            notes += [f"{what} kept: {_some(shared)}"] if shared else []
            notes += [f"new {what}: {_some(new)}"] if new else []
            done |= {name for name, weight in model.named_parameters() if weight is ours}
    return list(dict.fromkeys(notes)), done


def _take_conditions(model: PixelModel, source: PixelModel) -> set[str]:
    """Copy the weights of each layer for each condition, matched by condition; return the parameters that are done."""
    done: set[str] = set()
    layers = {name: m for name, m in source.named_modules() if isinstance(m, ConditionBias)}
    for name, layer in model.named_modules():
        if not isinstance(layer, ConditionBias) or name not in layers:
            continue
        for kind in ("vector", "map"):
            ours, theirs = getattr(layer, kind), getattr(layers[name], kind)
            if ours is None or (theirs is not None and theirs.weight.shape[0] != ours.weight.shape[0]):
                continue
            columns, known = _columns(model, kind), _columns(source, kind)
            ours.weight.zero_()
            for condition, ours_at in columns.items():
                other = known.get(condition, slice(0, 0))
                if theirs is not None and other.stop - other.start == ours_at.stop - ours_at.start:
                    ours.weight[:, ours_at] = theirs.weight[:, other]
            done.add(f"{name}.{kind}.weight")
        if layer.tokens is not None and layers[name].tokens is None:
            layer.tokens.out.weight.zero_()
            done.add(f"{name}.tokens.out.weight")
    return done


def _columns(model: PixelModel, part: str) -> dict[str, slice]:
    """Features of the vector, or of the map, that each condition has."""
    result, start = {}, 0
    for name, width in model.conditions.widths(part).items():
        result[name] = slice(start, start + width)
        start += width
    return result


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
