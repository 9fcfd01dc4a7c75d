"""Training: runs that can be interrupted, resumed exactly and repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointillist.files.lazy import lazy_names

if TYPE_CHECKING:
    from pointillist.training.api import TrainResult, train
    from pointillist.training.config import TrainConfig
    from pointillist.training.estimate import CostEstimate, estimate_cost
    from pointillist.training.runs.from_config import train_from_config
    from pointillist.training.state import Interrupted

_MODULES = {
    "api": ("TrainResult", "train"),
    "config": ("TrainConfig",),
    "estimate": ("CostEstimate", "estimate_cost"),
    "runs.from_config": ("train_from_config",),
    "state": ("Interrupted",),
}

__all__ = [
    "CostEstimate",
    "Interrupted",
    "TrainConfig",
    "TrainResult",
    "estimate_cost",
    "train",
    "train_from_config",
]

__getattr__: Callable[[str], Any] = lazy_names(__name__, _MODULES)
