"""Training that one can leave alone."""

from pointillist.training.config import TrainConfig
from pointillist.training.run import TrainResult, train
from pointillist.training.trainer import Interrupted

__all__ = ["Interrupted", "TrainConfig", "TrainResult", "train"]
