"""Training that one can leave alone."""

from pointillist.training.config import TrainConfig
from pointillist.training.dry_run import Forecast, forecast
from pointillist.training.interrupt import Interrupted
from pointillist.training.run import TrainResult, train

__all__ = ["Forecast", "Interrupted", "TrainConfig", "TrainResult", "forecast", "train"]
