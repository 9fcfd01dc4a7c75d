"""Local gain: levels relative to a prediction from their neighbours, in units of how far these lie from it.

With W, N, NW and NE the pixels to the left, above, above left and above right, in each channel,

    b = median(W, N, W + N - NW)                     the prediction of LOCO-I (Weinberger et al. 2000)
    s = the power of two nearest to the mean distance of W, NW, N and NE from b, over all channels, plus half a level
        (where fewer than two of them lie in the image, a thirty-second of the range of levels)

A network reads (x - b) / s of its neighbours, and its outputs o become parameters of a mixture of logistics:

    mean_c = b_c + s o_c - sum of tanh(k_cc') b_c' over c' < c,     log_scale_c = log s + o'_c

The likelihood adds tanh(k_cc') x_c', so that a channel is shifted by how far the earlier ones lie from their
predictions. A neighbour outside the image counts as N; in the first row, which has no N, as W. The first pixel is
predicted as the middle level. Of the other neighbours, which a convolution reads, those outside count as b.

Each function has a formula for tensors here, and an opcode (`engine/opcodes/local_gain.py`) that programs record.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from pointillist.images.array_types import Float

NEAR = ((0, -1), (-1, -1), (-1, 0), (-1, 1))
"""W, NW, N and NE: rows down and columns right."""
NEAR_ABOVE = ((-1, 0), (-1, -1), (-1, 0), (-1, 1))
"""The same for features that see finished rows only: N in place of W, so that the prediction is N."""
REACH = 8.0
"""Largest magnitude of (x - b) / s; beyond, it is clamped."""
STEPS = 16
"""Steps of (x - b) / s in integers, for each unit."""
FEWEST = 2
"""Neighbours in the image whose distances are a measure: in the first row the only one is the prediction itself."""
EXPONENT_UNIT = 1 / 8
"""Input of a network for each doubling of the gain."""
COUPLING = math.atanh(0.8)
"""Coupling of a channel to the one before it, where a network's output is 0."""


def predict(
    near: Float[Tensor, "b near h w"], inside: Float[Tensor, "n 4 h w"], levels: int
) -> Float[Tensor, "b base h w"]:
    """Predict each channel from its neighbours.

    Args:
        near: levels on [-1, 1] of W, NW, N and NE, all channels of each; 0 outside the image.
        inside: 1 where these lie in the image, else 0.
        levels: levels of a channel.

    Returns:
        The prediction of each channel, then log2 of the gain in levels: c + 1 features.
    """
    if has_torch_function((near, inside)):
        return handle_torch_function(predict, (near, inside), near, inside, levels)
    left, corner, above, right = near.chunk(4, 1)
    in_left, in_corner, in_above, in_right = inside.to(near.dtype).chunk(4, 1)
    above = above + (1 - in_above) * left
    left, corner, right = (
        x + (1 - known) * above for x, known in ((left, in_left), (corner, in_corner), (right, in_right))
    )
    low, high = torch.minimum(left, above), torch.maximum(left, above)
    base = torch.maximum(low, torch.minimum(high, left + above - corner))
    with torch.no_grad():  # a gain is a power of two: it has no gradient
        distance = sum(((x - base).abs() for x in (left, corner, above, right)), torch.zeros_like(base))
        mean = distance.mean(1, keepdim=True) / 4 * ((levels - 1) / 2)
        exponent = torch.floor(torch.log2(mean + 0.5) + 0.5)
        few = inside.to(near.dtype).sum(1, keepdim=True) < FEWEST
        exponent = torch.where(few, exponent.new_tensor(wide_exponent(levels)), exponent)
    return torch.cat([base, exponent], 1)


def wide_exponent(levels: int) -> int:
    """Return log2 of the gain where too few neighbours lie in the image: a thirty-second of the range.

    ```python
    wide_exponent(256)  # 3
    ```
    """
    return max(-1, (levels - 1).bit_length() - 5)


def normalise(
    x: Float[Tensor, "b taps h w"],
    inside: Float[Tensor, "n k h w"],
    prediction: Float[Tensor, "b base h w"],
    levels: int,
) -> Float[Tensor, "b inputs h w"]:
    """Compute (x - b) / s of neighbours, then b, and log2 of the gain in units of `EXPONENT_UNIT`.

    Args:
        x: levels on [-1, 1] of k neighbours, all channels of each.
        inside: 1 where these lie in the image, else 0.
        prediction: output of `predict`.
        levels: levels of a channel.
    """
    if has_torch_function((x, inside, prediction)):
        return handle_torch_function(normalise, (x, inside, prediction), x, inside, prediction, levels)
    channels, count = prediction.shape[1] - 1, inside.shape[1]
    base, exponent = prediction[:, :channels], prediction[:, channels:]
    per_level = torch.exp2(-exponent) * ((levels - 1) / 2)
    near = torch.cat([known for each in inside.to(x.dtype).chunk(count, 1) for known in [each] * channels], 1)
    relative = (x - torch.cat([base] * count, 1)) * per_level * near
    return torch.cat([relative.clamp(-REACH, REACH - 1 / STEPS), base, exponent * EXPONENT_UNIT], 1)


def place(
    params: Float[Tensor, "b p h w"], prediction: Float[Tensor, "b base h w"], levels: int
) -> Float[Tensor, "b p h w"]:
    """Turn outputs of a network into parameters of a mixture: means, log-scales and couplings around the prediction.

    Args:
        params: logits, means and log-scales in units of the gain, and couplings, as `DiscretizedLogisticMixture` has
            them.
        prediction: output of `predict`.
        levels: levels of a channel.
    """
    if has_torch_function((params, prediction)):
        return handle_torch_function(place, (params, prediction), params, prediction, levels)
    channels = prediction.shape[1] - 1
    mixtures = num_mixtures(params.shape[1], channels)
    base, exponent = prediction[:, :channels], prediction[:, channels:]
    step = 2 / (levels - 1)
    gain, log_gain = torch.exp2(exponent) * step, exponent * math.log(2) + math.log(step)
    logits, *means = params[:, : mixtures * (1 + channels)].chunk(1 + channels, 1)
    scales = params[:, mixtures * (1 + channels) : mixtures * (1 + 2 * channels)]
    couplings = params[:, mixtures * (1 + 2 * channels) :]
    tanh = torch.tanh(couplings).chunk(channels * (channels - 1) // 2, 1) if channels > 1 else ()
    placed = []
    for channel, mean in enumerate(means):
        mean = base[:, channel : channel + 1] + gain * mean
        for before in range(channel):
            mean = mean - tanh[channel * (channel - 1) // 2 + before] * base[:, before : before + 1]
        placed.append(mean)
    return torch.cat([logits, *placed, scales + log_gain, couplings], 1)


def num_mixtures(num_params: int, channels: int) -> int:
    """Count the components of a mixture from its parameters.

    ```python
    num_mixtures(100, 3)  # 10
    ```
    """
    return num_params // (1 + 2 * channels + channels * (channels - 1) // 2)


def start_params(num_params: int, channels: int) -> Float[Tensor, "1 p 1 1"]:
    """Return what is added to the outputs of a network before `place`: scales from 1/e to e, couplings of `COUPLING`.

    Components of one mean and scale would get the same gradients. Only the coupling to the channel just before starts
    away from 0.
    """
    mixtures = num_mixtures(num_params, channels)
    result = torch.zeros(num_params)
    spread = torch.linspace(-1, 1, mixtures) if mixtures > 1 else torch.zeros(1)
    result[mixtures * (1 + channels) : mixtures * (1 + 2 * channels)] = spread.repeat(channels)
    for channel in range(1, channels):
        first = mixtures * (1 + 2 * channels + channel * (channel - 1) // 2 + channel - 1)
        result[first : first + mixtures] = COUPLING
    return result[None, :, None, None]
