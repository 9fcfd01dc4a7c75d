"""Training: runs that can be interrupted, resumed exactly and repeated."""

from pointillist.files import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "pointillist.training.api": "TrainResult train",
        "pointillist.training.config": "TrainConfig",
        "pointillist.training.runs.from_config": "train_from_config",
        "pointillist.training.state": "Interrupted",
    },
)
