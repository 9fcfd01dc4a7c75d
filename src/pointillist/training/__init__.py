"""Training that one can leave alone."""

from pointillist.training.config import TrainConfig
from pointillist.training.interrupt import Interrupted
from pointillist.training.run import TrainResult, train

__all__ = ["Interrupted", "TrainConfig", "TrainResult", "train"]
