"""Opcodes of networks with a local gain; `nn/functional/local_gain.py` has their equations.

In integers a level is what the canvas holds, `spread` integers apart, and a gain is a shift. All results are defined by
whole-number arithmetic, so that every executor has the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from pointillist.distributions.kinds import MANY
from pointillist.engine.arithmetic import Array, bit_length, interpolate, library_of, shift_bits
from pointillist.engine.buffers import Buffers
from pointillist.engine.head.tables import mean_bits, tanh_table
from pointillist.engine.opcodes.base import ChannelDependencies, ConstantType, Opcode, opcode
from pointillist.engine.program import Instruction, IntArray, View

REACH, STEP_BITS, FINE_BITS = 8, 4, 8
"""Differences lie in [-REACH, REACH), in steps of 2^-STEP_BITS in integers, and their rest in finer ones."""
EXPONENT_BITS = 3
"""The exponent is an input of the network in units of 2^-EXPONENT_BITS."""
ROUND_BITS, GAIN_BITS, LOG_BITS = 20, 20, 8
FEWEST = 2
"""Neighbours that must lie in the image to measure a gain."""
MOST_LEVELS = 65_536
WIDE_GRID = 128
"""Number of levels up to which levels of the canvas are two integers apart; see `grids.canvas_unit`."""


@dataclass(frozen=True)
class Levels:
    """Numbers that follow from the levels of a channel; all are integers.

    Attributes:
        count: levels of a channel.
    """

    count: int

    @property
    def spread(self) -> int:
        """Distance between levels on the canvas of an integer program."""
        return 2 if self.count <= WIDE_GRID else 1

    @property
    def step(self) -> float:
        """Distance between levels on [-1, 1]."""
        return 2 / (self.count - 1)

    def mean_factor(self, channels: int) -> int:
        """Return the factor after which the bit length of a sum of distances is its rounded logarithm."""
        return int(2**ROUND_BITS * math.sqrt(2) / (4 * channels * self.spread) + 0.5)

    @property
    def wide(self) -> int:
        """The exponent where fewer than `FEWEST` neighbours lie in the image: a thirty-second of the range."""
        return max(-1, (self.count - 1).bit_length() - 5)

    @property
    def gain(self) -> int:
        """The step between levels in units of 2^-GAIN_BITS."""
        return int(self.step * 2**GAIN_BITS + 0.5)

    @property
    def fine(self) -> int:
        """Bits of a mean that are finer than the means of outputs, which count 2^-16."""
        return mean_bits(self.count) - 16

    @property
    def base_bits(self) -> int:
        """Bits by which the factor of a base is finer than a mean, so that no base is off by a step of a position."""
        return 8 if self.count <= MANY else 10

    @property
    def narrowing(self) -> int:
        """Bits by which a base is coarser as an input of the network, which has 8 bits."""
        return max(0, (self.count - 1).bit_length() - 8)

    @property
    def largest_exponent(self) -> int:
        return 10 if self.count <= MANY else 15

    @property
    def base(self) -> tuple[int, int]:
        """Factor and constant from an integer of the canvas to [-1, 1], in units of 2^-base_bits of a mean."""
        unit = 2 ** (16 + self.fine + self.base_bits) * self.step / self.spread
        first = 0.0 if self.spread == 2 else self.count // 2 - (self.count - 1) / 2
        return math.floor(unit + 0.5), math.floor(unit * first + 0.5)

    @property
    def log_gain(self) -> tuple[int, int]:
        """Factor of the exponent and constant of the logarithm of the gain, in units of 2^-(8 + LOG_BITS)."""
        unit = 2 ** (8 + LOG_BITS)
        return math.floor(unit * math.log(2) + 0.5), math.floor(unit * math.log(self.step) + 0.5)


class LocalGainOpcode(Opcode):
    """Base class: the inputs have other channels than the output, and all channels are read for each of these."""

    inputs: ClassVar[tuple[int, int]] = (2, 2)
    constants: ClassVar[dict[str, ConstantType]] = {"levels": ConstantType("int32", ("1",), 2, MOST_LEVELS)}
    is_packed = True
    can_narrow = False

    def formula(self, buffers: Buffers, i: Instruction) -> Callable[..., Array]:
        levels = Levels(int(i.constants["levels"][0]))
        if not buffers.program.is_integer:
            return partial(self.compute, levels)
        return partial(self.compute_integers, levels, buffers.constant(tanh_table()))

    def compute(self, levels: Levels, *x: Array) -> Array:
        """Compute the output in floating point."""
        raise NotImplementedError

    def compute_integers(self, levels: Levels, tanh: Array, *x: Array) -> Array:
        """Compute the output in integers, before it is clamped to its range."""
        raise NotImplementedError

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        most = max(int(needs.of(view).max(initial=0)) for view in instruction.inputs)
        return np.full(instruction.written.channels, most, np.int64)

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        return [view.narrow(each, 1) for view in instruction.inputs for each in range(view.channels)]

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or not 2 <= int(i.constants["levels"][0]) <= MOST_LEVELS:
            return "a value is missing, or it has other levels"
        return None if self.fits([view.channels for view in i.inputs], i.output.channels) else "it has other channels"

    def fits(self, inputs: list[int], output: int) -> bool:
        """Return True if the channels of inputs and output go together."""
        raise NotImplementedError


@opcode
class Predict(LocalGainOpcode):
    """Predict each channel: out = [median(W, N, W + N - NW), exponent of the gain in levels].

    Inputs are the channels of W, NW, N and NE, and for each a number that is 0 outside the image. In integers, with D
    the sum of all distances from the prediction and c channels, the exponent is
    floor(log2((D + 2 c spread) * mean_factor / 2^ROUND_BITS)). Where fewer than FEWEST are inside it is `Levels.wide`.

    In the format: of the C channels of each of W, NW, N, NE (signed), and a number for each, 0 outside the image:
    C + 1 channels, wide, the predictions, then the exponent e
    """

    def compute(self, levels: Levels, *x: Array) -> Array:
        library, (base, distance, few) = library_of(x[0]), _predict(*x)
        mean = distance / (4 * base.shape[-1]) / levels.step
        exponent = library.floor(library.log2(mean + 0.5) + 0.5)
        return library.concatenate([base, library.where(few, 0 * exponent + levels.wide, exponent)], axis=-1)

    def compute_integers(self, levels: Levels, tanh: Array, *x: Array) -> Array:
        library, (base, distance, few) = library_of(x[0]), _predict(*x)
        channels = base.shape[-1]
        rounded = (distance + 2 * channels * levels.spread) * levels.mean_factor(channels)
        exponent = bit_length(rounded) - 1 - ROUND_BITS
        return library.concatenate([base, library.where(few, 0 * exponent + levels.wide, exponent)], axis=-1)

    def fits(self, inputs: list[int], output: int) -> bool:
        return inputs == [4 * (output - 1), 4] and output > 1


def _predict(near: Array, inside: Array) -> tuple[Array, Array, Array]:
    """Return the prediction `[..., c]`, the sum of distances from it, and where too few are inside, `[..., 1]`."""
    library, channels = library_of(near), near.shape[-1] // 4
    left, corner, above, right = (near[..., n * channels : (n + 1) * channels] for n in range(4))
    known = [inside[..., n : n + 1] != 0 for n in range(4)]
    above = library.where(known[2], above, left)
    left, corner, right = (
        library.where(there, x, above) for there, x in ((known[0], left), (known[1], corner), (known[3], right))
    )
    low, high = library.minimum(left, above), library.maximum(left, above)
    base = library.maximum(low, library.minimum(high, left + above - corner))
    distance = sum(abs(x - base) for x in (left, corner, above, right))
    return base, distance.sum(axis=-1)[..., None], sum(1 * there for there in known) < FEWEST


@opcode
class Normalise(LocalGainOpcode):
    """Neighbours relative to a prediction: out = [clamp((x - b) / s), b, exponent / 2^EXPONENT_BITS].

    Inputs are the channels of each neighbour, a number for each that is 0 outside the image, and what PREDICT makes. In
    integers (x - b) / s counts 2^-STEP_BITS, in 8 bits: shift((x - b) << (STEP_BITS + 1), exponent + spread). b is
    floor(b / 2^narrowing), which is b itself up to 256 levels, and the exponent is as it is. What the steps leave of
    (x - b) / s, in 8 bits that count 2^-(STEP_BITS + FINE_BITS), follows where the output has channels for it.

    In the format: of the C channels of each of n neighbours, a number for each, and the output of PREDICT: n C + C + 1
    or 2 n C + C + 1 channels, signed, narrow, the neighbours, the predictions, e, and in the second case the rest of
    each neighbour
    """

    inputs = (3, 3)

    def formula(self, buffers: Buffers, i: Instruction) -> Callable[..., Array]:
        return partial(_first_channels, i.written.channels, super().formula(buffers, i))

    def compute(self, levels: Levels, *x: Array) -> Array:
        relative, base, exponent = _differences(*x)
        relative = relative * (2.0**-exponent / levels.step)
        parts = [relative.clip(-REACH, REACH - 2.0**-STEP_BITS), base, exponent * 2.0**-EXPONENT_BITS]
        return library_of(base).concatenate(parts, axis=-1)

    def compute_integers(self, levels: Levels, tanh: Array, *x: Array) -> Array:
        relative, base, exponent = _differences(*x)
        by = (exponent + levels.spread).clip(0, 31)
        fine = ((relative << (STEP_BITS + FINE_BITS + 1)) + ((1 << by) >> 1)) >> by
        relative = ((relative << (STEP_BITS + 1)) + ((1 << by) >> 1)) >> by
        relative = relative.clip(-REACH << STEP_BITS, (REACH << STEP_BITS) - 1)
        parts = [relative, base >> levels.narrowing, exponent, fine - (relative << FINE_BITS)]
        return library_of(base).concatenate(parts, axis=-1)

    def fits(self, inputs: list[int], output: int) -> bool:
        if len(inputs) != 3 or inputs[2] < 2:
            return False
        return inputs[0] == inputs[1] * (inputs[2] - 1) and output - inputs[0] - inputs[2] in (0, inputs[0])


def _first_channels(count: int, formula: Callable[..., Array], *x: Array) -> Array:
    return formula(*x)[..., :count]


def _differences(x: Array, inside: Array, prediction: Array) -> tuple[Array, Array, Array]:
    """Return `x - b`, 0 outside the image; the prediction; and the exponent."""
    library, channels = library_of(x), prediction.shape[-1] - 1
    base, exponent = prediction[..., :channels], prediction[..., channels:]
    pixels = x.reshape(*x.shape[:-1], -1, channels)
    relative = library.where(inside[..., None] != 0, pixels - base[..., None, :], 0 * pixels)
    return relative.reshape(x.shape), base, exponent


@opcode
class Place(LocalGainOpcode):
    """Turn outputs of a network into parameters of a mixture around a prediction.

    Inputs are the outputs and what PREDICT makes. In integers logits and log-scales count 2^-8, outputs for means and
    couplings 2^-16, and means 2^-(16 + fine). With e the exponent, t the tanh of the mixture's head, and shifts that
    round,

        b      = shift(base * B + B0, base_bits)          from the canvas to [-1, 1]
        mean   = b_c + shift(o * G << fine, GAIN_BITS - e) - sum over c' < c of shift(t(k) * b_c', 16)
        scale  = o' + shift(e * L + L0, LOG_BITS)

    In the format: of parameters of a mixture, and the output of PREDICT: parameters of a mixture
    """

    def compute(self, levels: Levels, *x: Array) -> Array:
        library, channels = library_of(x[0]), x[1].shape[-1] - 1
        base, exponent = x[1][..., :channels], x[1][..., channels:]
        logits, means, scales, couplings = _parts(x[0], channels)
        means = [base[..., c : c + 1] + 2.0**exponent * levels.step * mean for c, mean in enumerate(means)]
        for (channel, before), coupling in zip(_pairs(channels), couplings, strict=True):
            means[channel] = means[channel] - library.tanh(coupling) * base[..., before : before + 1]
        scales = [scale + (exponent * math.log(2) + math.log(levels.step)) for scale in scales]
        return library.concatenate([logits, *means, *scales, *couplings], axis=-1)

    def compute_integers(self, levels: Levels, tanh: Array, *x: Array) -> Array:
        library, channels = library_of(x[0]), x[1].shape[-1] - 1
        exponent = x[1][..., channels:].clip(-1, levels.largest_exponent)
        (factor, constant), (log_factor, log_constant) = levels.base, levels.log_gain
        base = shift_bits(x[1][..., :channels] * factor + constant, levels.base_bits)
        log_gain = (exponent * log_factor + log_constant + (1 << (LOG_BITS - 1))) >> LOG_BITS
        by, gain = GAIN_BITS - exponent, levels.gain << levels.fine
        logits, means, scales, couplings = _parts(x[0], channels)
        means = [base[..., c : c + 1] + ((mean * gain + ((1 << by) >> 1)) >> by) for c, mean in enumerate(means)]
        for (channel, before), coupling in zip(_pairs(channels), couplings, strict=True):
            shifted = interpolate(tanh, coupling) * base[..., before : before + 1]
            means[channel] = means[channel] - ((shifted + (1 << 15)) >> 16)
        return library.concatenate([logits, *means, *(scale + log_gain for scale in scales), *couplings], axis=-1)

    def fits(self, inputs: list[int], output: int) -> bool:
        if len(inputs) != 2 or inputs[0] != output or inputs[1] < 2:
            return False
        channels = inputs[1] - 1
        return output % (1 + 2 * channels + channels * (channels - 1) // 2) == 0


def _pairs(channels: int) -> list[tuple[int, int]]:
    """Return each channel with each one before it, in the order of the couplings."""
    return [(channel, before) for channel in range(channels) for before in range(channel)]


def _parts(params: Array, channels: int) -> tuple[Array, list[Array], list[Array], list[Array]]:
    """Return logits, means, scales and couplings of a mixture, each of its components."""
    mixtures = params.shape[-1] // (1 + 2 * channels + channels * (channels - 1) // 2)
    parts = [params[..., n * mixtures : (n + 1) * mixtures] for n in range(params.shape[-1] // mixtures)]
    return parts[0], parts[1 : 1 + channels], parts[1 + channels : 1 + 2 * channels], parts[1 + 2 * channels :]
