"""Describe a model from its settings and the header of its weights, without torch and without building it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pointillist.conditioning.registry import condition_kinds
from pointillist.distributions.registry import resolve_likelihood
from pointillist.errors import CheckpointError
from pointillist.files.arrays import SCALE_SUFFIX
from pointillist.files.checkpoint.header import (
    CONFIG,
    WEIGHTS,
    TensorInfo,
    check_config_hash,
    read_config,
    read_tensor_info,
)
from pointillist.model.integer_cost import IntegerCost, engine_text

Settings = Mapping[str, Any]


def describe_model(folder: Path) -> dict[str, Any]:
    """Describe the model of a folder: sizes, conditions, and the record of its training, as JSON values.

    Raises:
        CheckpointError: if the folder is not a Pointillist model, or damaged as far as its settings and header show.
    """
    config = read_config(folder)
    training = config.pop("training", {})
    check_config_hash(folder, config)
    tensors = read_tensor_info(folder / WEIGHTS)
    try:
        image, conditions = config["image"], config["conditions"]
        facts: dict[str, Any] = {
            "model": config["model_type"],
            "parameters": count_parameters(tensors),
            "weights": stored_dtype(tensors),
            "image": {name: value for name, value in image.items() if name not in ("palette", "level_names")},
            "level_names": list(image.get("level_names") or ()),
            "likelihood": resolve_likelihood(config["likelihood"], image),
            "classes": list(conditions.get("label", {}).get("classes", ())),
            "conditions": _describe_conditions(conditions),
            "orders": config["orders"],
            "size": "fixed" if config["position_channels"] else "any",
            "network": config["backbone"],
            "file_size": sum((folder / part).stat().st_size for part in (WEIGHTS, CONFIG)),
        }
        cost = IntegerCost.pop(training)
        if training:
            facts |= _training_facts(training)
        if cost is not None:
            facts |= {"integers_cost": cost.bits_per_dim, "engine": engine_text("integer", cost.why_floats)}
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} does not describe a model of this release ({error}): copy the whole folder again."
        ) from error
    return facts


def _describe_conditions(conditions: Settings) -> list[str]:
    """Describe each condition in its own words; one that is not registered in this process by its kind."""
    kinds = condition_kinds()
    return [
        words
        for kind, settings in conditions.items()
        for words in (kinds[kind](**settings).describe() if kind in kinds else [kind])
    ]


def _training_facts(training: Settings) -> dict[str, Any]:
    """Describe the run that made a model."""
    settings = training.get("record", {})
    keys = ("valid_bits_per_dim", "best_step", "step", "date", "machine", "pointillist", "torch")
    return {
        "trained_on": settings.get("data", {}).get("source", "unknown"),
        "notes": training.get("notes", []),
        **{key: training[key] for key in keys if key in training},
        "settings": settings,
    }


def stored_dtype(tensors: Mapping[str, TensorInfo]) -> str:
    """Detect how the matrices of a file are stored: `int8`, `bf16` or `float32`."""
    result = {tensor.dtype for tensor in tensors.values()}
    return "int8" if "I8" in result else "bf16" if "BF16" in result else "float32"


def count_parameters(tensors: Mapping[str, TensorInfo]) -> int:
    """Count the weights of a model from the header of its file; the scales of int8 weights are none."""
    scales = {name + SCALE_SUFFIX for name, tensor in tensors.items() if tensor.dtype == "I8"}
    return sum(math.prod(tensor.shape) for name, tensor in tensors.items() if name not in scales)
