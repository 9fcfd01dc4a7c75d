"""The networks, one file per paper, and their registry."""

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims, Stage, run_stages, sampling_order
from pointillist.networks.gated_pixelcnn import GatedPixelCNN, GatedPixelCNNConfig
from pointillist.networks.locally_masked_pixelcnn import LocallyMaskedPixelCNN, LocallyMaskedPixelCNNConfig
from pointillist.networks.multiscale_pixelrnn import MultiscalePixelRNN, MultiscalePixelRNNConfig
from pointillist.networks.parallel_multiscale import ParallelMultiscale, ParallelMultiscaleConfig
from pointillist.networks.pixel_rnn import DiagonalBiLSTM, DiagonalBiLSTMConfig, RowLSTM, RowLSTMConfig
from pointillist.networks.pixelcnn import PixelCNN, PixelCNNConfig
from pointillist.networks.pixelcnn_pp import PixelCNNPP, PixelCNNPPConfig
from pointillist.networks.pixelsnail import PixelSNAIL, PixelSNAILConfig
from pointillist.networks.registry import ModelEntry, config_from_dict, entry, names, register_network

__all__ = [
    "Backbone",
    "BackboneConfig",
    "BackboneDims",
    "DiagonalBiLSTM",
    "DiagonalBiLSTMConfig",
    "GatedPixelCNN",
    "GatedPixelCNNConfig",
    "LocallyMaskedPixelCNN",
    "LocallyMaskedPixelCNNConfig",
    "ModelEntry",
    "MultiscalePixelRNN",
    "MultiscalePixelRNNConfig",
    "ParallelMultiscale",
    "ParallelMultiscaleConfig",
    "PixelCNN",
    "PixelCNNConfig",
    "PixelCNNPP",
    "PixelCNNPPConfig",
    "PixelSNAIL",
    "PixelSNAILConfig",
    "RowLSTM",
    "RowLSTMConfig",
    "Stage",
    "config_from_dict",
    "entry",
    "names",
    "register_network",
    "run_stages",
    "sampling_order",
]
