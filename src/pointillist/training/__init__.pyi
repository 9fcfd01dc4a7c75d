from pointillist.training.api import TrainResult, train
from pointillist.training.config import TrainConfig
from pointillist.training.runs.from_config import train_from_config
from pointillist.training.state import Interrupted

__all__ = ["Interrupted", "TrainConfig", "TrainResult", "train", "train_from_config"]
