"""Training that one can leave alone."""

from pointillist.training.api import TrainResult, train
from pointillist.training.config import TrainConfig
from pointillist.training.estimate import CostEstimate, estimate_cost
from pointillist.training.interrupt import Interrupted

__all__ = ["CostEstimate", "Interrupted", "TrainConfig", "TrainResult", "estimate_cost", "train"]
