"""Memory of a training step or an evaluation, estimated beforehand from activations and weights.

Training: what one small image leaves for the gradient, for each pixel, and the weights with their optimiser's states.
Evaluation: the output and some feature maps of the widest layer. A process grows by half to twice the estimate. Live
tensors are 0.75 to 1.3 of it in training, and 0.2 to 1.1 in evaluation, for each network and preset (2026-12-02).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from pointillist.errors import ConfigError
from pointillist.model.pixel_model import PixelModel
from pointillist.system import MemoryUse

SIDE = 24  # of the small image
STATES = 4  # of each weight in training, in addition to its gradient: itself, two moments, its average
WORKSPACE = 1.1  # what convolutions take in addition to their tensors
OUTPUTS, MAPS = 2, 8  # outputs of the network, and maps of its widest hidden layer, that are alive at the peak
# pixels at once for which no check is made, as it takes up to a second: the default model takes 0.6 GB for them
_SMALL_STEP = 16 * 32 * 32


def training_memory(model: PixelModel) -> MemoryUse:
    """Estimate the memory of a training step in fp32: what the forward pass of a small image saves for the gradient.

    The output has two gradients of its size.

    ```python
    training_memory(pt.build("gated-pixelcnn", shape=(3, 64, 64))).bytes(16, 64, 64)
    ```
    """
    small = PixelModel(model.config.model_copy(update={"image": model.config.image.resized(SIDE, SIDE)})).train()
    constants = {p.untyped_storage().data_ptr() for p in (*small.parameters(), *small.buffers())}
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        nats = small(torch.zeros(1, model.image.channels, SIDE, SIDE, dtype=torch.int64))  # holds all that is saved
    activations = sum(size for pointer, size in saved.items() if pointer not in constants) / SIDE**2
    del nats
    return MemoryUse(
        4 * STATES * model.num_parameters(), WORKSPACE * (activations + 4 * OUTPUTS * small.likelihood.num_params)
    )


def evaluation_memory(model: PixelModel) -> MemoryUse:
    """Estimate the memory of the likelihood of images, in addition to the weights.

    ```python
    evaluation_memory(pt.build("gated-pixelcnn", shape=(3, 64, 64))).bytes(64, 64, 64)
    ```
    """
    outputs = model.likelihood.num_params
    widest = max((p.shape[0] for p in model.parameters() if p.ndim == 4 and p.shape[0] != outputs), default=1)
    return MemoryUse(0.0, WORKSPACE * 4 * (OUTPUTS * outputs + MAPS * widest))


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
        names = [f"`batch_size={batch}` (with `grad_accumulation`, the step stays as large)"] if batch else []
        return names + ([] if smaller is None else [f"`size={smaller[0]}x{smaller[1]}`"])

    what = f"A training step of this {model.config.model_type} on"
    use.check(what, (count, *size), device=device, error=ConfigError, fitting=fitting)
