"""The registry of models: name, network, summary and presets of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pointillist.distributions.kinds import LikelihoodName
from pointillist.errors import ConfigError, check_name, format_validation_error
from pointillist.images import ImageSpec
from pointillist.networks.backbone import Backbone, BackboneConfig
from pointillist.networks.gated_pixelcnn import GatedPixelCNN
from pointillist.networks.locally_masked_pixelcnn import LocallyMaskedPixelCNN
from pointillist.networks.multiscale_pixelrnn import MultiscalePixelRNN
from pointillist.networks.paper_presets import (
    DIAGONAL_BILSTM,
    GATED_PIXELCNN,
    MULTISCALE_PIXELRNN,
    PIXELCNN,
    PIXELCNN_PP,
    PIXELSNAIL,
    ROW_LSTM,
    PaperPreset,
    two_scale_settings,
)
from pointillist.networks.parallel_multiscale import ParallelMultiscale
from pointillist.networks.pixel_rnn import DiagonalBiLSTM, RowLSTM
from pointillist.networks.pixelcnn import PixelCNN
from pointillist.networks.pixelcnn_pp import PixelCNNPP
from pointillist.networks.pixelsnail import PixelSNAIL


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model of the registry.

    ```python
    entry("pixelcnn").presets["tiny"]  # {"channels": 16, "layers": 6, ...}
    ```

    Attributes:
        name: as in `pointillist.build(name)`.
        backbone: class of the network.
        summary: description in one line.
        presets: settings of the network in three sizes for a laptop.
        papers: presets of the papers, with the training settings of their authors.
        likelihood: likelihood of its presets for images with more than two ordered levels.
    """

    name: str
    backbone: type[Backbone]
    summary: str
    presets: Mapping[str, Mapping[str, Any]]
    papers: Mapping[str, PaperPreset] = field(default_factory=dict)
    likelihood: LikelihoodName = "auto"

    @property
    def preset_names(self) -> list[str]:
        """Names of all presets: ours, then the papers'."""
        return [*self.presets, *self.papers]

    def network_settings(self, preset: str) -> Mapping[str, Any]:
        """Return the settings of the network in a preset.

        Raises:
            ConfigError: if there is no such preset.
        """
        paper = self.paper(preset)
        return self.presets[preset] if paper is None else paper.network

    def paper(self, preset: str) -> PaperPreset | None:
        """Return the preset of a paper; None for one of this package.

        Raises:
            ConfigError: if there is no such preset.
        """
        check_name(f"{self.name} has no preset", preset, self.preset_names)
        return self.papers.get(preset)

    def preset_likelihood(self, image: ImageSpec, preset: str) -> LikelihoodName:
        """Return the likelihood that a preset chooses for an image: the paper's, for a preset of a paper."""
        if not image.ordered or image.levels == 2:
            return "auto"
        return "categorical" if self.likelihood == "auto" and preset in self.papers else self.likelihood

    def preset_mixtures(self, preset: str) -> int | None:
        """Return the number of mixture components of a preset; None if it does not set one.

        Raises:
            ConfigError: if there is no such preset.
        """
        paper = self.paper(preset)
        return None if paper is None else paper.model.get("mixtures")


def _doublings(channels: int, layers: int, scales: int) -> dict[str, int]:
    """Settings of a parallel multiscale model whose networks all have the same number of features."""
    return {"scales": scales, "channels": channels, "layers": layers, "map_channels": channels}


_ENTRIES = {
    e.name: e
    for e in (
        ModelEntry(
            name="gated-pixelcnn",
            backbone=GatedPixelCNN,
            summary="two stacks of gated convolutions, no blind spot (van den Oord et al. 2016b)",
            papers=GATED_PIXELCNN,
            presets={
                # dilated, for context the size of the image from few layers: measured in docs/decisions, 0002
                "tiny": {"channels": 32, "layers": 6, "first_kernel": 5, "head_channels": 32, "dilations": (1, 2)},
                "small": {"channels": 32, "layers": 12, "head_channels": 32, "dilations": (1, 2, 4, 8)},
                "base": {"channels": 64, "layers": 12, "head_channels": 64, "dilations": (1, 2, 4, 8)},
            },
        ),
        ModelEntry(
            name="pixelcnn",
            backbone=PixelCNN,
            summary="masked convolutions in residual blocks, with a blind spot (van den Oord et al. 2016a)",
            papers=PIXELCNN,
            presets={
                "tiny": {"channels": 16, "layers": 6, "first_kernel": 5, "head_channels": 32},
                "small": {"channels": 32, "layers": 10, "head_channels": 64},
                "base": {"channels": 64, "layers": 12, "head_channels": 128},
            },
        ),
        ModelEntry(
            name="row-lstm",
            backbone=RowLSTM,
            summary="an LSTM over rows, with a triangular context (van den Oord et al. 2016a)",
            papers=ROW_LSTM,
            presets={
                "tiny": {"channels": 16, "layers": 2, "first_kernel": 5, "head_channels": 32},
                "small": {"channels": 32, "layers": 4, "head_channels": 32},
                "base": {"channels": 64, "layers": 7, "head_channels": 64},
            },
        ),
        ModelEntry(
            name="diagonal-bilstm",
            backbone=DiagonalBiLSTM,
            summary="two LSTMs over diagonals, which read every earlier pixel (van den Oord et al. 2016a)",
            papers=DIAGONAL_BILSTM,
            presets={
                "tiny": {"channels": 8, "layers": 2, "first_kernel": 5, "head_channels": 32},
                "small": {"channels": 16, "layers": 4, "head_channels": 32},
                "base": {"channels": 32, "layers": 7, "head_channels": 64},
            },
        ),
        ModelEntry(
            name="multiscale-pixelrnn",
            backbone=MultiscalePixelRNN,
            summary="a small image first, then a PixelRNN conditioned on it (van den Oord et al. 2016a)",
            papers=MULTISCALE_PIXELRNN,
            presets={
                "tiny": {
                    **two_scale_settings(channels=8, layers=2),
                    "first_kernel": 5,
                    "head_channels": 32,
                    "dilations": (1, 2),
                },
                "small": {**two_scale_settings(channels=16, layers=4), "head_channels": 32},
                "base": {**two_scale_settings(channels=32, layers=7), "head_channels": 64},
            },
        ),
        ModelEntry(
            name="parallel-multiscale",
            backbone=ParallelMultiscale,
            summary="a small image first, then groups of pixels at once, each twice as many (Reed et al. 2017)",
            presets={
                "tiny": {**_doublings(channels=16, layers=3, scales=2), "head_channels": 32, "dilations": (1, 2)},
                "small": {**_doublings(channels=32, layers=6, scales=3), "head_channels": 32, "dilations": (1, 2, 4)},
                "base": {**_doublings(channels=64, layers=8, scales=3)},
            },
        ),
        ModelEntry(
            name="pixelcnn-pp",
            backbone=PixelCNNPP,
            summary="down- and up-sampling with shortcuts, mixtures of logistics (Salimans et al. 2017)",
            papers=PIXELCNN_PP,
            likelihood="mixture",
            presets={
                # with few layers, residuals may start at full scale: measured in docs/decisions, 0008
                "tiny": {"channels": 16, "layers": 1, "dropout": 0.0, "residual_scale": 1.0},
                "small": {"channels": 32, "layers": 2, "dropout": 0.0, "residual_scale": 1.0},
                "base": {"channels": 48, "layers": 2, "dropout": 0.0, "residual_scale": 1.0},
            },
        ),
        ModelEntry(
            name="pixelsnail",
            backbone=PixelSNAIL,
            summary="gated convolutions and attention to every earlier pixel (Chen et al. 2018)",
            papers=PIXELSNAIL,
            likelihood="mixture",
            presets={
                "tiny": {"channels": 24, "blocks": 2, "layers": 2, "key_channels": 8, "value_channels": 24},
                "small": {"channels": 32, "blocks": 3, "layers": 3, "key_channels": 8, "value_channels": 32},
                "base": {"channels": 64, "blocks": 4, "layers": 3, "value_channels": 64},
            },
        ),
        ModelEntry(
            name="locally-masked-pixelcnn",
            backbone=LocallyMaskedPixelCNN,
            summary="locally masked convolutions: one set of weights for raster and S-curve orders (Jain et al. 2020)",
            presets={
                "tiny": {"channels": 32, "layers": 6, "first_kernel": 5, "head_channels": 32, "dilations": (1, 2)},
                "small": {"channels": 32, "layers": 12, "head_channels": 32, "dilations": (1, 2, 4, 8)},
                "base": {"channels": 64, "layers": 16, "head_channels": 64, "dilations": (1, 2, 4, 8)},
            },
        ),
    )
}


def names() -> list[str]:
    """List the names of all models.

    ```python
    names()[0]  # "gated-pixelcnn"
    ```
    """
    return list(_ENTRIES)


def register_network(model: ModelEntry) -> None:
    """Register a network under its name, for `build`, `load` and every command of this process.

    ```python
    register_network(ModelEntry(name="mine", backbone=Mine, summary="...", presets={"tiny": {"channels": 8}}))
    ```

    Raises:
        ConfigError: if another network has the name.
    """
    taken = _ENTRIES.get(model.name)
    if taken is not None and taken.backbone.__qualname__ != model.backbone.__qualname__:
        raise ConfigError(f"`name` (={model.name!r}) is taken by {taken.backbone.__name__}: choose another.")
    _ENTRIES[model.name] = model


def entry(name: str) -> ModelEntry:
    """Look up a model by name.

    Raises:
        ConfigError: if there is no such model.

    Example:
        ```python
        entry("pixelcnn").preset_names  # ["tiny", "small", "base", "paper-cifar10"]
        ```
    """
    check_name("There is no model", name, _ENTRIES)
    return _ENTRIES[name]


def config_from_dict(name: str, settings: Mapping[str, Any], preset: str | None = None) -> BackboneConfig:
    """Build the settings of a network from a preset, if any, overridden by `settings`.

    Raises:
        ConfigError: if the model, the preset or a setting does not exist, or a value is out of range.

    Example:
        ```python
        config_from_dict("pixelcnn", {"layers": 4}, preset="tiny").channels  # 16
        ```
    """
    model = entry(name)
    base = {} if preset is None else model.network_settings(preset)
    try:
        return model.backbone.Config(**{**base, **settings})
    except ValidationError as error:
        raise ConfigError(format_validation_error(error, f"a setting of {name}")) from error
