"""Who reads each value and map of a recorded program: matrix products, which need 8 bits, or others."""

from __future__ import annotations

from pointillist.engine.program import FeatureMap, Instruction, Program, Value, View

READS_NARROW: dict[str, tuple[int, ...]] = {"LINEAR": (0,), "PREDICT": (0, 1), "NORMALISE": (0, 1)}
"""Inputs of each opcode that it reads in 8 bits."""
NON_NEGATIVE = {"RELU", "SIGMOID"}


class Readers:
    """Readers of a program's values and maps.

    Attributes:
        narrow_maps, wide_maps: maps whose gathered values are read in 8 bits, and in 32.
        stored: the view that each map stores.
        cached: the view that each KV cache stores.
        non_negative: values that are never negative.
        start_of: of a value from which a matrix product starts, what the product makes.
    """

    def __init__(self, program: Program) -> None:
        code = [*program.per_image, *program.per_row, *program.per_site, *program.post_draw]
        self._code = code
        self.narrow_values: set[Value] = set()
        self.wide_values: set[Value] = {program.params.value}
        self.stored: dict[FeatureMap, View] = {i.map: i.inputs[0] for i in code if i.opcode == "STORE" and i.map}
        self.cached: dict[FeatureMap | None, View] = {i.map: i.inputs[0] for i in code if i.opcode == "STORE_KV"}
        for i in code:
            for position, view in enumerate(i.inputs):
                self._note(i, position, view)
        gathers = [i for i in code if i.opcode == "GATHER" and i.map is not None and i.output is not None]
        self.narrow_maps: set[FeatureMap | None] = {
            i.map for i in gathers if i.output and i.output.value in self.narrow_values
        }
        self.wide_maps: set[FeatureMap | None] = {
            i.map for i in gathers if i.output and i.output.value in self.wide_values
        }
        self.wide_maps |= {i.map for i in code if i.opcode == "UPSAMPLE"}
        for feature_map, view in self.stored.items():
            if feature_map in self.narrow_maps:
                self.narrow_values.add(view.value)
            if feature_map in self.wide_maps:
                self.wide_values.add(view.value)
        makers: dict[Value, set[str]] = {}
        for i in code:
            if i.output is not None:
                makers.setdefault(i.output.value, set()).add(i.opcode)
        self.non_negative: set[Value] = {value for value, opcodes in makers.items() if opcodes <= NON_NEGATIVE}
        self.start_of: dict[Value, Value] = {
            i.inputs[1].value: i.output.value
            for i in code
            if i.opcode == "LINEAR" and len(i.inputs) > 1 and i.output is not None and i.inputs[1].is_whole
        }

    def _note(self, i: Instruction, position: int, view: View) -> None:
        if i.opcode == "STORE":
            return  # decided by the readers of the map
        narrow = position in READS_NARROW.get(i.opcode, ())
        (self.narrow_values if narrow else self.wide_values).add(view.value)

    def is_only_narrow(self, value: Value) -> bool:
        """Return True if all readers of a value take 8 bits."""
        return value in self.narrow_values and value not in self.wide_values
