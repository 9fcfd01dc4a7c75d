"""Presets of the papers: the sizes of their networks, and the training settings of their authors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PaperPreset:
    """A model as in its paper, with the optimiser and schedule of its authors.

    Attributes:
        shape, levels: shape `(c, h, w)` and number of levels of the paper's images.
        network: settings of the network.
        model: other settings of the model, `[model]` of a run config.
        train: training settings by dotted key, `[train]` of a run config.
        source: where the figures come from.
        unverified: figures that we could not check against the paper or its code, and our choices where both are
            silent.
    """

    shape: tuple[int, int, int] = (3, 32, 32)
    levels: int = 256
    network: Settings
    model: Settings = field(default_factory=dict)
    train: Settings
    source: str
    unverified: tuple[str, ...] = ()


_PIXEL_RNN = "van den Oord et al. 2016a, table 1 and section 5, as quoted by write-ups of the paper"
_HAND_SET = (
    "the figures are from write-ups, not from the paper itself",
    "the learning rate was set by hand and is not published: the constant 1e-3 is ours, and so are the RMSProp decay "
    "of 0.99 and gradient clipping at 1",
)
_RMSPROP: Settings = MappingProxyType(
    {
        "optimizer.name": "rmsprop",
        "optimizer.lr": 1e-3,
        "optimizer.beta2": 0.99,
        "optimizer.weight_decay": 0.0,
        "optimizer.clip": 1.0,
        "optimizer.ema": 0.0,
        "schedule.name": "constant",
        "schedule.warmup": 0,
        "batch_size": 16,
    }
)

_pixel_rnn = partial(PaperPreset, train=_RMSPROP, source=_PIXEL_RNN, unverified=_HAND_SET)

PIXELCNN = {
    "paper-cifar10": _pixel_rnn(
        network={"channels": 128, "layers": 15, "head_channels": 1024},
        unverified=(*_HAND_SET, "skip connections to the head, which the paper describes for its PixelRNNs"),
    )
}

ROW_LSTM = {
    "paper-cifar10": _pixel_rnn(network={"channels": 128, "layers": 12, "head_channels": 1024}),
    "paper-imagenet32": _pixel_rnn(
        network={"channels": 384, "layers": 12, "head_channels": 1024},
        train={**_RMSPROP, "batch_size": 64},
        unverified=(*_HAND_SET, "the batch of 64"),
    ),
}

DIAGONAL_BILSTM = {
    "paper-mnist": _pixel_rnn(
        shape=(1, 28, 28), levels=2, network={"channels": 16, "layers": 7, "head_channels": 32, "border": False}
    ),
    "paper-cifar10": _pixel_rnn(network={"channels": 128, "layers": 12, "head_channels": 1024, "border": False}),
}


def two_scale_settings(channels: int, layers: int) -> dict[str, Any]:
    """Settings of a multi-scale model whose two networks, and the map between them, have the same size."""
    small = {"small_channels": channels, "small_layers": layers}
    return {"channels": channels, "layers": layers, **small, "map_channels": channels}


_ROWS = {"along": "rows", "small_along": "rows", "head_channels": 1024}
_PAIR = (
    *_HAND_SET,
    "no source gives the sizes of the multi-scale models: both networks have the size of the Row LSTM for these "
    "images, the small image has half the side, and the upsampling network is ours",
)

MULTISCALE_PIXELRNN = {
    "paper-imagenet32": _pixel_rnn(
        network={**_ROWS, **two_scale_settings(channels=384, layers=12)},
        train={**_RMSPROP, "batch_size": 64},
        unverified=(*_PAIR, "the batch of 64"),
    ),
    "paper-imagenet64": _pixel_rnn(
        shape=(3, 64, 64),
        network={**_ROWS, **two_scale_settings(channels=512, layers=4), "residual": False},
        train={**_RMSPROP, "batch_size": 32},
        unverified=(*_PAIR, "the batch of 32"),
    ),
}

_GATED = {"channels": 384, "layers": 20, "first_kernel": 7, "kernel": 5, "head_channels": 1024}
_GATED_UNVERIFIED = (
    "20 layers of 384 with 5x5 kernels are from write-ups; the first kernel (7x7) and the head (1,024) come from "
    "PixelCNN, the earlier model of the same authors",
    "the optimiser is not published: RMSProp as for PixelCNN",
)

GATED_PIXELCNN = {
    "paper-cifar10": PaperPreset(
        network=_GATED,
        train=_RMSPROP,
        source="van den Oord et al. 2016b, section 3.1, as quoted by write-ups of the paper",
        unverified=(*_GATED_UNVERIFIED, "no size is published for CIFAR-10: this is the size for ImageNet"),
    ),
    "paper-imagenet32": PaperPreset(
        network=_GATED,
        train={**_RMSPROP, "batch_size": 128, "steps": 200_000},
        source="van den Oord et al. 2016b, section 3.1, as quoted by write-ups of the paper",
        unverified=(*_GATED_UNVERIFIED, "200,000 updates and the batch of 128 are from memory"),
    ),
}

# neither code divides gradients by the batch size, to which Adam is invariant, and neither clips them
_ADAM: Settings = MappingProxyType(
    {
        "optimizer.name": "adam",
        "optimizer.lr": 1e-3,
        "optimizer.beta1": 0.95,
        "optimizer.beta2": 0.9995,
        "optimizer.weight_decay": 0.0,
        "optimizer.clip": 0.0,
        "schedule.name": "exponential",
        "schedule.warmup": 0,
    }
)

PIXELCNN_PP = {
    "paper-cifar10": PaperPreset(
        network={"channels": 160, "layers": 5, "resolutions": 3, "dropout": 0.5, "residual_scale": 0.1},
        model={"mixtures": 10},
        train={**_ADAM, "schedule.lr_decay": 0.999995, "optimizer.ema": 0.9995, "batch_size": 128},
        source="the defaults of the authors' code (openai/pixel-cnn, train.py: 16 images on each of 8 GPUs)",
        unverified=("a write-up of the paper has 192 filters, where the code has 160",),
    )
}

_SNAIL = {"channels": 256, "blocks": 12, "layers": 4, "key_channels": 16, "value_channels": 128}
_SNAIL_SOURCE = "the authors' released commands (neocxi/pixelsnail-public, README.md and the defaults of train.py)"
_SNAIL_BATCH = "the authors use 8 images on each GPU and do not say how many GPUs: the batch of 64 assumes 8"

PIXELSNAIL = {
    "paper-cifar10": PaperPreset(
        network={**_SNAIL, "dropout": 0.5},
        model={"mixtures": 10},
        train={**_ADAM, "schedule.lr_decay": 0.999998, "optimizer.ema": 0.9995, "batch_size": 64},
        source=_SNAIL_SOURCE,
        unverified=(_SNAIL_BATCH,),
    ),
    "paper-imagenet32": PaperPreset(
        network={**_SNAIL, "dropout": 0.0},
        model={"mixtures": 32},
        train={**_ADAM, "schedule.lr_decay": 0.999998, "optimizer.ema": 0.9997, "batch_size": 64},
        source=_SNAIL_SOURCE,
        unverified=(_SNAIL_BATCH,),
    ),
}
