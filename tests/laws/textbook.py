"""Each network once more, as in a textbook: taps one by one, rules for groups written out, no `Pass` and no layers.

Only the weights come from the model. A network without an entry here has no second implementation to compare with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pointillist.conditioning import AttributesConfig, HintConfig, LabelConfig, TextConfig, VectorConfig
from pointillist.conditioning.encoders.text import WORD_SIZE
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import (
    BackboneDims,
    GatedPixelCNNConfig,
    LocallyMaskedPixelCNNConfig,
    MultiscalePixelRNNConfig,
    ParallelMultiscaleConfig,
    PixelCNNConfig,
    PixelCNNPPConfig,
    PixelSNAILConfig,
)
from pointillist.networks.pixel_rnn import PixelRNNConfig
from tests.tolerances import DOUBLE

from . import textbook_multiscale, textbook_parallel, textbook_pixelcnn_pp, textbook_rnn
from .strategies import random_inputs, random_levels
from .textbook_local import local_parameters, locally_masked_pixelcnn
from .textbook_pixelsnail import pixelsnail, pixelsnail_parameters
from .textbook_taps import conditioned, convolve, mix, rules


def masked(x: Tensor, layer: Any, size: int, own: Any) -> Tensor:
    """Van den Oord et al. 2016a, section 3.1: the rows above, the pixels to the left and the allowed sub-pixels."""
    half = size // 2
    taps = [
        (dy + half, dx + half, dy, dx) for dy in range(-half, 1) for dx in range(-half, half + 1) if dy < 0 or dx <= 0
    ]
    return convolve(x, layer, taps, own)


def pixelcnn(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Van den Oord et al. 2016a, section 3.4 and figure 5."""
    config, net, groups = model.config.backbone, model.backbone, model.dims.groups
    assert isinstance(config, PixelCNNConfig)
    h, head, params = config.channels, config.head_channels, model.dims.params

    def one(x: Tensor, layer: Any, outputs: int, inputs: int) -> Tensor:
        return mix(x, layer.weight[:, :, 0, 0], layer.bias, rules(groups, outputs, inputs)[1])

    y = masked(x, net.first, config.first_kernel, rules(groups, 2 * h, x.shape[1])[0])
    skips = []
    for index, block in enumerate(net.blocks):
        z = conditioned(one(y.clamp(min=0), block.reduce, h, 2 * h), block.condition, vector, positions)
        z = masked(z.clamp(min=0), block.masked, config.kernel, rules(groups, h, h)[1])
        y = y + one(z.clamp(min=0), block.expand, 2 * h, h)
        if config.skip:
            skips.append(one(y.clamp(min=0), net.skips[index], head, 2 * h))
    z = one(y.clamp(min=0), net.last, head, 2 * h) + sum(skips)
    z = one(z.clamp(min=0), net.head, head, head)
    return one(z.clamp(min=0), net.output, params, head)


def gated_pixelcnn(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Van den Oord et al. 2016b, eq. 2 to 5 and figure 2."""
    config = model.config.backbone
    assert isinstance(config, GatedPixelCNNConfig)
    return gated_network(model.backbone, config, model.dims, x, vector, positions)


def gated_network(
    net: Any,
    config: GatedPixelCNNConfig,
    dims: BackboneDims,
    x: Tensor,
    vector: Tensor | None,
    positions: Tensor | None,
) -> Tensor:
    """Compute the same by the weights of `net`."""
    groups, d, head, params = dims.groups, config.channels, config.head_channels, dims.params

    def gate(z: Tensor) -> Tensor:
        return torch.stack([torch.tanh(z[:, i]) / (1 + torch.exp(-z[:, d + i])) for i in range(d)], 1)

    vertical = horizontal = x
    total: Tensor = torch.zeros(())
    for index, layer in enumerate(net.layers):
        first, last = index == 0, index == config.layers - 1
        half = (config.first_kernel if first else config.kernel) // 2
        step = 1 if first else config.dilations[(index - 1) % len(config.dilations)]
        rows = range(-half, 0 if first else 1)
        taps = [(dy + half, dx + half, dy * step, dx * step) for dy in rows for dx in range(-half, half + 1)]
        v = conditioned(
            convolve(vertical, layer.vertical, taps, lambda o, i: True), layer.condition_vertical, vector, positions
        )
        mask_a, mask_b = rules(groups, 2 * d, horizontal.shape[1], halves=2)
        own = [] if first and groups == 1 else [0]
        taps = [(0, dx + half, 0, dx * step) for dx in [*range(-half, 0), *own]]
        z = convolve(horizontal, layer.horizontal, taps, mask_a if first else mask_b)
        z = z + mix(v, layer.link.weight[:, :, 0, 0], layer.link.bias)  # before the gate
        z = conditioned(z, layer.condition_horizontal, vector, positions)
        weight, bias = layer.out.weight[:, :, 0, 0], layer.out.bias
        kept = 0 if last else d
        if not last:
            residual = mix(gate(z), weight[:kept], bias[:kept], rules(groups, d, d)[1])
            horizontal = residual if first else horizontal + residual  # never from the raw image
        total = total + mix(gate(z), weight[kept:], bias[kept:], rules(groups, head, d)[1])
        vertical = gate(v) + (vertical if config.vertical_residual and not first else 0)
    z = mix(total.clamp(min=0), net.head.weight[:, :, 0, 0], net.head.bias, rules(groups, head, head)[1])
    return mix(z.clamp(min=0), net.output.weight[:, :, 0, 0], net.output.bias, rules(groups, params, head)[1])


TEXTBOOK: dict[str, Callable[..., Tensor]] = {
    "pixelcnn": pixelcnn,
    "gated-pixelcnn": gated_pixelcnn,
    "row-lstm": textbook_rnn.pixel_rnn,
    "diagonal-bilstm": textbook_rnn.pixel_rnn,
    "multiscale-pixelrnn": textbook_multiscale.multiscale,
    "parallel-multiscale": partial(textbook_parallel.parallel_multiscale, base=gated_network),
    "pixelcnn-pp": textbook_pixelcnn_pp.pixelcnn_pp,
    "pixelsnail": pixelsnail,
    "locally-masked-pixelcnn": locally_masked_pixelcnn,
}


def check_textbook(model: PixelModel, height: int, width: int) -> None:
    """The network computes what its paper says, to rounding, in float64."""
    x, inputs = random_levels(model, 2, height, width), random_inputs(model, 2, height, width)
    with torch.no_grad():
        condition, order = model.encode(inputs, 2), model.order()
        found = order.to_raster(model.outputs(model.canvas(x), condition))
        features, (rows, columns) = model.conditions.to_raster_frame(condition, order), order.raster_size(height, width)
        vector = None if features.vector is None else features.vector.expand(2, -1, rows, columns)
        expected = TEXTBOOK[model.config.model_type](model, order.to_raster(model.canvas(x)), vector, features.map)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=DOUBLE, atol=DOUBLE), float((found - expected).abs().max())


def count_encoder_weights(model: PixelModel) -> int:
    """Count the weights of the condition encoders."""
    config = model.config
    label = config.condition(LabelConfig)
    total = (len(label.classes) + 1) * label.width if label is not None else 0
    attributes, vector = config.condition(AttributesConfig), config.condition(VectorConfig)
    text, hint = config.condition(TextConfig), config.condition(HintConfig)
    if attributes is not None:
        total += sum(len(values) + 1 for values in attributes.values.values()) * attributes.width
    if vector is not None:
        total += (vector.size + 1 + vector.width + 1 + 1) * vector.width
    if text is not None:
        total += (text.size + 1 + text.width + 1 + 1) * text.width if text.frozen else 0
        total += (text.width + 1 + 1) * text.width if text.learned else 0
        if text.learned and text.ngrams == "words":
            total += text.buckets * WORD_SIZE + (5 * WORD_SIZE + 1) * text.width
        elif text.learned:
            total += text.buckets * text.width
    if hint is not None:
        spec = hint.image
        named = spec is not None and not spec.ordered
        inputs = hint.channels * (hint.level_channels if named else 1) + 1
        total += (inputs * 25 + 1) * hint.width + hint.layers * (hint.width * 9 + 1) * hint.width
        total += spec.levels * hint.level_channels if named and spec is not None else 0
    return total


def count_parameters(model: PixelModel) -> int:
    """Parameters by formula, from settings alone (P15)."""
    config, image, ports = model.config, model.image, model.dims
    net = config.backbone
    canvas, out, cond = ports.canvas, ports.params, ports.condition.vector + ports.condition.map
    total = count_encoder_weights(model)
    total += config.position_channels * image.height * image.width
    total += len(config.orders) * config.order_channels if len(config.orders) > 1 else 0
    total += 0 if image.ordered else image.levels * config.level_channels
    if isinstance(net, PixelCNNPPConfig):
        return total + textbook_pixelcnn_pp.count_weights(model)
    if isinstance(net, PixelSNAILConfig):
        return total + pixelsnail_parameters(net, ports)
    if isinstance(net, MultiscalePixelRNNConfig):
        return total + textbook_multiscale.count(net, canvas, cond, out)
    if isinstance(net, ParallelMultiscaleConfig):
        total += textbook_parallel.count(net, ports, cond)
        net = net.base
    if isinstance(net, PixelCNNConfig):
        h, k1, k, head = net.channels, net.first_kernel, net.kernel, net.head_channels
        total += 2 * h * canvas * (k1 // 2 + 1) * k1 + 2 * h
        block = 2 * h * h + h + h * h * (k // 2 + 1) * k + h + 2 * h * h + 2 * h + h * cond
        total += net.layers * (block + (2 * h * head if net.skip else 0)) + 2 * h * head + head
    elif isinstance(net, LocallyMaskedPixelCNNConfig):
        head = net.head_channels
        total += local_parameters(net, ports)
    elif isinstance(net, PixelRNNConfig):
        head = net.head_channels
        total += textbook_rnn.count(net, canvas, cond)
    else:
        assert isinstance(net, GatedPixelCNNConfig)
        d, k1, k, head = net.channels, net.first_kernel, net.kernel, net.head_channels
        both = 4 * d * d + 2 * d + 4 * d * cond + head * d + head  # link, conditions, skip output
        own = 1 if ports.groups > 1 else 0
        total += 2 * d * (canvas * (k1 // 2) * k1 + 1) + 2 * d * (canvas * (k1 // 2 + own) + 1)
        total += (net.layers - 1) * (2 * d * (d * (k // 2 + 1) * k + 1) + 2 * d * (d * (k // 2 + 1) + 1) + d * d + d)
        total += net.layers * both
    return total + head * head + head + out * head + out


def check_parameter_count(model: PixelModel) -> None:
    """As many parameters as the formula says."""
    assert model.num_parameters() == count_parameters(model)
