"""The setup of a run: splits, device, precision, batch size, initialisation, optimiser, schedule and moving average."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from rich.console import Console
from torch import Tensor, nn

from pointillist.data import DataSplits, ImageDataset, load_data
from pointillist.images.array_types import Float
from pointillist.model.batches import check_spec
from pointillist.model.memory import check_training_memory
from pointillist.model.pixel_model import PixelModel
from pointillist.system import available_cores, processor, resolve_device
from pointillist.training.batches import BatchPrefetcher
from pointillist.training.config import OptimizerConfig, OptimizerName, ScheduleConfig, ScheduleName, TrainConfig
from pointillist.training.integers import check_quantization_aware
from pointillist.training.logging import describe

ParameterGroup = dict[str, Any]


class RMSProp(torch.optim.RMSprop):
    """RMSProp with decoupled weight decay, as in AdamW, so that `weight_decay` means the same for both optimisers."""

    def step(self, closure: Any = None) -> Any:
        """Decay the weights, then take a step."""
        with torch.no_grad():
            for group in self.param_groups:
                torch._foreach_mul_(group["params"], 1 - group["lr"] * group["decay"])
        return super().step(closure)


def adam(
    groups: list[ParameterGroup], config: OptimizerConfig, kind: type[torch.optim.AdamW] = torch.optim.AdamW
) -> torch.optim.Optimizer:
    """Make AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019), fused into one kernel where the device has it."""
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return kind(groups, lr=config.lr, betas=(config.beta1, config.beta2), fused=fused)


def rmsprop(groups: list[ParameterGroup], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Make RMSProp without momentum (van den Oord et al. 2016a); `beta2` is the decay of the mean square."""
    plain = [{**group, "decay": group["weight_decay"], "weight_decay": 0.0} for group in groups]
    return RMSProp(plain, lr=config.lr, alpha=config.beta2)


class Muon(torch.optim.AdamW):
    """Muon for kernels of hidden features, as matrices of outputs by inputs and taps; AdamW for all else.

    Jordan et al. 2024, with the size of a step of Liu et al. 2025 (arXiv 2502.16982), eq. 4, times `MATRIX_RATE`.
    """

    def step(self, closure: Any = None) -> Any:
        """Take a step of the matrices, all of a shape at once, whose gradients are then gone, and one of AdamW."""
        for group in (group for group in self.param_groups if group["matrices"]):
            lr = MATRIX_RATE * group["lr"]
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for p in (p for p in group["params"] if p.grad is not None):
                shapes.setdefault(p.flatten(1).shape, []).append(p)
            for shape, kernels in shapes.items():
                means = [self.state[p].setdefault("momentum_buffer", torch.zeros_like(p)) for p in kernels]
                gradients = [p.grad for p in kernels if p.grad is not None]
                torch._foreach_lerp_(means, gradients, 1 - MOMENTUM)
                ahead = [step.flatten(1) for step in torch._foreach_lerp(gradients, means, MOMENTUM)]
                steps = orthogonalised(torch.stack(ahead))
                with torch.no_grad():
                    for p, step in zip(kernels, 0.2 * lr * max(shape) ** 0.5 * steps, strict=True):
                        p.mul_(1 - lr * group["weight_decay"]).sub_(step.view_as(p)).grad = None
        return super().step(closure)


MATRIX_RATE, MOMENTUM, MIN_INPUTS = 6.0, 0.95, 8
"""Learning rate of a matrix over `optimizer.lr`, decay of its mean gradient, and least channels that it reads: 0084."""


def orthogonalised(matrices: Float[Tensor, "n o i"]) -> Float[Tensor, "n o i"]:
    """Set all singular values to about 1, by five steps of Newton and Schulz (Jordan et al. 2024).

    They are of bf16 where the hardware is fast at it: without it, a processor takes ten times as long as in float32.
    """
    x = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    fast = resolve_precision("auto", x.device)[0] == "bf16"
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(torch.bfloat16 if fast else x.dtype)
    for _ in range(5):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=-4.775, alpha=2.0315), x, beta=3.4445)
    return (x if x.shape == matrices.shape else x.mT).to(matrices.dtype)


OPTIMIZERS: dict[OptimizerName, Callable[[list[ParameterGroup], OptimizerConfig], torch.optim.Optimizer]] = {
    "adam": adam,
    "muon": partial(adam, kind=Muon),
    "rmsprop": rmsprop,
}


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a model. Biases, gains, embeddings and position maps do not decay.

    Muon takes the convolutions of 8 channels or more. AdamW takes kernels of fewer, which are levels of an image, the
    linear layers of a condition encoder, and all parameters of a network with an LSTM.

    ```python
    build_optimizer(model, OptimizerConfig(name="rmsprop", lr=1e-3))
    ```
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    recurrent = any(p.ndim == 3 for p in model.parameters())  # the matrices of an LSTM, of each tap
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, p in model.named_parameters():
        decays = p.ndim >= 2 and id(p) not in embeddings and not name.startswith("position.")
        matrix = decays and not recurrent and p.ndim == 4 and p.shape[1] >= MIN_INPUTS
        if p.requires_grad:
            groups.setdefault((config.weight_decay if decays else 0.0, matrix), []).append(p)
    tables = [{"params": groups[key], "weight_decay": key[0], "matrices": key[1]} for key in sorted(groups)[::-1]]
    return OPTIMIZERS[config.name](tables, config)


Schedule = Callable[[int, int, ScheduleConfig], float]
"""Share of the peak learning rate, from the steps since the warm-up, their total, and the settings."""


def cosine(step: int, total: int, config: ScheduleConfig) -> float:
    """Decay from 1 along half a cosine to `final_lr` at the last step (Loshchilov and Hutter 2017)."""
    share = min(1.0, step / max(1, total))
    return config.final_lr + (1 - config.final_lr) * 0.5 * (1 + math.cos(math.pi * share))


def exponential(step: int, total: int, config: ScheduleConfig) -> float:
    """Multiply by `lr_decay` at each step, whatever the length of the run (PixelCNN++, PixelSNAIL)."""
    return config.lr_decay**step


def constant(step: int, total: int, config: ScheduleConfig) -> float:
    """Stay at the peak."""
    return 1.0


SCHEDULES: dict[ScheduleName, Schedule] = {"cosine": cosine, "exponential": exponential, "constant": constant}


def learning_rate(step: int, total: int, config: TrainConfig) -> float:
    """Compute the learning rate of step `step` (from 0) of `total`: a linear warm-up, then the schedule."""
    peak, schedule = config.optimizer.lr, config.schedule
    warmup = min(schedule.warmup, max(1, total // 10))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * SCHEDULES[schedule.name](step - warmup, total - warmup, schedule)


class ExponentialMovingAverage:
    """An exponential moving average of the weights of a model. Masks are buffers, so they are not averaged.

    Args:
        model: the model; its parameters are read at each `update`.
        decay: decay per step; 0 copies the weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters: dict[str, nn.Parameter] = dict(model.named_parameters())
        self.average: dict[str, Tensor] = {name: p.detach().clone() for name, p in self.parameters.items()}

    def update(self, step: int) -> None:
        """Average in the weights after step `step`. The decay of early steps is smaller, so that they are forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.parameters.values()], 1 - decay)

    def copy_to_model(self) -> None:
        self._copy(self.average)

    def synchronise(self) -> None:
        """Give every process the weights of the first, from which the average starts again."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(broadcast(parameter.detach().clone()))
                self.average[name].copy_(parameter)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averaged weights within a block, and its own weights after it."""
        before = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._copy(self.average)
        try:
            yield
        finally:
            self._copy(before)

    def _copy(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values[name])


INITIAL_IMAGES = 64
"""Images of the data-dependent initialisation."""

# Elements of a feature map (channels x pixels) from which bf16 is faster on a CPU; for other models it always is.
# Measured: docs/decisions, 0020, has the figures and the command.
MIN_BF16_ELEMENTS = {"row-lstm": 2_000, "diagonal-bilstm": 6_000, "multiscale-pixelrnn": 6_000, "pixelsnail": 20_000}


# Of malloc.h of glibc: parameters of `mallopt`, with its defaults and values that return nothing to the system.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_RETURNED, _KEPT = {_M_TRIM_THRESHOLD: 2**17, _M_MMAP_MAX: 2**16}, {_M_TRIM_THRESHOLD: 2**31 - 1, _M_MMAP_MAX: 0}


def keep_memory(kept: bool) -> None:
    """Let the C library keep the memory of a step for the next, or return it again; elsewhere than in glibc do nothing.

    By default glibc returns each large array to the system, which clears every page of the next: 5 to 12 % of a step.
    In threads other than the first it returns arrays of 64 MB and more in any case.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "gnu_get_libc_version"):
        for parameter, value in (_KEPT if kept else _RETURNED).items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


def as_splits(model: PixelModel, data: Any) -> DataSplits:
    """Turn a data set, splits of a data set, or any source of `load_data`, read as the model's kind, into splits."""
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, ImageDataset):
        return DataSplits(train=data, valid=None, test=None)
    return load_data(data, spec=model.image, classes=model.config.classes, tiles=model.tileset)


def prepare(
    model: PixelModel, data: Any, config: TrainConfig, console: Console | None
) -> tuple[DataSplits, Accelerator, TrainConfig]:
    """Read the images, resolve device and precision, and describe the run on the console.

    The random generators are seeded.

    Returns:
        The images, the accelerator, and the resolved settings.

    Raises:
        ConfigError, DataError, ShapeError, EngineError: if a step cannot be taken; see `check_spec`,
            `check_training_memory` and `check_quantization_aware`.
    """
    splits = as_splits(model, data)
    images = splits.get("train")
    check_spec(model, images)
    machine = config.machine
    torch.set_num_threads(min(machine.threads or torch.get_num_threads(), available_cores()))
    device = resolve_device(machine.device)
    precision, reason = resolve_precision(machine.precision, device, model)
    # the loop sets the precision: an accelerator's is fixed for the whole process, and a process may train twice
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    set_seed(config.seed)
    config = config.updated(machine={"precision": precision})
    count = -(-config.batch_size // (accelerator.num_processes * config.grad_accumulation))
    check_training_memory(model, count, (images.spec.height, images.spec.width), accelerator.device)
    check_quantization_aware(model, images, config)
    if console is not None and accelerator.is_main_process:
        for line in describe(model, splits, config, reason, accelerator):
            console.print(line, highlight=False)
    return splits, accelerator, config


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
    model.initialise(model.check(batch.levels), batches.conditions.from_batch(batch))
    average.synchronise()


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


def _map_elements(model: PixelModel) -> int:
    return int(getattr(model.config.backbone, "channels", 1)) * model.image.height * model.image.width


def _cpu_has(probe: str) -> bool:
    """Call one of torch's private probes of the CPU; without the probe the answer is no."""
    function = getattr(torch.cpu, probe, None)
    return bool(function is not None and function())
