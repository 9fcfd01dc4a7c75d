"""The setup of a run: splits, device, precision, batch size, and data-dependent initialisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed

from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.model.memory import check_training_memory, training_memory
from pointillist.model.pixel_model import PixelModel
from pointillist.system import available_cores, free_bytes, processor, resolve_device
from pointillist.training.batches import BatchPrefetcher
from pointillist.training.config import TrainConfig
from pointillist.training.optim import ExponentialMovingAverage

INITIAL_IMAGES = 64
"""Images of the data-dependent initialisation."""

MEMORY_SHARE = 0.5  # of free memory: the rest is for the images and for other programs
MAX_BATCH_SIZE = 256
MAX_BATCH_SIZE_CPU = 32  # larger batches are no faster on a CPU, and give fewer updates per epoch

# Elements of a feature map (channels x pixels) from which bf16 is faster on a CPU; for other models it always is.
# Measured: docs/decisions, 0020, has the figures and the command.
MIN_BF16_ELEMENTS = {"row-lstm": 2_000, "diagonal-bilstm": 6_000, "multiscale-pixelrnn": 6_000, "pixelsnail": 20_000}


def as_splits(model: PixelModel, data: Any) -> DataSplits:
    """Turn a data set, splits of a data set, or any source of `load_data`, read as the model's kind, into splits."""
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, ImageDataset):
        return DataSplits(train=data, valid=None, test=None)
    return load_data(data, spec=model.image, classes=model.config.classes, tiles=model.tileset)


def prepare(model: PixelModel, config: TrainConfig) -> tuple[Accelerator, TrainConfig, str]:
    """Resolve device, precision and batch size, and seed the random generators.

    Returns:
        The accelerator, the resolved settings, and the reason for the precision.
    """
    machine = config.machine
    if machine.threads:
        torch.set_num_threads(min(machine.threads, available_cores()))
    device = resolve_device(machine.device)
    precision, reason = resolve_precision(machine.precision, device, model)
    # the loop sets the precision: an accelerator's is fixed for the whole process, and a process may train twice
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    set_seed(config.seed)
    config = config.updated(machine={"precision": precision})
    if config.batch_size == "auto":
        parts = accelerator.num_processes * config.grad_accumulation
        fitting = torch.tensor([largest_batch_size(model.to(accelerator.device))], device=accelerator.device)
        config = config.updated(batch_size=parts * int(accelerator.gather(fitting).min()))  # one size for all processes
    return accelerator, config, reason


def check_step_memory(model: PixelModel, images: ImageDataset, config: TrainConfig, accelerator: Accelerator) -> None:
    """Check that the images of a step that a process holds at once fit in the free memory of its device.

    Raises:
        ConfigError: naming the estimate, the free memory, and what would fit.
    """
    count = -(-int(config.batch_size) // (accelerator.num_processes * config.grad_accumulation))
    size = images.spec.height, images.spec.width
    check_training_memory(model, count, size, accelerator.device)


def initialise_from_data(
    model: PixelModel, data: ImageDataset, batches: BatchPrefetcher, average: ExponentialMovingAverage
) -> None:
    """Initialise a weight-normalised network from the first images of the run (Salimans and Kingma 2016).

    The images do not depend on the batch size or on the number of processes. Afterwards all processes have the same
    weights, and `average` starts from them. A resumed run is not initialised again.
    """
    if not model.needs_data_init:
        return
    index = np.concatenate([part for _, part in batches.sampler.read(0, min(INITIAL_IMAGES, len(data)))])
    batch = data.batch(index)
    model.initialise(model.check(batch.levels), batches.conditions(batch))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(broadcast(parameter.detach().clone()))
            average.average[name].copy_(parameter)


def resolve_precision(precision: str, device: torch.device, model: PixelModel | None = None) -> tuple[str, str]:
    """Resolve the precision to `fp32` or `bf16`; `auto` is bf16 where the hardware multiplies it faster than fp32.

    Args:
        model: the model to train: on a CPU some small models are no faster in bf16.

    Returns:
        The precision and its reason.
    """
    if precision != "auto":
        return precision, "as set"
    kind = "" if model is None else model.config.model_type
    if device.type == "cpu" and model is not None and _map_elements(model) < MIN_BF16_ELEMENTS.get(kind, 0):
        return "fp32", f"{kind} of this size is no faster in bf16"
    if device.type == "cuda":
        return ("bf16", "the GPU has it") if torch.cuda.is_bf16_supported() else ("fp32", "the GPU has no bf16")
    if device.type == "cpu":
        if _cpu_has("_is_amx_tile_supported"):
            return "bf16", "the CPU has AMX"
        if _cpu_has("_is_avx512_bf16_supported"):
            if "Intel" in processor():  # every network that was measured: docs/decisions, 0001
                return "fp32", "an Intel CPU without AMX is no faster in bf16"
            return "bf16", "the CPU has AVX-512 bf16"
    return "fp32", "the hardware is not faster in bf16"


def largest_batch_size(model: PixelModel) -> int:
    """Find the largest power of two of images whose training step fits in half of the free memory, at least 1.

    Where the system does not report free memory, the result is the largest batch size that pays.
    """
    limit = MAX_BATCH_SIZE_CPU if model.device.type == "cpu" else MAX_BATCH_SIZE
    free = free_bytes(model.device)
    if free is None:
        return limit
    fitting = training_memory(model).largest_count(int(MEMORY_SHARE * free), model.image.height, model.image.width)
    return min(limit, max(1, fitting))


def _map_elements(model: PixelModel) -> int:
    """Count the elements of a feature map of one image."""
    return int(getattr(model.config.backbone, "channels", 1)) * model.image.height * model.image.width


def _cpu_has(probe: str) -> bool:
    """Call one of torch's private probes of the CPU; without the probe the answer is no."""
    function = getattr(torch.cpu, probe, None)
    return bool(function is not None and function())
