"""Read the stages of an integer model, with every number, type and shape checked: what fits another is proven here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pointillist.engine.program import DType, Program
from pointillist.files.arrays import ArrayReader
from pointillist.portable.stages import IntegerStage
from pointillist.portable.storage import schema
from pointillist.portable.upsampler import COARSE, FINE, LIMIT, MAX_TERMS, TOKENS, FixedLayer, FixedUpsampler


def decode_stages(
    document: schema.IntegerDocument, programs: Sequence[Program], arrays: ArrayReader
) -> tuple[IntegerStage, ...]:
    """Read the stages of a model that has several.

    Args:
        document: the model.
        programs: for each group of orders, one for each stage.

    Raises:
        CheckpointError: if a number, an array or a shape is not what it must be.
    """
    stored = document.stages or []
    steps = [stage.step for stage in stored]
    first = programs[0]
    if steps[-1] != (1, 1) or any(a == b or a[0] % b[0] or a[1] % b[1] for a, b in pairwise(steps)):
        raise arrays.damaged("the steps of its stages do not divide each other")
    if len(programs) % len(stored) or any(part for n, part in enumerate(document.parts) if n % len(stored)):
        raise arrays.damaged("its stages do not fit its programs")
    result = [IntegerStage(steps[0])]
    for number, stage in enumerate(stored[1:], 1):
        if stage.upsampler is None:
            raise arrays.damaged(f"the stage {number} has no upsampler")
        decoder = _UpsamplerDecoder(stage.upsampler, first, arrays)
        result.append(IntegerStage(stage.step, decoder.decode()))
        before = steps[number - 1]
        if stage.upsampler.factor != (before[0] // stage.step[0], before[1] // stage.step[1]):
            raise arrays.damaged(f"the upsampler of the stage {number} has another factor")
    if stored[0].upsampler is not None:
        raise arrays.damaged("its first stage has an upsampler")
    for number, program in enumerate(programs):
        _check_inputs(program, programs[number - number % len(stored)], result[number % len(stored)], arrays)
    return tuple(result)


def _check_inputs(program: Program, first: Program, stage: IntegerStage, arrays: ArrayReader) -> None:
    """Check that the program of a stage takes the conditions of the first one, and the map of its upsampler."""
    head, other = program.head, first.head
    same = (head.channels, head.levels, head.precision) == (other.channels, other.levels, other.precision)
    if not same or program.params.channels != first.params.channels:
        raise arrays.damaged("the programs of its stages have other distributions")
    more = 0 if stage.upsampler is None else stage.upsampler.spread.width
    for name, taken in program.inputs.items():
        known = first.inputs.get(name)
        due = (0 if known is None else known.channels) + (more if name == "map" else 0)
        if taken.channels != due or (known is not None and (taken.unit[: known.channels] != known.unit).any()):
            raise arrays.damaged(f"a stage takes another condition `{name}`")


class _UpsamplerDecoder:
    """Read one upsampler."""

    def __init__(self, stored: schema.UpsamplerModel, first: Program, arrays: ArrayReader) -> None:
        self.stored, self.first, self.arrays = stored, first, arrays

    def decode(self) -> FixedUpsampler:
        """Return the upsampler."""
        stored, arrays, head = self.stored, self.arrays, self.first.head
        levels = arrays.get(stored.levels, "int32", (head.levels, None))
        if np.abs(levels.astype(np.int64)).max(initial=0) > LIMIT or len(stored.blocks) != len(stored.dilations):
            raise arrays.damaged("an upsampler has other levels, or more blocks than dilations")
        first = self._layer(stored.first, 9, levels.shape[1] * head.channels)
        blocks = tuple(self._layer(block, 9, first.width, first.width, COARSE) for block in stored.blocks)
        rows, columns = stored.factor
        spread = self._layer(stored.spread, (2 * rows - 1) * (2 * columns - 1), first.width, None, COARSE)
        dilations = tuple(stored.dilations)
        return FixedUpsampler(
            stored.factor, levels, first, blocks, dilations, spread, self._conditions(first.width), stored.heads
        )

    def _conditions(self, width: int) -> dict[str, FixedLayer]:
        """Read the layers that add conditions to `width` features."""
        stored, inputs = self.stored.conditions, self.first.inputs
        result: dict[str, FixedLayer] = {}
        if "vector" in stored and "vector" in inputs:
            result["vector"] = self._layer(stored["vector"], 1, inputs["vector"].channels, width)
        if "map" in stored and "map" in inputs:
            result["map"] = self._layer(stored["map"], 1, inputs["map"].channels, width)
        if self.stored.heads:
            if "tokens" not in inputs or not set(TOKENS) <= stored.keys():
                raise self.arrays.damaged("an upsampler attends to tokens that no layer reads")
            result["query"] = self._layer(stored["query"], 1, width)
            inner = result["query"].width
            result["keys"] = self._layer(stored["keys"], 1, None, inner)
            states = result["keys"].matrix.shape[1]
            result["values"] = self._layer(stored["values"], 1, states, inner)
            result["out"] = self._layer(stored["out"], 1, inner, width)
            if inner % self.stored.heads or inputs["tokens"].channels % (1 + states):
                raise self.arrays.damaged("the heads or tokens of an upsampler have no whole channels")
        if result.keys() != stored.keys():
            raise self.arrays.damaged("an upsampler takes conditions that its model does not take")
        return result

    def _layer(
        self,
        stored: schema.LayerModel,
        taps: int,
        inputs: int | None,
        outputs: int | None = None,
        dtype: DType = FINE,
    ) -> FixedLayer:
        arrays = self.arrays
        matrix = arrays.get(stored.matrix, dtype.name, (taps, inputs, outputs))
        _, rows, width = matrix.shape
        scale, bias = arrays.get(stored.scale, "float32", (width,)), arrays.get(stored.bias, "int32", (width,))
        cut = arrays.get(stored.cut, "int8", (rows,))
        if matrix.size == 0 or taps * rows > MAX_TERMS[dtype] or matrix.min() == np.iinfo(dtype).min:
            raise arrays.damaged("a layer of an upsampler has too many weights, or one out of range")
        if not (np.isfinite(scale).all() and (scale > 0).all()) or np.abs(bias.astype(np.int64)).max() > LIMIT:
            raise arrays.damaged("a layer of an upsampler has a scale or a bias out of range")
        if cut.min() < 0 or cut.max() > (21 if dtype == COARSE else 0):
            raise arrays.damaged("a layer of an upsampler cuts off too many bits")
        return FixedLayer(matrix, scale, bias, cut)
