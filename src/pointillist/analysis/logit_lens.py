"""Bits by layer: what the output head makes of a network whose later layers are left out, depth by depth.

The real forward runs at every depth; hooks replace what each later layer gives. "Left out" is defined for each network
by its own way of adding up:

- `pixelcnn`, `row-lstm`, `diagonal-bilstm`: the residual stream passes as it came, and the layer adds nothing to the
  sum of skip connections. The head reads both.
- `gated-pixelcnn`: the layer adds nothing to the sum of skip outputs, which is all the head reads. Without any layer
  that sum is zero: one distribution for every site.
- `pixelsnail`: the residual stream passes as it came; a layer is a block of convolutions and attention.

Other networks are refused: PixelCNN++ has most layers on coarser grids, which the output cannot read, and a PixelRNN
without residuals has no stream that could pass. The head was trained on the whole sum alone, so a depth may do worse
than what its layers know, and a layer may "save" less than nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.color_scales import color_scale_max
from pointillist.analysis.query import ImageQuery, QueryKwargs
from pointillist.conditioning import Label
from pointillist.errors import ConfigError
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.networks.gated_pixelcnn import GatedPixelCNN
from pointillist.networks.pixel_rnn import PixelRNN
from pointillist.networks.pixelcnn import PixelCNN
from pointillist.networks.pixelsnail import PixelSNAIL
from pointillist.visualization import Chart, heat_map, png_bytes

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]
Hooks = list[tuple[nn.Module, Hook]]


@dataclass(frozen=True, eq=False)
class LogitLens:
    """What each layer saves of the bits of an image.

    Attributes:
        surprise: of every sub-pixel as read from each depth, in bits, `[layers + 1, c, h, w]`; the last is the model's.
        names: of the depths; the first is without any layer.
        top: the value of the last colour of a scale, as in `BitMaps`.
    """

    surprise: Float[np.ndarray, "n c h w"] = field(repr=False)
    names: tuple[str, ...]
    top: float

    @property
    def bits(self) -> Float[np.ndarray, " n"]:
        """Of the whole image, as read from each depth."""
        totals: np.ndarray = self.surprise.sum((1, 2, 3))
        return totals

    @property
    def saved(self) -> Float[np.ndarray, "m c h w"]:
        """By each layer, at every sub-pixel; they add up to the bits without any layer less those of the model."""
        found: np.ndarray = self.surprise[:-1] - self.surprise[1:]
        return found

    def image(self) -> Image.Image:
        """Bits of the image as read from each depth."""
        return self.chart().image()

    def chart(self) -> Chart:
        """A bar for each depth."""
        rows = list(zip(self.names, self.bits.tolist(), strict=True))
        return bars_chart(rows, "bits of the image, read after each layer", marked=len(rows) - 1)

    def saved_image(self) -> Image.Image:
        """What each layer changes at every pixel: blue where it saves bits, red where it costs."""
        maps, top = -self.saved.sum(1), self.top * self.saved.shape[1]
        return heat_map(maps, top=top, unit="bits more with the layer", captions=self.names[1:], both=True)

    def to_dict(self) -> dict[str, Any]:
        """Bits at each depth."""
        return {"depths": list(self.names), "bits": self.bits.tolist(), "saved": (-np.diff(self.bits)).tolist()}

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def logit_lens(
    model: PixelModel, image: Any, label: Label = None, text: Any = None, **further: Unpack[QueryKwargs]
) -> LogitLens:
    """Read the output head after every layer. Arguments as `bit_maps`.

    Raises:
        ConfigError: also if layers of this network cannot be left out.
        ShapeError, DataError: as `bit_maps`.
    """
    return layers_of(ImageQuery.of(model, image, label, text, **further))


def layers_of(asked: ImageQuery) -> LogitLens:
    """Bits by layer of a question that is checked."""
    model = asked.model
    layers = _layers(model)
    found = []
    with inference_mode(model):
        for depth in range(len(layers)):
            with _left_out([hook for layer in layers[depth:] for hook in layer]):
                found.append(asked.surprise(asked.run(), asked.x)[0].double().cpu().numpy())
    names = ("no layer", *(f"layer {i + 1}" for i in range(len(layers))))
    return LogitLens(np.stack([*found, asked.bits]), names, color_scale_max(model))


def has_layers(model: PixelModel) -> bool:
    """Whether `logit_lens` is defined for a model."""
    try:
        return bool(_layers(model))
    except ConfigError:
        return False


@contextmanager
def _left_out(hooks: Hooks) -> Iterator[None]:
    """Within the block each module gives what its hook makes of its inputs."""
    handles = [module.register_forward_hook(hook) for module, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _layers(model: PixelModel) -> list[Hooks]:
    """For each layer, the hooks that leave it out."""
    network = model.backbone
    if isinstance(network, GatedPixelCNN):
        return [[(layer, _no_skip)] for layer in network.layers]
    if isinstance(network, PixelSNAIL):
        return [[(block, _second_input)] for block in network.blocks]
    if isinstance(network, PixelCNN):
        skips = network.skips or [None] * len(network.blocks)
        return [_present((block, _first_input), skip) for block, skip in zip(network.blocks, skips, strict=True)]
    if isinstance(network, PixelRNN) and network.residual:
        skips = network.skips or [None] * len(network.blocks)
        return [_present((expand, _nothing), skip) for expand, skip in zip(network.expands, skips, strict=True)]
    reason = (
        "without residuals there is no stream that passes a layer"
        if isinstance(network, PixelRNN)
        else "its output cannot read what its inner layers hold"
    )
    raise ConfigError(
        f"Bits by layer are not defined for this {model.config.model_type}: {reason}. Look at `run_with_cache` instead."
    )


def _present(layer: tuple[nn.Module, Hook], skip: nn.Module | None) -> Hooks:
    return [layer] if skip is None else [layer, (skip, _nothing)]


def _first_input(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    passed: Tensor = inputs[0]
    return passed


def _second_input(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    passed: Tensor = inputs[1]
    return passed


def _nothing(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    return torch.zeros_like(output)


def _no_skip(
    module: nn.Module, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    return output[0], output[1], torch.zeros_like(output[2])
