"""The integer model of a pixel model: attached in memory or stored next to its weights, with the model's conditions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Unpack, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from pointillist.conditioning import (
    ConditionInputs,
    ConditionKwargs,
    Label,
    MaskedValue,
)
from pointillist.distributions.likelihoods import Likelihood
from pointillist.engine.batch import sum_images
from pointillist.engine.program import IntArray
from pointillist.engine.weights import WeightSnapshot, weights_of
from pointillist.errors import ConfigError, EngineError, ShapeError, clause
from pointillist.images import ImageSpec
from pointillist.images.ordering import PixelOrder
from pointillist.model.conditions import ModelConditions
from pointillist.model.config import Configured, model_fingerprint
from pointillist.model.integer_cost import IntegerCost
from pointillist.model.integer_likelihood import IntegerLikelihood
from pointillist.nn import Condition, Tokens
from pointillist.portable import IntegerModel, IntegerPart, load
from pointillist.portable.storage import has_program
from pointillist.system import available_cores

SCORING_ENGINES = ("auto", "integer", "torch")
"""Engines that score images; `torch` is floating point on any device, `auto` takes the integer program where it can."""
_VERIFIED: ContextVar[list[object] | None] = ContextVar("_VERIFIED", default=None)
"""The models whose weights were compared in the current call."""


@contextmanager
def compare_weights_once() -> Iterator[None]:
    """Within the block, compare the weights of a model with its integer program at the first use alone.

    A call that computes with one state of the weights uses the program several times, and a comparison reads all
    weights: about 1 ms for a million, as much as a fifth of an image.
    """
    if _VERIFIED.get() is not None:
        yield
        return
    token = _VERIFIED.set([])
    try:
        yield
    finally:
        _VERIFIED.reset(token)


@runtime_checkable
class Quantizable(Configured, Protocol):
    """Protocol of the pixel model from which an integer model is made."""

    conditions: ModelConditions

    @property
    def device(self) -> torch.device:
        """Device of the weights."""

    def encode(self, inputs: ConditionInputs | None, count: int, size: tuple[int, int] | None = None) -> Condition:
        """Encode conditions."""

    def check(self, x: Tensor) -> Int[Tensor, "b c h w"]:
        """Check levels."""

    def order(self, name: str | None = None) -> PixelOrder:
        """Get an order."""


@runtime_checkable
class ScoringModel(Protocol):
    """A distribution of images that can be scored: a pixel model in floating point, or its integer model."""

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers."""

    @property
    def likelihood(self) -> Likelihood:
        """Distribution of a pixel, given its parameters."""

    def params(
        self, x: Int[Tensor, "b c h w"], condition: Condition, order: PixelOrder | None = None
    ) -> Shaped[Tensor, "b p h w"]:
        """Parameters of the distribution at every pixel of complete images."""

    def encode(self, inputs: ConditionInputs | None, count: int, size: tuple[int, int] | None = None) -> Condition:
        """Encode conditions."""

    def unchecked_log_prob_map(
        self, x: Int[Tensor, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[Tensor, "b c h w"]:
        """Log-probability of each sub-pixel given those before it, in nats, of images that are validated already."""


class IntegerPixelModel:
    """The integer model of a pixel model, with all its conditions.

    Its likelihood is its own: that of the integer frequencies, near the likelihood of the pixel model but not equal to
    it.

        integer_model = model.integer_model()
        integer_model.log_prob(x, label=3)  # nats, one for each image

    Attributes:
        model: the pixel model, which validates images and encodes conditions.
        integers: the integer model, which needs no torch.
    """

    def __init__(self, model: Quantizable, integers: IntegerModel) -> None:
        self.model, self.integers = model, integers

    def log_prob(
        self,
        x: Int[Tensor, "b c h w"],
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[Tensor, " b"]:
        """Exact log-likelihood of each image under the integer model, in nats, float64; see `PixelModel.log_prob`."""
        return image_nats(self.log_prob_map(x, label, text, order=order, **further))

    def log_prob_map(
        self,
        x: Int[Tensor, "b c h w"],
        label: Label = None,
        text: Any = None,
        *,
        order: str | None = None,
        **further: Unpack[ConditionKwargs],
    ) -> Float[Tensor, "b c h w"]:
        """Log-probability of each sub-pixel given those before it, in nats, float64. Arguments as `log_prob`."""
        x = self.model.check(x)
        inputs = self.model.conditions.inputs(label, len(x), text, size=(x.shape[2], x.shape[3]), **further)
        return self.unchecked_log_prob_map(x, inputs, self.model.order(order))

    def unchecked_log_prob_map(
        self, x: Int[Tensor, "b c h w"], inputs: ConditionInputs | None, order: PixelOrder | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`log_prob_map` of images and conditions that are validated already; known sub-pixels are certain."""
        order = self.model.order() if order is None else order
        integers = self.inputs(inputs, len(x), (x.shape[2], x.shape[3]), order)
        maps = self.integers.log_prob_map(x.cpu().numpy(), integers, order, threads=_threads())
        result = torch.from_numpy(np.ascontiguousarray(maps))
        observed = None if inputs is None else inputs.observed
        return result if observed is None else result.masked_fill(observed.cpu(), 0.0)

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers."""
        return self.model.config.image

    @property
    def likelihood(self) -> IntegerLikelihood:
        """Distribution of a pixel, given the parameters that the integer program computes."""
        return IntegerLikelihood(self.integers.programs[0])  # those of other orders have the same head

    def params(
        self, x: Int[Tensor, "b c h w"], condition: Condition, order: PixelOrder | None = None
    ) -> Int[Tensor, "b p h w"]:
        """Parameters of the distribution at every pixel of complete images, under a condition from `encode`."""
        order = self.model.order() if order is None else order
        integers = self._quantize(condition, len(x), order)
        result = self.integers.params(x.cpu().numpy(), integers, order, threads=_threads())
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(result, 3, 1))).to(x.device)

    def inputs(
        self, inputs: ConditionInputs | None, count: int, size: tuple[int, int], order: PixelOrder
    ) -> dict[str, IntArray]:
        """Encode conditions, and round them to the integers that are part of the input of the integer model."""
        return self._quantize(self.encode(inputs, count, size), count, order)

    def _quantize(self, condition: Condition, count: int, order: PixelOrder) -> dict[str, IntArray]:
        raster = self.model.conditions.to_raster_frame(condition, order)
        return self.integers.quantize_inputs(condition_features(raster, count), order)

    @torch.no_grad()
    def encode(self, inputs: ConditionInputs | None, count: int, size: tuple[int, int] | None = None) -> Condition:
        """Encode conditions as the stored model does without torch, wherever it has an encoder; the others as before.

        So the same prompt, hint or known pixels become the same integers with and without torch, in any batch: all
        images of a batch are encoded by one encoder.
        """
        conditions = self.model.conditions
        if inputs is None:
            inputs = conditions.inputs(count=count, size=size)
        encoders, starts = {}, {"vector": 0, "map": 0, "tokens": 0}
        for part in self.integers.parts[0]:
            channels = slice(starts[part.kind], starts[part.kind] + part.rows.shape[-1])
            starts[part.kind] = channels.stop
            if part.encoder is not None:
                # the same units in the programs of all orders: see `rewrite_input`
                unit = self.integers.programs[0].inputs[part.kind].unit[channels]
                width = conditions.encoders[part.name].tokens_width
                encoders[part.name] = partial(_features, part, unit, width)
        result: Condition = conditions(inputs, count, size, self.model.device, encoders)
        return result


def image_nats(log_probs: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Add log-probabilities to that of each image, float64 on the CPU: the same bits in any layout and batch."""
    return torch.from_numpy(sum_images(log_probs.detach().cpu().double().numpy()))


def _threads() -> int:
    """Return the threads that share a batch: as many as torch would use."""
    return min(torch.get_num_threads(), available_cores())


class WithIntegerModel:
    """The part of a pixel model that keeps its integer model."""

    program_folder: Path | None = None
    """The model folder that the model was loaded from."""
    integer_cost: IntegerCost | None = None
    """What its integer program costs, if that was measured."""
    _integers: IntegerModel | None = None
    _verified: WeightSnapshot | None = None
    """The weights that the integer model was found to belong to; they need not be hashed again while they stay."""

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

    def scorer(self: Any, engine: str = "auto", size: tuple[int, int] | None = None) -> ScoringModel:
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
        result: ScoringModel = self
        if engine in ("auto", "integer"):
            try:
                result = self.integer_model(size) if engine == "integer" else self._default_integer_model(size)
            except (EngineError, ShapeError):
                if engine == "integer":
                    raise
        return result

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
        try:
            self._default_integer_model(size)
        except (EngineError, ShapeError) as error:
            return clause(str(error))
        return ""

    def _default_integer_model(self, size: tuple[int, int] | None) -> IntegerPixelModel:
        """Return the integer model if `auto` takes it, or raise the reason."""
        if self.integer_cost is not None and not self.integer_cost.is_default:
            raise EngineError(self.integer_cost.why_floats)
        return self.integer_model(size)

    def scoring_engine(self: Any, engine: str = "auto", size: tuple[int, int] | None = None) -> str:
        """Return the name of the engine that scores images of a size: `integer`, or `torch` for floating point.

        ```python
        pt.load("digits").scoring_engine()  # "integer"
        ```

        Args:
            engine: one of `SCORING_ENGINES`.
            size: height and width of the images; None for the model's own.

        Raises:
            ConfigError: if there is no such engine.
            EngineError, ShapeError: if `integer` is named, and the model has none for these images.
        """
        if engine not in SCORING_ENGINES:
            raise ConfigError(f"`engine` (={engine!r}) of an evaluation must be auto, integer or torch.")
        return "torch" if self.scorer(engine, size) is self else "integer"

    def integer_model(self: Any, size: tuple[int, int] | None = None) -> IntegerPixelModel:
        """Return the integer model: the one made by `quantize_integer`, or stored in the folder of the model.

        It runs where the model is: on a GPU in torch, else in compiled code or numpy. The bits are the same.

        Args:
            size: height and width of images that it must know; None for the model's own.

        Raises:
            EngineError: if there is none, or the weights have changed since it was made.
            ShapeError: if it does not know the size.
        """
        integer_model = self._stored_or_attached()
        if integer_model is None:
            raise EngineError(
                "This model has no integer program: make it with `pointillist quantize MODEL --integer --data DATA "
                "--out DIR`, or in Python with `pt.quantize_integer(model, data)`."
            )
        verified = _VERIFIED.get()
        is_compared = verified is not None and any(each is self for each in verified)
        if self._verified is None or not (is_compared or self._verified.holds(weights_of(self.modules()))):
            if integer_model.source != model_fingerprint(self):
                raise EngineError(
                    "The weights of the model have changed since its integer program was made: make it again with "
                    "`pt.quantize_integer(model, data)`."
                )
            self._verified = WeightSnapshot(weights_of(self.modules()))
        if verified is not None and not is_compared:
            verified.append(self)
        if size is not None:
            integer_model.check_size(*size)
        return IntegerPixelModel(self, on_device(integer_model, self.device))

    def current_integer_model(self: Any) -> IntegerModel | None:
        """Return the integer model of the weights as they are now; None if there is none, or it is of other weights."""
        integer_model = self._stored_or_attached()
        return None if integer_model is None or integer_model.source != model_fingerprint(self) else integer_model

    def _stored_or_attached(self) -> IntegerModel | None:
        if self._integers is None and self.program_folder is not None and has_program(self.program_folder):
            self._integers = load(self.program_folder)
        return self._integers


def _features(
    part: IntegerPart, unit: Float[np.ndarray, " c"], tokens_width: int, value: MaskedValue
) -> Tensor | Tokens:
    """Encode a batch by the stored encoder of a part; its integers times their units, which round to them again."""
    integers = part.encoded(unit, value.values.cpu().numpy(), value.known.cpu().numpy()) * unit
    sites = integers if integers.ndim == 4 else integers[:, None, None]
    features = torch.from_numpy(sites).permute(0, 3, 1, 2).to(value.values.device)
    return Tokens.unpacked(features, tokens_width) if part.kind == "tokens" else features


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
