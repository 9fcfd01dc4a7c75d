"""The network of a coarse image that is completely known, in integers: the same bits on every platform.

It is the `Upsampler` of a stage (`networks/upsampler.py`) without torch. A number x stands for the integer
round(2^13 x), of magnitude at most 2^21. A layer with inputs n and weights q in 16 bits, such as the layers of the
image and of the conditions, or with inputs that are cut to bytes, and weights in 8 bits, computes

    y = floor(s_o (sum of q n) + 1/2) + b           s_o: a float32 for each output, b: a bias in steps of 2^-13
    y = floor(s_o (sum of q u) + 1/2) + b           u = min(floor(n 2^-h_i + 1/2), 255) for each input channel i

A sum of 2^17 products of the first kind stays below 2^53, of 2^16 of the second below 2^31, so it has the same value in
any order; the product with s_o is rounded once, as IEEE 754 prescribes. Results are cut off at 2^21.

Tokens of a prompt enter by cross-attention: with d the width of a head, the weight of a token whose score, the sum of
products of query and key, lies D below the largest is E[min(floor(2^-16 D / sqrt(d) + 1/2), 16384)], where
E[i] = round(2^20 exp(-i / 1024)); the mean of the values is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.c.blob import pack
from pointillist.engine.c.run import ByteMatrix
from pointillist.engine.library import array_in_c
from pointillist.engine.program import DType, IntArray, Program
from pointillist.images.array_types import Float, Int

BITS, LIMIT = 13, 2**21
FINE: DType = np.dtype(np.int16)
"""Type of the weights of a layer whose inputs have all their bits."""
COARSE: DType = np.dtype(np.int8)
"""Type of the weights of a layer of bytes."""
MAX_TERMS = {FINE: 2**17, COARSE: 2**16}
_EXP_BITS, _EXP_STEP_BITS, _EXP_ENTRIES = 20, 10, 2**14
EXP = np.floor(2.0**_EXP_BITS * np.exp(-np.arange(_EXP_ENTRIES + 1) / 2.0**_EXP_STEP_BITS) + 0.5)
"""No entry lies near a half before it is rounded, so that every library of mathematics rounds it so."""
SITES_TOGETHER = 2**11
"""Coarse pixels that are computed together: more would leave the cache of the processor."""
TOKENS = ("query", "keys", "values", "out")
"""Layers of the cross-attention."""

Numbers = Float[np.ndarray, "n h w i"]


@dataclass(frozen=True, eq=False)
class FixedLayer:
    """A convolution in integers.

    Attributes:
        matrix: weights `[taps, in, out]`, row by row of a kernel: int16, or int8 of a layer of bytes.
        scale: what a sum of 1 stands for in steps of 2^-13, float32 `[out]`.
        bias: in steps of 2^-13, int32 `[out]`.
        cut: bits that an input channel loses to become a byte, int8 `[in]`; zeros of a layer that has all bits.
    """

    matrix: IntArray
    scale: NDArray[np.float32]
    bias: IntArray
    cut: IntArray

    @classmethod
    def of(
        cls, weight: NDArray[Any], bias: NDArray[Any] | None, largest: Float[np.ndarray, " i"] | None = None
    ) -> FixedLayer:
        """Round a kernel `[out, in, rows, columns]` and its bias.

        ```python
        FixedLayer.of(np.ones((2, 3, 1, 1)), None).matrix[0, 0]  # [32767, 32767]
        ```

        Args:
            largest: of each input channel, for a layer of bytes; None for a layer whose inputs have all their bits.
        """
        cut: IntArray = np.zeros(weight.shape[1], np.int8)
        dtype, most = FINE, 2**15 - 1
        if largest is not None:
            units = np.ceil(np.log2(np.maximum(largest.astype(np.float64), 2.0**-BITS) * 2.0**BITS / 255))
            cut, dtype, most = units.clip(0, 21).astype(np.int8), COARSE, 2**7 - 1
        flat = weight.astype(np.float64).reshape(*weight.shape[:2], -1) * 2.0 ** cut[:, None]  # (out, in, taps)
        high = np.abs(flat).max(axis=(1, 2), initial=0)
        scale = (np.where(high > 0, high, 1) / most).astype(np.float32)
        whole = np.floor(flat / scale[:, None, None].astype(np.float64) + 0.5).clip(-most, most)
        rounded = np.zeros(len(flat)) if bias is None else fixed(bias)
        return cls(np.ascontiguousarray(whole.transpose(2, 1, 0)).astype(dtype), scale, rounded.astype(np.int32), cut)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for `pickle` and `copy.deepcopy`, without packed weights, whose alignment a copy loses."""
        return {name: value for name, value in self.__dict__.items() if name != "_products"}

    @property
    def width(self) -> int:
        """Number of outputs."""
        return int(self.matrix.shape[2])

    @cached_property
    def _products(self) -> dict[tuple[int, ...], ByteMatrix | Float[np.ndarray, "k o"]]:
        return {}

    def inputs(self, x: NDArray[np.float64]) -> NDArray[Any]:
        """Return what the weights multiply: numbers themselves, or bytes."""
        if self.matrix.dtype == FINE:
            return x
        scaled: NDArray[np.float64] = np.floor(x * 2.0 ** -self.cut.astype(np.float64) + 0.5)
        return scaled.clip(0, 255).astype(np.uint8)

    def __call__(self, inputs: NDArray[Any], taps: tuple[int, ...] | None = None) -> Float[np.ndarray, "n o"]:
        """Multiply `inputs` of some taps side by side, `[n, taps * i]`, by their weights, and add the bias."""
        taps = tuple(range(len(self.matrix))) if taps is None else taps
        if taps not in self._products:
            whole = self.matrix[list(taps)].reshape(-1, self.width)
            self._products[taps] = ByteMatrix(whole) if whole.dtype == COARSE else whole.astype(np.float64)
        sums: NDArray[np.float64] = (inputs @ self._products[taps]) * self.scale.astype(np.float64)
        return np.floor(sums + 0.5) + self.bias

    def convolve(self, x: Numbers, dilation: int = 1) -> Numbers:
        """Convolve maps by a square kernel, with zeros beyond the border."""
        side = round(len(self.matrix) ** 0.5)
        numbers = self.inputs(x)
        reach, (count, height, width, channels) = side // 2 * dilation, x.shape
        padded = np.zeros((count, height + 2 * reach, width + 2 * reach, channels), numbers.dtype)
        padded[:, reach : reach + height, reach : reach + width] = numbers
        windows = np.empty((count, height, width, side * side, channels), numbers.dtype)
        for tap in range(side * side):
            row, column = (dilation * n for n in divmod(tap, side))
            windows[:, :, :, tap] = padded[:, row : row + height, column : column + width]
        return self(windows.reshape(-1, side * side * channels)).reshape(count, height, width, -1)

    def in_c(self, name: str, phases: Sequence[tuple[int, ...]] = ()) -> tuple[str, str]:
        """Return a `pt_filter` of `runtime/stages.h`, and the arrays that it names.

        Args:
            name: with which the names of the arrays begin.
            phases: taps that are read together, of a layer that spreads; none for a kernel.
        """
        taps, inputs, outputs = self.matrix.shape
        arrays = [
            array_in_c(f"const float {name}_scale", self.scale),
            array_in_c(f"const int32_t {name}_bias", self.bias),
        ]
        weights = f"{name}_weights, 0, 0"
        if self.matrix.dtype == FINE:
            arrays.append(array_in_c(f"const int16_t {name}_weights", self.matrix))
        else:
            weights = f"0, {name}_packed, {name}_cut"
            together = phases or [tuple(range(taps))]
            for number, read in enumerate(together):
                whole = self.matrix[list(read)].reshape(-1, outputs)
                arrays.append(array_in_c(f"_Alignas(64) const int8_t {name}_{number}", pack(whole, [len(whole)])))
            listed = ", ".join(f"{name}_{number}" for number in range(len(together)))
            arrays += [
                f"static const int8_t *const {name}_packed[] = {{{listed}}};",
                array_in_c(f"const int8_t {name}_cut", self.cut),
            ]
        side = 0 if phases else round(taps**0.5)
        return f"{{{side}, {inputs}, {outputs}, {weights}, {name}_scale, {name}_bias}}", "\n".join(arrays)


def fixed(x: NDArray[Any]) -> NDArray[np.float64]:
    """Round numbers to integers in steps of 2^-13, as float64."""
    return _cut(np.floor(x.astype(np.float64) * 2.0**BITS + 0.5))


def _cut(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x.clip(-LIMIT, LIMIT)


@dataclass(frozen=True, eq=False)
class FixedUpsampler:
    """The map of a coarse image on a finer grid, in integers; the head of this file has the formulas.

    Attributes:
        factor: ratio of the rows, and of the columns, of the two grids.
        levels: network input of each level in steps of 2^-13, int32 `[k, e]`.
        first: 3x3 convolution of the coarse image.
        blocks: residual 3x3 convolutions, of bytes.
        dilations: of the blocks.
        spread: transposed convolution to the finer grid, of bytes.
        conditions: layers that add the condition, by name: `vector`, `map`, and the layers of `TOKENS`.
        heads: heads of the attention to tokens; 0 for none.
    """

    factor: tuple[int, int]
    levels: IntArray
    first: FixedLayer
    blocks: tuple[FixedLayer, ...]
    dilations: tuple[int, ...]
    spread: FixedLayer
    conditions: Mapping[str, FixedLayer]
    heads: int = 0

    @property
    def score_step(self) -> float:
        """Steps of the table of exponentials for a difference of scores of 1."""
        width = self.conditions["keys"].width // self.heads
        return float(2.0 ** (_EXP_STEP_BITS - 2 * BITS) / np.sqrt(width))

    def taps(self, row: int, column: int) -> tuple[int, ...]:
        """Return the taps of `spread` that a pixel of the finer grid reads, at an offset from a coarse one.

        They meet the coarse pixel and the next one on its right, then those below, where the offset is not 0.
        """
        rows, columns = self.factor
        below = [row + rows - 1, *([row - 1] if row else [])]
        right = [column + columns - 1, *([column - 1] if column else [])]
        return tuple(a * (2 * columns - 1) + b for a in below for b in right)

    def features(
        self,
        coarse: Int[np.ndarray, "n c h2 w2"],
        conditions: Mapping[str, Float[np.ndarray, "n ..."]],
        size: tuple[int, int],
    ) -> Float[np.ndarray, "n h w m"]:
        """Compute the map of images.

        Args:
            coarse: levels of the coarse images.
            conditions: features of the conditions by name, a map on the coarse grid `[n, h2, w2, c]`; what the
                network does not take is not read.
            size: rows and columns of the finer grid.
        """
        together = max(1, SITES_TOGETHER // (coarse.shape[2] * coarse.shape[3]))
        result = np.empty((len(coarse), *size, self.spread.width))
        for start in range(0, len(coarse), together):
            part = slice(start, start + together)
            parts = {name: conditions[name][part] for name in ("vector", "map", "tokens") if name in conditions}
            x = self._coarse(coarse[part], parts)
            for rows, columns, values in self._spread(x):
                sites = result[part, rows :: self.factor[0], columns :: self.factor[1]]
                sites[...] = values[:, : sites.shape[1], : sites.shape[2]]
        return result * 2.0**-BITS

    def _coarse(self, levels: IntArray, conditions: Mapping[str, NDArray[Any]]) -> Numbers:
        """Compute the features of the coarse pixels."""
        canvas = self.levels.astype(np.float64)[levels.transpose(0, 2, 3, 1)]
        x = _cut(self.first.convolve(canvas.reshape(*canvas.shape[:3], -1)))
        if "vector" in self.conditions:
            x = _cut(x + self.conditions["vector"](fixed(conditions["vector"]))[:, None, None])
        if "map" in self.conditions:
            x = _cut(x + self.conditions["map"].convolve(fixed(conditions["map"])))
        if self.heads:
            x = _cut(x + self._attend(x, conditions["tokens"]))
        for block, dilation in zip(self.blocks, self.dilations, strict=True):
            x = _cut(x + block.convolve(x, dilation))
        return x

    def _attend(self, x: Numbers, tokens: Float[np.ndarray, "n c"]) -> Numbers:
        """Attend from each pixel to the tokens of its image."""
        query, keys, values, out = (self.conditions[name] for name in TOKENS)
        batch, width = len(x), keys.matrix.shape[1]
        count = tokens.shape[1] // (1 + width)
        exists = tokens[:, None, None, :count] > 0
        states = fixed(tokens[:, count:]).reshape(-1, width)

        def by_head(layer: FixedLayer, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
            return _cut(layer(inputs)).reshape(batch, -1, self.heads, layer.width // self.heads).swapaxes(1, 2)

        queries, k, v = by_head(query, x.reshape(-1, x.shape[3])), by_head(keys, states), by_head(values, states)
        scores = np.where(exists, queries @ k.swapaxes(2, 3), -(2.0**52))
        below = np.where(exists, (scores.max(axis=3, keepdims=True) - scores) * self.score_step, _EXP_ENTRIES)
        weights = EXP[np.floor(below + 0.5).clip(max=_EXP_ENTRIES).astype(np.int64)] * exists
        total = weights.sum(axis=3, keepdims=True).clip(min=1)
        mean = np.floor((weights @ v) / total + 0.5).swapaxes(1, 2).reshape(-1, values.width)
        return out(mean).reshape(x.shape)

    def _spread(self, x: Numbers) -> Iterator[tuple[int, int, Numbers]]:
        """Yield the pixels of the finer grid at each offset from the coarse ones: it reads one or two on each axis."""
        count, height, width, channels = x.shape
        padded = np.pad(self.spread.inputs(x), ((0, 0), (0, 1), (0, 1), (0, 0)))
        rows, columns = self.factor
        for row in range(rows):
            for column in range(columns):
                taps, places = self.taps(row, column), product(range(1 + (row > 0)), range(1 + (column > 0)))
                reads = [padded[:, y : y + height, z : z + width] for y, z in places]
                windows = np.stack(reads, 3).reshape(-1, len(taps) * channels)
                yield row, column, _cut(self.spread(windows, taps)).reshape(count, height, width, -1)

    def in_c(self, name: str, first: Program, program: Program) -> str:
        """Return a `pt_upsampler` of `runtime/stages.h`, after the arrays that it names.

        Args:
            name: of the structure, with which the names of the arrays begin.
            first: program of the first stage, which declares the conditions.
            program: program of the stage.
        """
        (down, right), entries, arrays = self.factor, dict[str, str](), []
        phases = [self.taps(row, column) for row in range(down) for column in range(right)]
        entries["spread"], text = self.spread.in_c(f"{name}_spread", phases)
        arrays.append(text)
        blocks = {f"block_{number}": block for number, block in enumerate(self.blocks)}
        for key, layer in {"first": self.first, **blocks, **self.conditions}.items():
            entries[key], text = layer.in_c(f"{name}_{key}")
            arrays.append(text)
        arrays.append(array_in_c(f"const int32_t {name}_levels", self.levels))
        units = {kind: f"{name}_{kind}_units" if kind in first.inputs else "0" for kind in ("vector", "map", "tokens")}
        for kind, taken in first.inputs.items():
            arrays.append(array_in_c(f"const double {units[kind]}", np.broadcast_to(taken.unit, taken.channels)))
        arrays.append(array_in_c(f"const double {name}_units", program.inputs["map"].unit[-self.spread.width :]))
        used = dict.fromkeys(("vector", "map", "attention"), "0")
        for key in [each for each in used if each in self.conditions]:
            used[key] = f"&{name}_{key}"
            arrays.append(f"static const pt_filter {name}_{key} = {entries[key]};")
        if self.heads:
            used["attention"] = f"&{name}_attention"
            tokens = first.inputs["tokens"].channels // (1 + self.conditions["keys"].matrix.shape[1])
            arrays.append(self._attention_in_c(name, tokens, [entries[key] for key in TOKENS]))
        return "\n".join(
            [
                *arrays,
                f"static const pt_filter {name}_blocks[] = {{{', '.join(map(entries.__getitem__, blocks)) or '{0}'}}};",
                f"static const int32_t {name}_dilations[] = {{{', '.join(map(str, [*self.dilations, 0]))}}};",
                f"static const pt_upsampler {name} = {{{down}, {right}, {program.head.channels}, "
                f"{self.levels.shape[1]}, {len(blocks)}, {name}_levels, {entries['first']}, {entries['spread']}, "
                f"{name}_blocks, {name}_dilations, {', '.join(used.values())}, "
                f"{{{', '.join(units.values())}}}, {name}_units}};",
            ]
        )

    def _attention_in_c(self, name: str, tokens: int, layers: list[str]) -> str:
        return "\n".join(
            [
                array_in_c(f"const int32_t {name}_exponentials", EXP.astype(np.int64)),
                f"static const pt_attention {name}_attention = {{{self.heads}, {tokens}, {', '.join(layers)}, "
                f"{self.score_step!r}, {name}_exponentials}};",
            ]
        )
