"""The integer model of a pixel model: attached in memory or stored next to its weights, with the model's conditions."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.conditioning import ConditionInputs
from pointillist.data.tilemaps import Tileset
from pointillist.engine.library import load_library
from pointillist.engine.weights import modules_of, weights_of
from pointillist.errors import EngineError
from pointillist.images.array_types import Float
from pointillist.model.conditions import ModelConditions
from pointillist.model.config import ModelConfig
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.portable import ProgramModel, load
from pointillist.model.portable.files import has_program
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.training_record import IntegerCost, TrainingRecord
from pointillist.nn import Condition, Tokens


class WeightSnapshot:
    """A digest of tensors, which notices if they have changed since, in place or in any other way.

    It reads the weights once, where a comparison with a copy reads both. Without a library in C, blake2 makes it.

    ```python
    snapshot = WeightSnapshot(weights_of(modules_of(model)))
    snapshot.matches(weights_of(modules_of(model)))  # True
    ```

    Attributes:
        count: number of the weights, which takes as long to count as to compare.
    """

    def __init__(self, tensors: Sequence[Tensor], count: int = 0) -> None:
        self.count: int = count
        self._described, self._digest = _describe(tensors), _digest(tensors)

    def matches(self, tensors: Sequence[Tensor]) -> bool:
        """Return True if these tensors have the types, shapes and values of before."""
        return _describe(tensors) == self._described and _digest(tensors) == self._digest


def _describe(tensors: Sequence[Tensor]) -> list[tuple[torch.dtype, torch.device, torch.Size]]:
    return [(t.dtype, t.device, t.shape) for t in tensors]


def _digest(tensors: Sequence[Tensor]) -> int | bytes:
    readable = [t if t.is_cpu and t.is_contiguous() else t.detach().cpu().contiguous() for t in tensors]
    library, sizes = load_library(), [t.nbytes for t in readable]
    if library is None:
        words = hashlib.blake2b(digest_size=8)
        for tensor, size in zip(readable, sizes, strict=True):
            words.update(ctypes.string_at(tensor.data_ptr(), size))
        return words.digest()
    pointers = (ctypes.c_void_p * len(sizes))(*[t.data_ptr() for t in readable])
    digest: int = library.pt_digest(pointers, (ctypes.c_int64 * len(sizes))(*sizes), len(sizes))
    return digest


@runtime_checkable
class StoredModel(LikelihoodModel, Protocol):
    """A pixel model as its integer program and its folder see it; see `PixelModel`."""

    config: ModelConfig
    card: str | None
    conditions: ModelConditions
    training_record: TrainingRecord
    generation_config: GenerationConfig
    measured_prompts: MeasuredPrompts
    tileset: Tileset | None
    integer_cost: IntegerCost | None
    program_folder: Path | None
    attached: ProgramModel | None
    snapshot: WeightSnapshot | None

    @property
    def device(self) -> torch.device: ...

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the weights."""

    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> object:
        """Take other weights."""

    def modules(self) -> Iterator[nn.Module]:
        """Yield itself and all modules inside."""


def find_program(model: StoredModel, size: tuple[int, int] | None, *, by_default: bool) -> ProgramModel:
    """Return the integer model of a pixel model.

    ```python
    find_program(pt.load("digits"), (28, 28), by_default=True).engine  # "integer"
    ```

    Args:
        by_default: whether it has to be worth its measured cost, as the engine `auto` asks.

    Raises:
        EngineError, ShapeError: if there is none of the present weights, or it does not know images of this size.
    """
    cost, integer_model = model.integer_cost, stored_or_attached(model)
    if by_default and cost is not None and not cost.is_default:
        raise EngineError(cost.why_floats)
    if integer_model is None:
        raise EngineError(
            "This model has no integer program: make it with `pointillist quantize MODEL DATA --out DIR`, or in "
            "Python with `pt.quantize_integer(model, data)`."
        )
    weights = weights_of(modules_of(next(model.modules())))
    if model.snapshot is None or not model.snapshot.matches(weights):
        if integer_model.source != model.fingerprint:
            raise EngineError(
                "The weights of the model have changed since its integer program was made: make it again with "
                "`pt.quantize_integer(model, data)`."
            )
        model.snapshot = WeightSnapshot(weights, model.num_parameters())
    if size is not None:
        integer_model.check_size(*size)
    return replace(
        integer_model,
        executor=str(model.device) if model.device.type == "cuda" else integer_model.executor,
        image=model.image,
        generation_config=model.generation_config,
        measured_prompts=model.measured_prompts,
        training_record=model.training_record,
        tileset=model.tileset,
        integer_cost=model.integer_cost,
        model_type=model.model_type,
        weights=model.snapshot.count,
        condition_settings=model.config.conditions,
        conditions=model.conditions,
        other_features=partial(_other_features, model, integer_model),
    )


def stored_or_attached(model: StoredModel) -> ProgramModel | None:
    """Return the integer model that is attached to a model, or stored in its folder; None if there is none."""
    if model.attached is None and model.program_folder is not None and has_program(model.program_folder):
        model.attached = load(model.program_folder)
    return model.attached


def current_integer_model(model: StoredModel) -> ProgramModel | None:
    """Return the integer model of the present weights; None if there is none, or it is of other weights."""
    integer_model = stored_or_attached(model)
    return None if integer_model is None or integer_model.source != model.fingerprint else integer_model


@torch.no_grad()
def _other_features(
    model: StoredModel, integers: ProgramModel, inputs: ConditionInputs, size: tuple[int, int]
) -> dict[str, Float[np.ndarray, ...]]:
    """Compute the features of known conditions without a stored encoder.

    Raises:
        EngineError: if an encoder is needed, and the weights of the model have changed since its program was made.
    """
    image, result = model.config.image, {}
    stored = {part.name for part in integers.parts[0] if part.reader is not None}
    for name, encoder in model.conditions.encoders.items():
        value, other_size = inputs.parts[name], encoder.map_width and size != (image.height, image.width)
        if name not in stored and (value.known.any() or other_size):
            find_program(model, None, by_default=False)  # the encoder must be of the same weights as the program
            features = encoder.encode(value)
            packed = features.packed() if isinstance(features, Tokens) else features
            array = packed.cpu().double().numpy()
            result[name] = array.transpose(0, 2, 3, 1) if encoder.map_width else array[:, :, 0, 0]
    return result


def condition_features(condition: Condition, count: int) -> dict[str, Float[np.ndarray, ...]]:
    """Return the features of a condition for `count` images: `vector` and `tokens`, `[b, v]`, `map`, `[b, h, w, m]`."""
    result: dict[str, np.ndarray] = {}
    if condition.vector is not None:
        result["vector"] = condition.vector.detach().cpu().double().numpy()[:, :, 0, 0]
    if condition.map is not None:
        result["map"] = condition.map.detach().cpu().double().numpy().transpose(0, 2, 3, 1)
    if condition.tokens is not None:
        result["tokens"] = condition.tokens.packed().detach().cpu().double().numpy()[:, :, 0, 0]
    # an unconditional vector may be one for all
    return {name: np.broadcast_to(array, (count, *array.shape[1:])) for name, array in result.items()}
