from pointillist.training.api import TrainResult, train
from pointillist.training.config import TrainConfig
from pointillist.training.estimate import CostEstimate, estimate_cost
from pointillist.training.runs.from_config import train_from_config
from pointillist.training.state import Interrupted

__all__ = ["CostEstimate", "Interrupted", "TrainConfig", "TrainResult", "estimate_cost", "train", "train_from_config"]
