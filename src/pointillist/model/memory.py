"""Memory of a training step or an evaluation, estimated before it is spent: from two small images, whatever the size.

The peak of live tensors grows linearly with the number of pixels, in every network of the registry: a test compares
the estimate with the peak at another size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from pointillist.errors import ConfigError, ShapeError, counted
from pointillist.model.config import ModelConfig
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import config_from_dict, entry
from pointillist.system import format_bytes, free_bytes

SIDES = 16, 24
"""Sides of the two small images."""

STATES = 4  # of each weight in training, in addition to its gradient: itself, two moments, its average
WORKSPACE = 1.1  # what convolutions take in addition to their tensors
_MAX_BATCH = 1 << 20
# pixels at once for which no check is made, as it takes up to a second: the default model takes 0.6 GB for them
_SMALL_STEP, _SMALL_EVALUATION = 16 * 32 * 32, 128 * 32 * 32


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of a computation, as a function of the images.

    Attributes:
        fixed: bytes that do not depend on the images: weights, their gradients and states.
        per_pixel: bytes of each pixel of each image.
    """

    fixed: float
    per_pixel: float

    def bytes(self, count: int, height: int, width: int) -> int:
        """Bytes for `count` images at once."""
        return int(self.fixed + count * height * width * self.per_pixel)

    def largest_count(self, limit: int, height: int, width: int) -> int:
        """Number of images that fit, as a power of two; 0 if not even one does."""
        fitting = int(min(_MAX_BATCH, max(0.0, limit - self.fixed) / (height * width * self.per_pixel)))
        return 1 << (fitting.bit_length() - 1) if fitting else 0

    def largest_size(self, limit: int, count: int, height: int, width: int) -> tuple[int, int] | None:
        """Largest size of this shape of which `count` images fit, in steps of a 64th; None if there is none."""
        for part in range(63, 0, -1):
            size = height * part // 64, width * part // 64
            if min(size) >= 1 and self.bytes(count, *size) <= limit:
                return size
        return None


def training_memory(model: PixelModel) -> MemoryUse:
    """Estimate the memory of a training step in fp32.

    ```python
    training_memory(pt.build("gated-pixelcnn", shape=(3, 64, 64))).bytes(16, 64, 64)
    ```
    """
    return _estimate(model.config, training=True, weights=4 * STATES * model.num_parameters)


def evaluation_memory(model: PixelModel) -> MemoryUse:
    """Estimate the memory of the likelihood of images, with weights that are there already."""
    return _estimate(model.config, training=False, weights=0)


def check_training_memory(model: PixelModel, count: int, size: tuple[int, int], device: torch.device) -> None:
    """Check that a training step on `count` images of a size `(height, width)` fits in the free memory of a device.

    Raises:
        ConfigError: naming the estimate, the free memory, and what would fit.
    """
    free = free_bytes(device)
    if free is None or count * size[0] * size[1] <= _SMALL_STEP:
        return
    use = training_memory(model)
    needed = use.bytes(count, *size)
    if needed <= free:
        return
    fitting = []
    batch, smaller = use.largest_count(free, *size), use.largest_size(free, count, *size)
    if batch:
        fitting.append(f"`batch_size={batch}` (with `grad_accumulation`, the step stays as large)")
    if smaller is not None:
        fitting.append(f"`size={smaller[0]}x{smaller[1]}`")
    preset = _fitting_preset(model, count, size, free)
    if preset is not None:
        fitting.append(f"`preset={preset}`")
    what = f"A training step on {counted(count, 'image')} of {size[0]}x{size[1]} by this {model.config.model_type}"
    raise ConfigError(memory_sentence(what, needed, free, fitting))


def check_evaluation_memory(model: PixelModel, count: int, height: int, width: int) -> None:
    """Check that `count` images of a size can be evaluated at once in the free memory.

    Raises:
        ShapeError: naming the estimate, the free memory, and what would fit.
    """
    free = free_bytes(model.device)
    if free is None or count * height * width <= _SMALL_EVALUATION:
        return
    use = evaluation_memory(model)
    if use.bytes(count, height, width) <= free:
        return
    fitting = []
    largest = use.largest_count(free, height, width)
    if largest:
        fitting.append(f"`batch_size={largest}`, which changes no result")
    size = use.largest_size(free, count, height, width)
    if size is not None and not largest:
        fitting.append(f"images of {size[0]}x{size[1]}")
    what = f"The likelihood of {counted(count, 'image')} of {height}x{width} at once"
    raise ShapeError(memory_sentence(what, use.bytes(count, height, width), free, fitting))


def memory_sentence(what: str, needed: int, free: int, fitting: list[str]) -> str:
    """Say that a computation does not fit in memory, and what would."""
    remedy = f"what would fit: {', or '.join(fitting)}" if fitting else "take a smaller model and smaller images"
    return f"{what} would take about {format_bytes(needed)}, and {format_bytes(free)} are free: {remedy}."


def _fitting_preset(model: PixelModel, count: int, size: tuple[int, int], free: int) -> str | None:
    """Find the largest of our presets that fits; None if none does, or it is no smaller than the model."""
    config = model.config
    for name in reversed(list(entry(config.model_type).presets)):
        smaller = config.model_copy(update={"backbone": config_from_dict(config.model_type, {}, name)})
        with torch.device("meta"):
            weights = PixelModel(smaller).num_parameters
        if weights >= model.num_parameters:
            continue
        use = _estimate(smaller, training=True, weights=4 * STATES * weights)
        if use.bytes(count, *size) <= free:
            return name
    return None


def _estimate(config: ModelConfig, *, training: bool, weights: int) -> MemoryUse:
    """Measure the peak for two small images, and take it as linear in the pixels."""
    peaks = []
    for side in SIDES:
        small = PixelModel(config.model_copy(update={"image": config.image.resized(side, side)})).train(training)
        x = torch.zeros(1, config.image.channels, side, side, dtype=torch.int64)
        peaks.append(peak_bytes(lambda small=small, x=x: _run(small, x, training)))  # type: ignore[misc]
    first, second = (side * side for side in SIDES)
    per_pixel = max(1.0, (peaks[1] - peaks[0]) / (second - first))
    return MemoryUse(weights + WORKSPACE * max(0.0, peaks[0] - per_pixel * first), WORKSPACE * per_pixel)


def _run(model: PixelModel, x: Tensor, training: bool) -> None:
    with torch.set_grad_enabled(training):
        nats = -model(x).sum()
    if training:
        nats.backward()


def peak_bytes(work: Callable[[], None]) -> int:
    """Call `work`, and return the most bytes that tensors made in it held at once.

    ```python
    peak_bytes(lambda: torch.zeros(256).sum())  # about 1,028
    ```
    """
    with _LiveBytes() as live:
        work()
    peak: int = live.peak
    return peak


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follow the memory of all tensors that are made within the block.

    Attributes:
        peak: most bytes at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak, self._held = 0, 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in _tensors(out):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._storages or _expired(self._storages[storage._cdata][0]):
                self._storages[storage._cdata] = _reference(storage), storage.nbytes()
                self._held += storage.nbytes()
        if self._held > 1.005 * self.peak:  # what is freed by now counts in it: looked up only where it matters
            self._storages = {key: result for key, result in self._storages.items() if not _expired(result[0])}
            self._held = sum(size for _, size in self._storages.values())
            self.peak = max(self.peak, self._held)
        return out


def _reference(storage: torch.UntypedStorage) -> StorageWeakRef:
    return StorageWeakRef(storage)  # type: ignore[no-untyped-call]


def _expired(reference: StorageWeakRef) -> bool:
    return bool(reference.expired())  # type: ignore[no-untyped-call]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
