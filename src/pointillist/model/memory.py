"""Memory of a training step or an evaluation, estimated beforehand by extrapolating from two small images.

The peak of live tensors grows linearly with the number of pixels, in every network of the registry: a test compares
the estimate with the peak at another size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from pointillist.errors import ConfigError, ShapeError
from pointillist.model.config import ModelConfig
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import config_from_dict, entry
from pointillist.system import MemoryUse

SIDES = 16, 24
"""Sides of the two small images."""

STATES = 4  # of each weight in training, in addition to its gradient: itself, two moments, its average
WORKSPACE = 1.1  # what convolutions take in addition to their tensors
# pixels at once for which no check is made, as it takes up to a second: the default model takes 0.6 GB for them
_SMALL_STEP, _SMALL_EVALUATION = 16 * 32 * 32, 128 * 32 * 32


def training_memory(model: PixelModel) -> MemoryUse:
    """Estimate the memory of a training step in fp32.

    ```python
    training_memory(pt.build("gated-pixelcnn", shape=(3, 64, 64))).bytes(16, 64, 64)
    ```
    """
    return _estimate(model.config, training=True, weights=4 * STATES * model.num_parameters())


def check_training_memory(model: PixelModel, count: int, size: tuple[int, int], device: torch.device) -> None:
    """Check that a training step on `count` images of a size `(height, width)` fits in the free memory of a device.

    Raises:
        ConfigError: naming the estimate, the free memory, and what would fit.
    """
    if count * size[0] * size[1] <= _SMALL_STEP:
        return
    use = training_memory(model)

    def fitting(limit: int) -> list[str]:
        batch, smaller = use.largest_count(limit, *size), use.largest_size(limit, count, *size)
        preset = _fitting_preset(model, count, size, limit)
        names = [f"`batch_size={batch}` (with `grad_accumulation`, the step stays as large)"] if batch else []
        names += [] if smaller is None else [f"`size={smaller[0]}x{smaller[1]}`"]
        return names + ([] if preset is None else [f"`preset={preset}`"])

    what = f"A training step of this {model.config.model_type} on"
    use.check(what, (count, *size), device=device, error=ConfigError, fitting=fitting)


def check_evaluation_memory(model: PixelModel, count: int, height: int, width: int) -> None:
    """Check that `count` images of a size can be evaluated at once in the free memory.

    Raises:
        ShapeError: naming the estimate, the free memory, and what would fit.
    """
    if count * height * width > _SMALL_EVALUATION:
        use = _estimate(model.config, training=False, weights=0)  # the weights are there already
        use.check("The likelihood of", (count, height, width), device=model.device, error=ShapeError)


def check_gradient_memory(model: PixelModel, height: int, width: int) -> None:
    """Check that the gradients of an image of a size fit in the free memory.

    Raises:
        ShapeError: naming the estimate, the free memory, and a size that fits.
    """
    use = training_memory(model)
    use.check("The gradients of", (1, height, width), device=model.device, error=ShapeError)


def _fitting_preset(model: PixelModel, count: int, size: tuple[int, int], free: int) -> str | None:
    """Find the largest of our presets that fits; None if none does, or it is no smaller than the model."""
    config = model.config
    for name in reversed(list(entry(config.model_type).presets)):
        smaller = config.model_copy(update={"backbone": config_from_dict(config.model_type, {}, name)})
        with torch.device("meta"):
            weights = PixelModel(smaller).num_parameters()
        if weights >= model.num_parameters():
            continue
        use = _estimate(smaller, training=True, weights=4 * STATES * weights)
        if use.bytes(count, *size) <= free:
            return name
    return None


def _estimate(config: ModelConfig, *, training: bool, weights: int) -> MemoryUse:
    """Measure the peak for two small images."""

    def prepare(side: int) -> Callable[[], None]:
        small = PixelModel(config.model_copy(update={"image": config.image.resized(side, side)})).train(training)
        x = torch.zeros(1, config.image.channels, side, side, dtype=torch.int64)
        return lambda: _run(small, x, training)

    return measured_use(prepare, SIDES, weights)


def measured_use(prepare: Callable[[int], Callable[[], None]], sides: tuple[int, int], weights: int) -> MemoryUse:
    """Measure the peak for two small images, and take it as linear in the pixels.

    Args:
        prepare: returns the computation on an image of a side, which is measured.
        sides: sides of the two images, in pixels.
        weights: bytes that do not depend on the images.
    """
    peaks = [peak_bytes(prepare(side)) for side in sides]
    first, second = (side * side for side in sides)
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
                reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._storages[storage._cdata] = reference, storage.nbytes()
                self._held += storage.nbytes()
        if self._held > 1.005 * self.peak:  # what is freed by now counts in it: looked up only where it matters
            self._storages = {key: result for key, result in self._storages.items() if not _expired(result[0])}
            self._held = sum(size for _, size in self._storages.values())
            self.peak = max(self.peak, self._held)
        return out


def _expired(reference: StorageWeakRef) -> bool:
    return bool(reference.expired())  # type: ignore[no-untyped-call]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
