"""Train the Gated PixelCNN of pytorch-generative (github.com/EugenHotaj/pytorch-generative), if it is installed.

Its package imports data sets, which need torchvision, so only the modules of its models are loaded.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.errors import EngineError
from pointillist.model.pixel_model import PixelModel
from pointillist.networks.gated_pixelcnn import GatedPixelCNNConfig

PACKAGE = "pytorch_generative"
NAME = "pytorch-generative"
HEAD_CHANNELS = 32


class PeerStep:
    """A training step of pytorch-generative as it trains: binary cross-entropy of logits, Adam, in float32.

    Args:
        model: `gated-pixelcnn`, whose channels and layers it takes; its other sizes are the package's.
        x: images `[b, 1, h, w]` of two levels.

    Raises:
        EngineError: if the package is not installed, or has no such model.
    """

    def __init__(self, model: PixelModel, x: Tensor) -> None:
        settings = model.config.backbone
        if not isinstance(settings, GatedPixelCNNConfig) or model.image.channels > 1 or model.image.levels > 2:
            raise EngineError(f"{NAME} trains on grey images of two levels: give `gated-pixelcnn --levels 2`.")
        network = _module("models.autoregressive.gated_pixel_cnn").GatedPixelCNN
        sizes = {"n_gated": settings.layers, "gated_channels": settings.channels, "head_channels": HEAD_CHANNELS}
        self.x = x.float()
        self.model = network(in_channels=1, out_channels=1, **sizes).train()
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def loss(self) -> Tensor:
        """Compute nats an image."""
        logits = self.model(self.x)
        return F.binary_cross_entropy_with_logits(logits, self.x, reduction="sum") / len(self.x)

    def __call__(self) -> None:
        """Run one step: forward, backward, optimiser."""
        self.optimiser.zero_grad()
        self.loss().backward()
        self.optimiser.step()


def _module(name: str) -> ModuleType:
    """Import a module of the package without the `__init__` files above it."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"{NAME} is not installed: install it, or name a clone of it in PYTHONPATH.")
    folder, *parts = spec.submodule_search_locations[0], *name.split(".")[:-1]
    for number in range(len(parts) + 1):
        package = ModuleType(".".join((PACKAGE, *parts[:number])))
        package.__path__ = ["/".join((folder, *parts[:number]))]
        sys.modules.setdefault(package.__name__, package)
    return importlib.import_module(f"{PACKAGE}.{name}")
