"""Integers in training: weights and features rounded as the integer program rounds them, and the program at its end.

Every matrix product of a network is a convolution, or the product of an LSTM with its state. Within the network a mode
of torch rounds the operands of these functions, in the forward pass alone: gradients pass straight through (Bengio et
al. 2013, arXiv 1308.3432), and layers, parameters and their names are untouched.

As in the integer program, weights have 8 bits and a power of two for each output, features 8 bits and a power of two
for each channel. Its units of features come from the images of the calibration; here they come from the batch at hand,
so that a step still depends on nothing but its seed, its number and the weights before it.

Not rounded: the products of vector conditions, which have 16 bits and more in the integer program, residuals, tables,
and the queries, keys and values of attention. A kernel over finished rows and the current row has one unit for each
output here, and two in the integer program, which splits it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pointillist.data import DataSplits, ImageDataset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.engine.opcodes.linear import HIDDEN_BITS
from pointillist.engine.program import INT8, RANGES, UINT8
from pointillist.engine.rewrite.grids import MAX_WEIGHT, canvas_unit, narrow_units, weight_units
from pointillist.engine.weights import inference_mode
from pointillist.errors import ConfigError, EngineError, clause
from pointillist.files.progress import Bar
from pointillist.images.array_types import Float
from pointillist.model.batches import BatchReader, guided_log_likelihoods
from pointillist.model.pixel_model import PixelModel
from pointillist.model.quantize_integer import make_integer_model, spread
from pointillist.model.training_record import IntegerCost
from pointillist.nn.passes import FullPass
from pointillist.training.config import TrainConfig

SampleWriter = Callable[[PixelModel, Path, int], None]
"""A function that writes a sample sheet of a model to a folder, at a step."""

MAX_COST = 0.02
"""Bits/dim up to which a trained model computes in integers by default: docs/decisions, 0069."""
IMAGES, SUB_PIXELS = 256, 200_000
"""Images, and sub-pixels, on which the cost is measured at most.

Both likelihoods are computed on the same images, so that their difference varies little: docs/decisions, 0069.
"""
CALIBRATION_IMAGES, CALIBRATION_SUB_PIXELS = 64, 2**19
"""Images of a calibration, and sub-pixels from which on fewer are taken, such as 10 of 128x128 in colour."""
SHEET_IMAGES = 8
"""Images of the calibration for a sheet, and of any calibration at least."""
SHOWN_SECONDS = 2.0
"""Seconds from which on the time is worth a word."""


@dataclass(frozen=True)
class TrainedIntegers:
    """The integer program of a trained model, or the reason that there is none.

    Attributes:
        cost: what the program costs; None if there is none.
        obstacle: the sentence that says why none could be made; empty otherwise.
        seconds: time that making and measuring it took.
    """

    cost: IntegerCost | None
    obstacle: str
    seconds: float

    @property
    def why_floats(self) -> str:
        """A clause that says why floating point is the default; empty if the integer program is."""
        return clause(self.obstacle) if self.cost is None else self.cost.why_floats

    def __str__(self) -> str:
        if self.cost is None:
            return f"none, so the model samples and scores in floating point: {clause(self.obstacle)}"
        took = f" ({self.seconds:.0f} s)" if self.seconds > SHOWN_SECONDS else ""
        if self.cost.is_default:
            return f"cost {self.cost}{took}"
        return (
            f"cost {self.cost}{took}, more than {MAX_COST}, so floating point stays the default: `--engine integer` "
            "asks for integers, and fine-tuning with `--quantization-aware` lowers their cost"
        )


def add_integer_program(model: PixelModel, splits: DataSplits, accelerator: Accelerator) -> TrainedIntegers:
    """Make the integer program of a trained model on the main process, and attach it on every process with its cost.

    A model that cannot be exact stays as it is.
    """
    started = time.perf_counter()
    outcome: list[Any] = [None, None, ""]
    if accelerator.is_main_process:
        outcome = _make(model, splits)
    broadcast_object_list(outcome)
    integer_model, cost, obstacle = outcome
    if integer_model is not None:
        model.attach_integer_model(integer_model, cost)
    return TrainedIntegers(cost, obstacle, time.perf_counter() - started)


def _make(model: PixelModel, splits: DataSplits) -> list[Any]:
    """Return the integer model, its cost, and the sentence that says why there are none."""
    with Bar("integer program", 2) as bar:
        try:
            fitting = max(SHEET_IMAGES, CALIBRATION_SUB_PIXELS // splits.get("train").spec.dims)
            integer_model = make_integer_model(model, splits, images=min(CALIBRATION_IMAGES, fitting))
        except EngineError as error:
            return [None, None, str(error)]
        bar.show(1)
        model.attach_integer_model(integer_model)
        return [integer_model, measure_cost(model, splits), ""]


def measure_cost(model: PixelModel, data: DataSplits, *, is_default: bool | None = None) -> IntegerCost:
    """Measure what the integer program of a model costs, on validation images, or on training images without them.

    ```python
    measure_cost(pt.load("digits"), pt.load_data("mnist"))
    ```

    Args:
        is_default: whether `auto` takes the program; None if it costs at most `MAX_COST`.
    """
    valid = data.valid is not None and len(data.valid) > 0
    reader = BatchReader(model, data.valid if valid else data.train)
    scorers = model, model.integer_model((reader.height, reader.width))
    dims = model.image.channels * reader.height * reader.width
    nats: list[np.ndarray] = []
    with inference_mode(model):
        for levels, inputs in spread(reader, max(1, min(IMAGES, SUB_PIXELS // dims))):
            both = [-guided_log_likelihoods(scorer, levels, inputs, (1.0,))[0] for scorer in scorers]
            nats.append(both[1] - both[0])
    differences = np.concatenate(nats)
    bits = float(bits_per_dim(differences.mean(), dims))
    default = bits <= MAX_COST if is_default is None else is_default
    return IntegerCost(bits, len(differences), "valid" if valid else "train", default)


def write_by_program(write: SampleWriter, model: PixelModel, images: ImageDataset, folder: Path, step: int) -> None:
    """Let a function write a sheet by an integer program of the model as it is now, if one can be made.

    Args:
        images: training images, for the calibration.
    """
    with suppress(EngineError):
        model.attach_integer_model(make_integer_model(model, images, images=SHEET_IMAGES))
    try:
        write(model, folder, step)
    finally:
        model.attach_integer_model(None)


MOVES = (F.pad, Tensor.__getitem__)
"""Functions by which a window of the canvas is made, whose numbers are levels still."""


@contextmanager
def quantization_aware(model: PixelModel, config: TrainConfig) -> Iterator[None]:
    """Round the operands of the matrix products of a network within the block, if the settings say so.

    A recording of the network, such as for a sample sheet, is not rounded.

    ```python
    with quantization_aware(model, TrainConfig(quantization_aware=True)):
        nats = -model(x)
    ```
    """
    modes: list[AbstractContextManager[Any]] = []
    unit = canvas_unit(model.image.levels) if model.image.ordered else None

    def enter(network: nn.Module, inputs: tuple[Any, ...]) -> None:
        canvas, ctx, _ = inputs
        modes.append(RoundedProducts(canvas, unit) if isinstance(ctx, FullPass) else nullcontext())
        modes[-1].__enter__()

    def leave(network: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        modes.pop().__exit__(None, None, None)

    with ExitStack() as stack:
        if config.quantization_aware:
            stack.callback(model.backbone.register_forward_pre_hook(enter).remove)
            stack.callback(model.backbone.register_forward_hook(leave, always_call=True).remove)
        yield


def check_quantization_aware(model: PixelModel, images: Any, config: TrainConfig) -> None:
    """Check that a model can be exact, before it is trained for that.

    Raises:
        ConfigError: if the network is to be compiled.
        EngineError: if the network, its likelihood or a condition cannot be exact; the message names it.
    """
    if not config.quantization_aware:
        return
    if config.machine.compile:
        raise ConfigError(
            "`quantization_aware` (=true) cannot be used with `compile` (=true), which would not see the rounding: "
            "leave out one of them."
        )
    make_integer_model(model, images, images=1)


class RoundedProducts(TorchFunctionMode):
    """Round the operands of every matrix product within a block.

    Args:
        canvas: the input of the network.
        unit: of its levels, which the integer program holds as they are; None where a level is a learned vector, which
            is rounded as any feature.
    """

    def __init__(self, canvas: Tensor | None, unit: float | None) -> None:
        super().__init__()
        self.unit = unit
        self.levels: list[Tensor | None] = [] if unit is None else [canvas]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, with rounded operands if it is a product."""
        kwargs = kwargs or {}
        if func is F.conv2d and args[0].shape[2:] != (1, 1):
            x, weight, *rest = args
            # layers read windows, so that only the state of an LSTM is padded by the convolution
            x, weight = self._rounded(x, weight, rest[0] if rest else None, is_state="padding" in kwargs)
            args = (x, weight, *rest)
        elif func is torch.addmm:
            x, weight = self._rounded(args[1], args[2].T, None, is_state=True)
            args = (args[0], x, weight.T)
        result = func(*args, **kwargs)
        if (func in MOVES and self._is_canvas(args[0])) or (func is Tensor.copy_ and self._is_canvas(args[1])):
            self.levels.append(result)
        return result

    def _is_canvas(self, x: Any) -> bool:
        return any(x is levels for levels in self.levels)

    def _rounded(self, x: Tensor, weight: Tensor, bias: Tensor | None, *, is_state: bool) -> tuple[Tensor, Tensor]:
        """Round features and weights; a channel is the second axis of both."""
        channels = x.shape[1]
        if self._is_canvas(x):
            assert self.unit is not None
            return x, round_weights(weight, np.full(channels, self.unit), bias)
        signed = is_state or bool(x.min() < 0)
        if is_state:
            units = np.full(channels, 2.0**-HIDDEN_BITS)
        else:
            units = narrow_units(_to_numpy(x.detach().abs().amax((0, *range(2, x.ndim)))), INT8 if signed else UINT8)
        return round_features(x, units, signed=signed), round_weights(weight, units, bias)


def round_features(x: Float[Tensor, "b i *hw"], units: np.ndarray, *, signed: bool) -> Float[Tensor, "b i *hw"]:
    """Round features to 8 bits, in units of each channel; the gradient passes straight through."""
    unit = torch.as_tensor(units, dtype=torch.float32, device=x.device).view(-1, *[1] * (x.ndim - 2))
    low, high = RANGES[INT8 if signed else UINT8]
    return _straight_through(x, (x.detach().float() / unit + 0.5).floor_().clamp_(low, high).mul_(unit))


def round_weights(
    weight: Float[Tensor, "o i *kernel"], units: np.ndarray, bias: Float[Tensor, " o"] | None
) -> Float[Tensor, "o i *kernel"]:
    """Round weights as the integer program does, to a power of two for each output; gradients pass straight through.

    Args:
        weight: a kernel or a matrix.
        units: of the channels that it multiplies.
        bias: of each output; a large one needs a coarse unit.
    """
    unit = torch.as_tensor(units, dtype=torch.float64, device=weight.device).view(-1, *[1] * (weight.ndim - 2))
    scaled = weight.detach().double() * unit
    largest = _to_numpy(scaled.abs().amax(tuple(range(1, weight.ndim))))
    steps = weight_units(largest, np.zeros(len(weight)) if bias is None else _to_numpy(bias.detach()))
    step = torch.as_tensor(steps, device=weight.device).view(-1, *[1] * (weight.ndim - 1))
    integers = (scaled / step + 0.5).floor_().clamp_(-MAX_WEIGHT, MAX_WEIGHT)
    return _straight_through(weight, integers * step / unit)


def _straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Return rounded numbers, to the bit, with the gradient of the numbers that they stand for."""
    return rounded.to(x.dtype) + (x - x.detach())


def _to_numpy(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
