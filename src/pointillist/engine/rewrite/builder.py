"""The integer program under construction: the integer form of every value and map of the recorded program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import (
    INT8,
    INT32,
    RANGES,
    UINT8,
    ConditionInput,
    DType,
    FeatureMap,
    Instruction,
    KeyValueCache,
    Phase,
    Program,
    Tap,
    Value,
    View,
)
from pointillist.engine.rewrite.grids import (
    FACTOR_BITS,
    MAX_LEFT,
    MAX_WEIGHT,
    Readers,
    function_table,
    narrow_units,
    power,
    shifts,
    wide_unit,
)
from pointillist.errors import EngineError

Array = NDArray[Any]
Rule = Callable[["Rewriter", Instruction], None]
RuleT = TypeVar("RuleT", bound=Rule)
RULES: dict[str, Rule] = {}
CONDITIONS = ("vector", "map", "tokens")
"""Inputs that are conditions of an image, and not a part of the network."""


def rewrites(*opcodes: str) -> Callable[[RuleT], RuleT]:
    """Register the rule that rewrites these opcodes."""

    def register(rule: RuleT) -> RuleT:
        RULES.update(dict.fromkeys(opcodes, rule))
        return rule

    return register


def _parts(program: Program) -> tuple[tuple[Instruction, ...], ...]:
    return program.per_image, program.per_row, program.per_site, program.post_draw


def input_name(key: str) -> str:
    """Return the name of an input: layers that read the same condition share one."""
    kind = key.rsplit(".", 1)[-1]
    return kind if kind in CONDITIONS else key


def is_constant_map(key: str) -> bool:
    """Return True for an input that is not a condition but part of the network, such as coordinates."""
    return input_name(key) not in CONDITIONS


@dataclass
class Form:
    """An integer value or map, and what it stands for: `unit * (integer + offset)` in each channel."""

    content: Any
    unit: Array
    offset: Array

    def narrow(self, start: int, channels: int) -> Form:
        part = slice(start, start + channels)
        content = View(self.content, 0, self.content.channels) if isinstance(self.content, Value) else self.content
        return Form(content.narrow(start, channels), self.unit[part], self.offset[part])

    @property
    def view(self) -> View:
        return self.content if isinstance(self.content, View) else View(self.content, 0, self.content.channels)


class Rewriter:
    """Rewrite the instructions of a program, one rule an opcode.

    Raises:
        EngineError: if an opcode has no rule, or a product reads a canvas of more than 8 bits.

    Attributes:
        code: the exact instructions of each phase.
        maps: the exact maps, the canvas first.
        rests: what 8 bits leave of recorded levels that are relative to a prediction, in finer steps.
    """

    program: Program
    seen: dict[Value, Array]

    def __init__(self, program: Program, canvas: Form) -> None:
        code = [i for part in _parts(program) for i in part]
        if missing := sorted({i.opcode for i in code} - set(RULES)):
            raise EngineError(
                f"The integer program does not support {', '.join(missing)}, which this network uses. "
                f"Supported are {', '.join(sorted(RULES))}."
            )
        pixels = {i.output.value for i in code if i.opcode == "GATHER" and i.map is program.canvas and i.output}
        readers = {i.opcode for i in code for view in i.inputs[:1] if view.value in pixels}
        if canvas.content.dtype == INT32 and (others := sorted(readers - {"PREDICT", "NORMALISE"})):
            raise EngineError(
                f"The integer program reads more than 256 levels by a local gain alone, and {', '.join(others)} of "
                "this network reads them too: use another network, or another engine."
            )
        self.program = program
        self.readers: Readers = Readers(program)
        self.code: dict[Phase, list[Instruction]] = {phase: [] for phase in Phase}
        self.maps: list[FeatureMap] = [canvas.content]
        self._map_forms: dict[tuple[FeatureMap, bool], Form] = {(program.canvas, canvas.content.is_narrow): canvas}
        self._wide: dict[Value, Form] = {}
        self._narrow: dict[View, Form] = {}
        self._tables: dict[tuple[str, float], Array] = {}
        self._count = 0
        self.inputs: dict[str, ConditionInput] = {}
        self.caches: dict[KeyValueCache, tuple[KeyValueCache, Array]] = {}
        self.rests: dict[View, View] = {}
        self.projections: dict[tuple[int, bytes, bytes], dict[str, Any]] = {}

    def run(self, seen: dict[Value, Array]) -> None:
        """Rewrite all instructions, in the order of their phases, given the largest magnitudes of a calibration."""
        self.seen = seen
        for part in _parts(self.program):
            for i in part:
                RULES[i.opcode](self, i)

    def emit(
        self,
        opcode: str,
        like: Instruction | View,
        output: View | None,
        *inputs: View,
        map: FeatureMap | None = None,
        taps: tuple[Tap, ...] = (),
        key: str = "",
        **constants: Any,
    ) -> None:
        """Emit an instruction, in the phase (and for the rows) of another one, or of a view."""
        scope, parity = (like.scope, like.row_parity) if isinstance(like, Instruction) else ("", None)
        if map is not None and taps:
            map.extend(taps)
        self.code[like.phase].append(
            Instruction(opcode, like.phase, output, inputs, scope, constants, map, taps, key, row_parity=parity)
        )

    def value(self, like: Value, channels: int, dtype: DType = INT32) -> Value:
        """Create a value of the phase and grid of another one."""
        self._count += 1
        return Value(self._count - 1, channels, like.phase, like.depth, like.scale, dtype)

    def wide_target(self, view: View, unit: Array | None = None) -> tuple[View, Array]:
        """Return the wide view that an instruction is to make, and its unit.

        Args:
            view: view of the recorded program.
            unit: unit of each channel, if the value has none yet; None for the one of its calibration.
        """
        form = self._wide.get(view.value)
        if form is None:
            quantized = self.value(view.value, view.value.channels)
            form = Form(quantized, np.full(quantized.channels, np.nan), np.zeros(quantized.channels))
            self._wide[view.value] = form
        part = form.unit[view.start : view.start + view.channels]
        if np.isnan(part).any():
            part[...] = self.target_unit(view.value) if unit is None else unit
        return View(form.content, view.start, view.channels), part

    def set_narrow(self, view: View, form: Form) -> None:
        """Note the narrow form of a whole value that is made narrow."""
        self._narrow[view] = form

    def narrow_form(self, view: View, unit: Array, dtype: DType, offset: Array | None = None) -> Form:
        """Return the form, of 8 bits, that a view is made in; see `set_narrow`."""
        quantized = self.value(view.value, view.channels, dtype)
        form = Form(quantized, unit, np.zeros(view.channels) if offset is None else offset)
        self.set_narrow(view, form)
        return form

    def target_unit(self, value: Value) -> float:
        """Return the unit that the calibration suggests for a wide value."""
        start_of = self.readers.start_of.get(value)
        return wide_unit(self.largest(value if start_of is None else start_of))

    def largest(self, value: Value) -> NDArray[np.floating[Any]]:
        """Return the largest magnitude of each channel of a value in the calibration.

        Raises:
            EngineError: if no image of the calibration reaches it, such as what only a second pixel reads.
        """
        if value not in self.seen:
            raise EngineError(
                "The images of the calibration do not reach every instruction of this network: calibrate on images of "
                "at least two rows and columns, or use another engine."
            )
        return self.seen[value]

    def wide(self, view: View) -> Form:
        """Return the wide form of a view; a narrow value is widened."""
        if view.value in self._wide:
            return self._wide[view.value].narrow(view.start, view.channels)
        form = self._widened(self.narrow(View(view.value, 0, view.value.channels)), view.value)
        self._wide[view.value] = form
        return form.narrow(view.start, view.channels)

    def _widened(self, source: Form, value: Value) -> Form:
        """Make a wide value of a narrow one, in powers of two; the canvas has other units, and an offset."""
        plain = not source.offset.any() and not (np.log2(source.unit) % 1).any()
        quantized = self.value(value, value.channels)
        zeros = np.zeros(quantized.channels)
        if plain:
            # levels of the canvas are not calibrated: they have all the range of 8 bits
            fine = self.target_unit(value) if value in self.seen else wide_unit(source.unit * MAX_WEIGHT)
            form = Form(quantized, np.minimum(source.unit, fine), zeros)
            self.emit("RESCALE", source.view, form.view, source.view, shift=shifts(form.unit, source.unit))
            return form
        self.emit(
            "RESCALE", source.view, View(quantized, 0, quantized.channels), source.view, shift=zeros.astype(np.int8)
        )
        step = power(source.unit) * 2.0**-FACTOR_BITS
        scaled = Form(self.value(value, value.channels), power(source.unit) * 2.0**-8, zeros)
        self.emit(
            "SCALE",
            source.view,
            scaled.view,
            View(quantized, 0, quantized.channels),
            factor=np.floor(source.unit / step + 0.5).astype(np.int16),
            shift=shifts(scaled.unit, step),
        )
        moved = Form(self.value(value, value.channels), scaled.unit, zeros)
        constant = np.floor(source.unit * source.offset / scaled.unit + 0.5).astype(np.int32)
        self.emit("OFFSET", source.view, moved.view, scaled.view, constant=constant)
        return moved

    def narrow(self, view: View) -> Form:
        """Return the narrow form of a view, in 8 bits."""
        whole = View(view.value, 0, view.value.channels)
        if whole in self._narrow:
            return self._narrow[whole].narrow(view.start, view.channels)
        if view not in self._narrow:
            source = self.wide(view)
            unit, dtype = self.narrow_grid(view)
            form = self.narrow_form(view, unit, dtype)
            source = self.refined(source, unit)
            self.emit("NARROW", source.view, form.view, source.view, shift=shifts(unit, source.unit))
        result = self._narrow[view]
        return replace(result, content=result.view)

    def narrowed(self, view: View, unit: Array) -> View:
        """Return a view in 8 bits, in units that the caller chooses."""
        source = self.refined(self.wide(view), unit)
        quantized = View(self.value(view.value, view.channels, dtype=INT8), 0, view.channels)
        self.emit("NARROW", source.view, quantized, source.view, shift=shifts(unit, source.unit))
        return quantized

    def canvas(self, view: View) -> Form:
        """Return the form of pixels that were gathered from the canvas, as the canvas holds them."""
        return self.narrow(view) if self.maps[0].is_narrow else self.wide(view)

    def narrow_grid(self, view: View) -> tuple[Array, DType]:
        """Choose the narrow units and type of a view: they depend on the calibration alone.

        It is no finer than the wide grid of the value, which matters for channels that were silent in the calibration.
        """
        dtype = UINT8 if view.value in self.readers.non_negative else INT8
        largest = self.largest(view.value)[view.start : view.start + view.channels]
        return np.maximum(narrow_units(largest, dtype), self.target_unit(view.value)), dtype

    def map(self, feature_map: FeatureMap, *, narrow: bool) -> Form:
        """Return the exact map of a map that holds narrow or wide values."""
        key = (feature_map, narrow)
        if key not in self._map_forms:
            view = self.readers.stored[feature_map]
            if narrow:
                unit, dtype = self.narrow_grid(view)
            else:
                unit, dtype = np.full(view.channels, self.map_unit(feature_map)), INT32
            quantized = FeatureMap(feature_map.name, view.channels, feature_map.scale, dtype)
            for name in ("initial_above", "initial_left"):
                start = getattr(feature_map, name)
                if start is not None:
                    setattr(quantized, name, np.floor(start / unit + 0.5).clip(*RANGES[dtype]).astype(np.int32))
            self.maps.append(quantized)
            self._map_forms[key] = Form(quantized, unit, np.zeros(view.channels))
        return self._map_forms[key]

    def map_unit(self, feature_map: FeatureMap) -> float:
        return self.target_unit(self.readers.stored[feature_map].value)

    def rescaled(self, x: Form, like: View, unit: Array) -> Form:
        moved = self.value(like.value, x.view.channels)
        form = Form(moved, unit, np.zeros(len(unit)))
        x = self.refined(x, unit)
        self.emit("RESCALE", x.view, form.view, x.view, shift=shifts(unit, x.unit))
        return form

    def refined(self, x: Form, unit: Array) -> Form:
        """Return a wide form whose unit is not far coarser than another one.

        Such a unit belongs to channels that were silent in the calibration. Shifted so far to the left, a value that is
        not silent would overflow 32 bits; here it is clamped.
        """
        by = shifts(unit, x.unit)
        if by.min(initial=0) >= -MAX_LEFT:
            return x
        form = Form(self.value(x.view.value, x.view.channels), np.minimum(unit, x.unit), np.zeros(len(unit)))
        factor = np.ones(len(unit), np.int16)
        self.emit("SCALE", x.view, form.view, x.view, factor=factor, shift=shifts(form.unit, x.unit))
        return form

    def uniform(self, x: Form, like: View) -> Form:
        """Return a wide form whose channels have one unit."""
        unit = float(x.unit.max())
        return x if (x.unit == unit).all() else self.rescaled(x, like, np.full(len(x.unit), unit))

    def table(self, name: str, function: Callable[[Array], Array], unit: float, dtype: Any = np.int32) -> Array:
        """Return the table of a function; the same one for each use."""
        key = (name, unit)
        if key not in self._tables:
            self._tables[key] = function_table(function, unit).astype(dtype)
        return self._tables[key]

    def shared(self, name: str, make: Callable[[], Array]) -> Array:
        """Return a table by its name; the same one for each use."""
        return self._tables.setdefault((name, 0.0), make())

    def declare_input(self, i: Instruction, unit: Array) -> Array:
        kind, channels = self.program.inputs[i.key].kind, self.program.inputs[i.key].channels
        result = self.inputs.setdefault(input_name(i.key), ConditionInput(kind, channels, unit=unit))
        return result.unit

    def round_weights(self, i: Instruction, weights: Array) -> Array:
        """Round the weights of a product, in units of each output."""
        return np.floor(weights + 0.5).clip(-MAX_WEIGHT, MAX_WEIGHT)
