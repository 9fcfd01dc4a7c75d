"""The optimiser, the learning rate schedule, and the moving average of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pointillist.training.config import OptimizerConfig, OptimizerName, ScheduleConfig, ScheduleName, TrainConfig

ParameterGroup = dict[str, Any]


class RMSProp(torch.optim.RMSprop):
    """RMSProp with decoupled weight decay, as in AdamW, so that `weight_decay` means the same for both optimisers."""

    def step(self, closure: Any = None) -> Any:
        """Decay the weights, then take a step."""
        with torch.no_grad():
            for group in self.param_groups:
                torch._foreach_mul_(group["params"], 1 - group["lr"] * group["decay"])
        return super().step(closure)


def adam(groups: list[ParameterGroup], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Make AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019), fused into one kernel where the device has it."""
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), fused=fused)


def rmsprop(groups: list[ParameterGroup], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Make RMSProp without momentum (van den Oord et al. 2016a); `beta2` is the decay of the mean square."""
    plain = [{**group, "decay": group["weight_decay"], "weight_decay": 0.0} for group in groups]
    return RMSProp(plain, lr=config.lr, alpha=config.beta2)


OPTIMIZERS: dict[OptimizerName, Callable[[list[ParameterGroup], OptimizerConfig], torch.optim.Optimizer]] = {
    "adam": adam,
    "rmsprop": rmsprop,
}


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a model. Biases, gains, embeddings and position maps do not decay.

    ```python
    build_optimizer(model, OptimizerConfig(name="rmsprop", lr=1e-3))
    ```
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    exempt = [p for name, p in trained if p.ndim < 2 or id(p) in embeddings or name.startswith("position.")]
    exempt_ids = {id(p) for p in exempt}
    decayed = [p for _, p in trained if id(p) not in exempt_ids]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": exempt, "weight_decay": 0.0}]
    return OPTIMIZERS[config.name]([g for g in groups if g["params"]], config)


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
        """Overwrite the weights of the model with the average."""
        self._copy(self.average)

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
