"""One file per paper, and the registry that lists them."""

from pointillist.networks.backbone import Backbone, BackboneConfig, Ports
from pointillist.networks.gated_pixelcnn import GatedPixelCNN, GatedPixelCNNConfig
from pointillist.networks.pixelcnn import PixelCNN, PixelCNNConfig
from pointillist.networks.pixelcnn_pp import PixelCNNPP, PixelCNNPPConfig
from pointillist.networks.registry import ModelEntry, config_from_dict, entry, names

__all__ = [
    "Backbone",
    "BackboneConfig",
    "GatedPixelCNN",
    "GatedPixelCNNConfig",
    "ModelEntry",
    "PixelCNN",
    "PixelCNNConfig",
    "PixelCNNPP",
    "PixelCNNPPConfig",
    "Ports",
    "config_from_dict",
    "entry",
    "names",
]
