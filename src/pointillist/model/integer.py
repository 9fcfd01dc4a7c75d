"""The integer model of a pixel model: attached in memory or stored next to its weights, with the model's conditions."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pointillist.conditioning import ConditionInputs
from pointillist.data.tilemaps import Tileset
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.distributions.likelihoods import Likelihood
from pointillist.engine.library import load_library
from pointillist.engine.weights import VERIFIED, modules_of, weights_of
from pointillist.errors import EngineError, ShapeError, clause
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float
from pointillist.model.conditions import ModelConditions
from pointillist.model.config import ModelConfig, model_fingerprint
from pointillist.model.folder.generation import GenerationConfig, MeasuredPrompts
from pointillist.model.folder.portable import ProgramModel
from pointillist.model.integer_cost import IntegerCost
from pointillist.model.portable import IntegerModel, load
from pointillist.model.portable.storage import has_program
from pointillist.model.protocols import LikelihoodModel
from pointillist.nn import Condition, Tokens


class WeightSnapshot:
    """A digest of tensors, which notices if they have changed since, in place or in any other way.

    It reads the weights once, where a comparison with a copy reads both. Without a library in C, blake2 makes it.

    ```python
    snapshot = WeightSnapshot(weights_of(modules_of(model)))
    snapshot.matches(weights_of(modules_of(model)))  # True
    ```
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        tensors = list(tensors)
        self._described, self._digest = _describe(tensors), _digest(tensors)

    def matches(self, tensors: Iterable[Tensor]) -> bool:
        """Return True if these tensors have the types, shapes and values of before."""
        actual = list(tensors)
        return _describe(actual) == self._described and _digest(actual) == self._digest


def _describe(tensors: list[Tensor]) -> list[tuple[torch.dtype, torch.device, torch.Size]]:
    """List the type, device and shape of tensors."""
    return [(t.dtype, t.device, t.shape) for t in tensors]


def _digest(tensors: list[Tensor]) -> int | bytes:
    """Compute a digest of the values of tensors, bit by bit."""
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


class WithIntegerModel(nn.Module):
    """The part of a pixel model that keeps its integer model."""

    config: ModelConfig
    conditions: ModelConditions
    likelihood: Likelihood
    training_record: dict[str, Any]
    generation_config: GenerationConfig
    measured_prompts: MeasuredPrompts
    tileset: Tileset | None

    program_folder: Path | None = None
    """The model folder that the model was loaded from."""
    integer_cost: IntegerCost | None = None
    """What its integer program costs, if that was measured."""
    _integers: IntegerModel | None = None
    _verified: WeightSnapshot | None = None
    """The weights that the integer model was found to belong to; they need not be hashed again while they stay."""
    _weights: int = 0
    """Their number: to count them takes as long as to compare them."""

    @property
    def image(self) -> ImageSpec:
        """Meaning of its integers."""
        return self.generation_config.shown(self.config.image)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return next(self.parameters()).dtype

    def num_parameters(self) -> int:
        """Return the number of weights."""
        return sum(p.numel() for p in self.parameters())

    @property
    def model_type(self) -> str:
        """Name of its network."""
        return self.config.model_type

    @property
    def likelihood_name(self) -> LikelihoodKind:
        """Name of the distribution of a pixel."""
        return self.likelihood.name

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for `pickle` and `copy.deepcopy`: with the integer model, which may lie in the folder only.

        So a copy samples the same images where that folder does not exist.
        """
        self._stored_or_attached()
        return {**self.__dict__, "_verified": None}

    def attach_integer_model(self, integer_model: IntegerModel | None, cost: IntegerCost | None = None) -> None:
        """Keep an integer model that was made from the weights as they are now, or none.

        Args:
            cost: what it costs, if that was measured. It says whether `auto` takes the integer model.
        """
        self._integers, self._verified, self.integer_cost = integer_model, None, cost

    def scorer(self, engine: str = "auto", size: tuple[int, int] | None = None) -> LikelihoodModel:
        """Return what encodes conditions and scores images for an engine: this model, or its integer model.

        `auto` takes the integer model unless `why_floats` gives a reason. `integer` needs one. Any other engine
        computes in floating point, as this model does. So images are sampled, scored and explained with the same
        distribution.

        ```python
        model.scorer("auto", (28, 28)).unchecked_log_prob_map(x, inputs, model.order())
        ```

        Args:
            size: height and width of the images; None for the model's own.

        Raises:
            EngineError, ShapeError: if `integer` is named, and the model has none for these images.
        """
        model = cast("LikelihoodModel", self)
        if engine == "integer":
            model = self.integer_model(size)
        elif engine == "auto" and isinstance(program := self._program(size, by_default=True), ProgramModel):
            model = program
        return model

    def why_floats(self, size: tuple[int, int] | None = None) -> str:
        """Say in a clause why the engine `auto` computes in floating point; empty if it takes the integer program.

        It does not if there is none, if the weights have changed since it was made, for a size that it does not know,
        or if its measured cost is too high.

        ```python
        pt.load("digits").why_floats()  # ""
        ```

        Args:
            size: height and width of the images; None for the model's own.
        """
        program = self._program(size, by_default=True)
        return "" if isinstance(program, ProgramModel) else clause(str(program))

    def integer_model(self, size: tuple[int, int] | None = None) -> ProgramModel:
        """Return the integer model: the one made by `quantize_integer`, or stored in the folder of the model.

        It runs where the model is: on a GPU in torch, else in compiled code or numpy. The bits are the same.

        Args:
            size: height and width of images that it must know; None for the model's own.

        Raises:
            EngineError: if there is none, or the weights have changed since it was made.
            ShapeError: if it does not know the size.
        """
        program = self._program(size, by_default=False)
        if isinstance(program, ProgramModel):
            return program
        raise program

    def _program(self, size: tuple[int, int] | None, *, by_default: bool) -> ProgramModel | EngineError | ShapeError:
        """Return the integer model, or the reason why there is none for images of a size.

        Args:
            by_default: whether it has to be worth its measured cost, as the engine `auto` asks.
        """
        cost, integer_model = self.integer_cost, self._stored_or_attached()
        if by_default and cost is not None and not cost.is_default:
            return EngineError(cost.why_floats)
        if integer_model is None:
            return EngineError(
                "This model has no integer program: make it with `pointillist quantize MODEL DATA --out DIR`, or in "
                "Python with `pt.quantize_integer(model, data)`."
            )
        verified = VERIFIED.get()
        is_compared = verified is not None and any(each is self for each in verified)
        if self._verified is None or not (is_compared or self._verified.matches(weights_of(modules_of(self)))):
            if integer_model.source != model_fingerprint(self):
                return EngineError(
                    "The weights of the model have changed since its integer program was made: make it again with "
                    "`pt.quantize_integer(model, data)`."
                )
            self._verified, self._weights = WeightSnapshot(weights_of(modules_of(self))), self.num_parameters()
        if verified is not None and not is_compared:
            verified.append(self)
        if size is not None:
            try:
                integer_model.check_size(*size)
            except ShapeError as error:
                return error
        return ProgramModel(
            integers=on_device(integer_model, self.device),
            image=self.image,
            generation_config=self.generation_config,
            measured_prompts=self.measured_prompts,
            training_record=self.training_record,
            tileset=self.tileset,
            integer_cost=self.integer_cost,
            model_type=self.model_type,
            weights=self._weights,
            likelihood_name=self.likelihood_name,
            condition_settings=self.config.conditions,
            conditions=self.conditions,
            other_features=partial(_other_features, self, integer_model),
        )

    def current_integer_model(self) -> IntegerModel | None:
        """Return the integer model of the weights as they are now; None if there is none, or it is of other weights."""
        integer_model = self._stored_or_attached()
        return None if integer_model is None or integer_model.source != model_fingerprint(self) else integer_model

    def _stored_or_attached(self) -> IntegerModel | None:
        if self._integers is None and self.program_folder is not None and has_program(self.program_folder):
            self._integers = load(self.program_folder)
        return self._integers


@torch.no_grad()
def _other_features(
    model: Any, integers: IntegerModel, inputs: ConditionInputs, size: tuple[int, int]
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
            model.integer_model()  # the encoder must be of the same weights as the program
            features = encoder.encode(value)
            packed = features.packed() if isinstance(features, Tokens) else features
            array = packed.cpu().double().numpy()
            result[name] = array.transpose(0, 2, 3, 1) if encoder.map_width else array[:, :, 0, 0]
    return result


def on_device(integer_model: IntegerModel, device: torch.device) -> IntegerModel:
    """Return an integer model with the executor of a device: torch on a GPU, and no other one elsewhere."""
    return replace(integer_model, executor=str(device)) if device.type == "cuda" else integer_model


def condition_features(condition: Condition, count: int) -> dict[str, Float[np.ndarray, ...]]:
    """Return the features of a condition for `count` images: `vector` and `tokens`, `[b, v]`, `map`, `[b, h, w, m]`."""
    result: dict[str, Any] = {}
    if condition.vector is not None:
        result["vector"] = condition.vector.detach().cpu().double().numpy()[:, :, 0, 0]
    if condition.map is not None:
        result["map"] = condition.map.detach().cpu().double().numpy().transpose(0, 2, 3, 1)
    if condition.tokens is not None:
        result["tokens"] = condition.tokens.packed().detach().cpu().double().numpy()[:, :, 0, 0]
    # an unconditional vector may be one for all
    return {name: np.broadcast_to(array, (count, *array.shape[1:])) for name, array in result.items()}
