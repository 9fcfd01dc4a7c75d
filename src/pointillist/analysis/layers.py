"""Logit lens and gradients: the output head read after each layer, and the effect of each earlier sub-pixel.

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

A gradient is the effect of an infinitesimal change, computed by the network in floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pointillist.analysis.charts import bars_chart
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, few_threads, gradient_unit
from pointillist.analysis.surprisal import color_scale_max
from pointillist.engine.weights import inference_mode
from pointillist.errors import ConfigError
from pointillist.files.arrays import Summary
from pointillist.images import channel_names
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


@dataclass(frozen=True, eq=False)
class LogitLens(ShownAsPicture, Summary):
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

    _summary = "depths=names bits saved=_saved_bits"

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

    def _saved_bits(self) -> Float[np.ndarray, " m"]:
        return np.asarray(-np.diff(self.bits))


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
    try:
        return bool(_layers(model))
    except ConfigError:
        return False


def _layers(model: PixelModel) -> list[Hooks]:
    network = model.backbone
    if isinstance(network, GatedPixelCNN):
        return [[(layer, _no_skip)] for layer in network.layers]
    if isinstance(network, PixelSNAIL):
        return [[(block, _second_input)] for block in network.blocks]
    if isinstance(network, PixelCNN):
        skips = network.skips or [None] * len(network.blocks)
        return [_present((block, _first_input), skip) for block, skip in zip(network.blocks, skips, strict=True)]
    reason = "its output head cannot read its inner layers"
    if isinstance(network, PixelRNN):
        skips = network.skips or [None] * len(network.blocks)
        if network.residual:
            return [_present((expand, _nothing), skip) for expand, skip in zip(network.expands, skips, strict=True)]
        reason = "without residual connections no stream passes a layer"
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


@dataclass(frozen=True, eq=False)
class Attribution(ShownAsPicture):
    """Effect of each sub-pixel before a position on the distribution at that position.

    ```python
    effect = gradient(ImageQuery.of(model, x, label="6"), 3, 4)
    effect.values.shape, effect.unit  # ((1, 8, 8), "bits per level")
    effect.image().save("effect.png")
    ```

    Attributes:
        values: the effect, `[c h w]`; 0 for every sub-pixel on which the model cannot depend.
        signed: whether a negative value speaks against the level that is there.
        unit: unit of `values`.
        site: row, column and channel; the channel is None for all channels of the pixel together.
        names: names of the channels.
    """

    values: Float[np.ndarray, "c h w"] = field(repr=False)
    signed: bool
    unit: str
    site: tuple[int, int, int | None]
    names: tuple[str, ...] = ()

    def image(self) -> Image.Image:
        """Draw the map of each channel, on a scale up to its largest value."""
        top = float(np.abs(self.values).max()) or 1.0
        return heat_map(self.values, top=top, unit=self.unit, captions=self.names, both=self.signed)


def gradient(query: ImageQuery, row: int, column: int, channel: int | None = None) -> Attribution:
    """Compute the gradient of the log-probability at a position with respect to every earlier sub-pixel.

    Args:
        row, column: the position, from 0.
        channel: None for all channels of the pixel together.

    Returns:
        values in bits per level, with sign. Unordered levels have no direction: there the values are norms of the
        gradient with respect to the embedding of the level, in bits per unit.

    Raises:
        ConfigError: if the position lies outside the image.

    Example::

        gradient(ImageQuery.of(model, x), 3, 4).values  # bits per level [c h w]
    """
    model = query.model
    model.image.check_site(row, column, channel, query.shape[1:])
    values = _per_level(query, *_gradients(query, [(row, column)], channel)).double().cpu().numpy()
    site, names = (row, column, channel), channel_names(model.image)
    return Attribution(values, model.image.ordered, gradient_unit(query), site, names)


def gradient_maps(query: ImageQuery, sites: Sequence[tuple[int, int]] | None = None) -> Float[np.ndarray, "n h w"]:
    """Compute `gradient` of whole pixels, as one map for each: its mean over the channels of each earlier pixel.

    Args:
        sites: rows and columns of the pixels; None for all, row by row.

    Returns:
        one map for each of `sites`, with the sign and the unit of `gradient`.

    Example::

        gradient_maps(ImageQuery.of(model, x), [(3, 4)])[0]  # [h w]
    """
    _, height, width = query.shape
    sites = [(r, c) for r in range(height) for c in range(width)] if sites is None else sites
    result = np.zeros((len(sites), height, width), np.float32)
    for index, each in enumerate(_gradients(query, sites, None)):
        result[index] = _per_level(query, each).mean(0).float().cpu().numpy()
    return result


def _per_level(query: ImageQuery, gradients: Float[Tensor, "c e h w"]) -> Float[Tensor, "c h w"]:
    """Convert gradients with respect to the network input: per level, or their norm where levels have no direction."""
    image = query.model.image
    return gradients[:, 0] * (2 / (image.levels - 1)) if image.ordered else gradients.square().sum(1).sqrt()


def _gradients(
    query: ImageQuery, sites: Sequence[tuple[int, int]], channel: int | None
) -> Iterator[Float[Tensor, "c e h w"]]:
    """Yield the gradient with respect to the network input for each position: one forward, a backward for each."""
    network, channels = Network(query), slice(None) if channel is None else channel
    model = network.model
    with few_threads(model, query.shape[1:]), _gradients_enabled(model):
        canvas = model.canvas(network.x).detach().requires_grad_()
        bits = -network.surprisal_of(network.outputs(canvas), network.x)[0]
        for row, column in sites:
            value = bits[channels, row, column].sum()
            (result,) = torch.autograd.grad(value, canvas, retain_graph=True)
            yield result.reshape(query.shape[0], model.config.level_width, *query.shape[1:])


@contextmanager
def _gradients_enabled(model: PixelModel) -> Iterator[None]:
    """Record gradients within the block, but none of the weights, with the model in evaluation mode."""
    training, required = model.training, [p.requires_grad for p in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        model.train(training)
        for parameter, requires_grad in zip(model.parameters(), required, strict=True):
            parameter.requires_grad_(requires_grad)
