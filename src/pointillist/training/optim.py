"""The optimiser, and the average of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pointillist.training.config import OptimiserName, TrainConfig

Group = dict[str, Any]


class RMSProp(torch.optim.RMSprop):
    """RMSProp whose weight decay is apart from the gradient, as in AdamW, so that the setting means one thing."""

    def step(self, closure: Any = None) -> Any:
        """Decay, then one step."""
        with torch.no_grad():
            for group in self.param_groups:
                torch._foreach_mul_(group["params"], 1 - group["lr"] * group["decay"])
        return super().step(closure)


def adam(groups: list[Group], config: TrainConfig) -> torch.optim.Optimizer:
    """Adam, with the decay of weights apart from the gradient (AdamW); in one kernel where there is one."""
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), fused=fused)


def rmsprop(groups: list[Group], config: TrainConfig) -> torch.optim.Optimizer:
    """RMSProp without momentum (PixelRNN); `beta2` is the decay of the mean square."""
    own = [{**group, "decay": group["weight_decay"], "weight_decay": 0.0} for group in groups]
    return RMSProp(own, lr=config.lr, alpha=config.beta2)


OPTIMISERS: dict[OptimiserName, Callable[[list[Group], TrainConfig], torch.optim.Optimizer]] = {
    "adam": adam,
    "rmsprop": rmsprop,
}


def build_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimiser of a run; biases, gains, embeddings and position maps do not decay."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    free = [p for name, p in trained if p.ndim < 2 or id(p) in embeddings or name.startswith("position.")]
    exempt = {id(p) for p in free}
    decayed = [p for _, p in trained if id(p) not in exempt]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return OPTIMISERS[config.optimiser]([g for g in groups if g["params"]], config)


class ExponentialMovingAverage:
    """An exponential moving average of a model's weights. Masks are buffers, so they are not averaged and not lost."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(model.named_parameters())
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after step `step`; early on the average is short, so that it leaves the start behind."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.parameters.values()], 1 - decay)

    def copy_to_model(self) -> None:
        """Give the model the averaged weights for good."""
        self._copy(self.average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model has the averaged weights."""
        kept = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._copy(self.average)
        try:
            yield
        finally:
            self._copy(kept)

    def _copy(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values[name])
