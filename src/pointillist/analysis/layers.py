"""Logit lens: the output head read after each layer, with the later layers left out.

After nostalgebraist 2020, "interpreting GPT: the logit lens". The real forward runs at every depth, and hooks replace
the outputs of the later layers. "Left out" is defined for each network by the sums that its head reads:

- `pixelcnn`, `row-lstm`, `diagonal-bilstm`: the layer passes the residual stream unchanged, and adds nothing to the sum
  of skip connections. The head reads both.
- `gated-pixelcnn`: the layer adds nothing to the sum of skip connections, which is all that the head reads. Without any
  layer that sum is zero, and every pixel has the same distribution.
- `pixelsnail`: the layer passes the residual stream unchanged; a layer is a block of convolutions and attention.

Other networks are rejected: most layers of PixelCNN++ work on coarser grids, which its head cannot read, and a PixelRNN
without residual connections has no stream to pass. The head was trained on the whole sum alone. So an early reading may
be worse than what the layers know, and a layer may save a negative number of bits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, few_threads
from pointillist.analysis.surprisal import color_scale_max
from pointillist.engine.weights import inference_mode
from pointillist.errors import ConfigError
from pointillist.images.array_types import Float, Int
from pointillist.images.visualization import Chart, heat_map
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.pixel_model import PixelModel
from pointillist.networks.gated_pixelcnn import GatedPixelCNN
from pointillist.networks.pixel_rnn import PixelRNN
from pointillist.networks.pixelcnn import PixelCNN
from pointillist.networks.pixelsnail import PixelSNAIL

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]
Hooks = list[tuple[nn.Module, Hook]]


class Network:
    """The network of a query, under its conditions and in its order.

    ```python
    network = Network(ImageQuery.of(model, x, label="6"))
    network.surprisal_of(network.run(), network.x)  # bits [1 c h w]
    ```

    Attributes:
        query: the query.
        model: its pixel model.
        x: levels of the image, where the model is.

    Raises:
        MissingExtraError, ConfigError, CheckpointError: as `ImageQuery.pixel_model`.
    """

    query: ImageQuery
    model: PixelModel

    def __init__(self, query: ImageQuery) -> None:
        self.query, self.model = query, query.pixel_model()
        self.x: Int[Tensor, "1 c h w"] = self.model.check(np.array(query.x))

    def outputs(self, canvas: Float[Tensor, "b i h w"]) -> Float[Tensor, "b p h w"]:
        """Run the network on any inputs of the size of the image."""
        count = len(canvas)
        condition = self.model.encode(self.query.conditions[np.zeros(count, np.int64)], count)
        return self.model.outputs(canvas, condition, self.query.order)

    def run(self) -> Float[Tensor, "1 p h w"]:
        """Run the network on the image, without gradients: each time again, for hooks that change the outputs."""
        with few_threads(self.model, self.query.shape[1:]), inference_mode(self.model):
            return self.outputs(self.model.canvas(self.x))

    def surprisal_of(self, params: Float[Tensor, "b p h w"], x: Int[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Compute -log2 of the probability of every sub-pixel, from outputs of the network."""
        return -self.model.likelihood.log_prob(params, x) / NATS_PER_BIT

    def site_surprisal(
        self, outputs: Float[Tensor, "n p h w"], rows: Int[Tensor, " n"], columns: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c"]:
        """Compute the surprisal of the image's own levels at one pixel of each of several outputs."""
        copies = torch.arange(len(outputs), device=outputs.device)
        params, x = outputs[copies, :, rows, columns], self.x[0][:, rows, columns].T
        return self.surprisal_of(params[:, :, None, None], x[:, :, None, None])[:, :, 0, 0]


@dataclass(frozen=True, eq=False)
class LogitLens(ShownAsPicture):
    """Surprisal of an image as read after each layer.

    ```python
    lens = logit_lens(ImageQuery.of(model, x))
    lens.surprisal.sum((1, 2, 3))  # bits of the image after each layer
    ```

    Attributes:
        surprisal: surprisal of every sub-pixel at each depth, in bits, `[layers + 1, c, h, w]`; the last is under
            the whole network, in floating point.
        names: names of the depths; the first is without any layer.
        color_max: value of the last colour of a scale, as in `SurprisalMaps`.
    """

    surprisal: Float[np.ndarray, "n c h w"] = field(repr=False)
    names: tuple[str, ...]
    color_max: float

    @property
    def bits(self) -> Float[np.ndarray, " n"]:
        """Bits of the whole image at each depth."""
        totals: np.ndarray = self.surprisal.sum((1, 2, 3))
        return totals

    @property
    def saved(self) -> Float[np.ndarray, "m c h w"]:
        """Bits saved by each layer at every sub-pixel; they sum to the bits without any layer minus the network's."""
        result: np.ndarray = self.surprisal[:-1] - self.surprisal[1:]
        return result

    def image(self) -> Image.Image:
        """Draw the bits of the image at each depth."""
        return self.chart().image()

    def chart(self) -> Chart:
        """Draw a bar for each depth."""
        rows = list(zip(self.names, self.bits.tolist(), strict=True))
        return bars_chart(rows, "bits of the image, read after each layer", marked=len(rows) - 1)

    def saved_image(self) -> Image.Image:
        """Draw the effect of each layer at every pixel: blue where it saves bits, red where it costs bits."""
        maps, top = -self.saved.sum(1), self.color_max * self.saved.shape[1]
        return heat_map(maps, top=top, unit="bits more with the layer", captions=self.names[1:], both=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the bits at each depth, ready for JSON."""
        return {"depths": list(self.names), "bits": self.bits.tolist(), "saved": (-np.diff(self.bits)).tolist()}


def logit_lens(query: ImageQuery) -> LogitLens:
    """Read the output head after every layer.

    Raises:
        ConfigError: if layers of this network cannot be left out; see `has_logit_lens`.

    Example::

        lens = logit_lens(ImageQuery.of(model, x))
        lens.bits  # of the image, at each depth
        lens.saved  # by each layer [layers c h w]
    """
    network = Network(query)
    model, layers = network.model, _layers(network.model)
    result = []
    with inference_mode(model):
        for depth in range(len(layers) + 1):  # the last one leaves nothing out
            with ExitStack() as stack:  # in which hooks replace the outputs of the layers that are left out
                for module, hook in chain.from_iterable(layers[depth:]):
                    stack.enter_context(module.register_forward_hook(hook))
                surprisal = network.surprisal_of(network.run(), network.x)
                result.append(surprisal[0].double().cpu().numpy())
    names = ("no layer", *(f"layer {i + 1}" for i in range(len(layers))))
    return LogitLens(np.stack(result), names, color_scale_max(model))


def has_logit_lens(model: PixelModel) -> bool:
    """Return whether `logit_lens` is defined for a model."""
    try:
        return bool(_layers(model))
    except ConfigError:
        return False


def _layers(model: PixelModel) -> list[Hooks]:
    """Return the hooks that leave out each layer."""
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
        "without residual connections no stream passes a layer"
        if isinstance(network, PixelRNN)
        else "its output head cannot read its inner layers"
    )
    raise ConfigError(
        f"The logit lens is not defined for this {model.config.model_type}: {reason}. Use `run_with_cache` instead."
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
