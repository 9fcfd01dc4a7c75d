"""Read integer models from JSON and arrays, with every number, type and shape checked."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.conditioning.known import OBSERVED
from pointillist.conditioning.portable import GridFeatures
from pointillist.conditioning.registry import portable_encoder
from pointillist.distributions.kinds import LikelihoodKind
from pointillist.engine.head.tables import standard_tables
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.opcodes.base import MAX_TABLE, ConstantType, prove_ranges
from pointillist.engine.program import (
    INT8,
    INT32,
    RANGES,
    UINT8,
    ConditionInput,
    DType,
    FeatureMap,
    Instruction,
    IntArray,
    IntegerHead,
    KeyValueCache,
    Phase,
    Program,
    Value,
    View,
    even_levels,
    size_of,
)
from pointillist.errors import quote
from pointillist.files.arrays import ArrayReader
from pointillist.images import ImageSpec
from pointillist.model.portable.conditions import IntegerPart, StoredConditions
from pointillist.model.portable.model import ProgramModel

Count = Annotated[int, Field(ge=0, le=2**24, strict=True)]
Size = Annotated[int, Field(ge=1, le=2**20, strict=True)]
Name = Annotated[str, Field(max_length=1000)]
Offset = Annotated[int, Field(ge=-4096, le=4096, strict=True)]
ViewModel = tuple[Count, Count, Size]
ValueModel = tuple[Size, Annotated[int, Field(ge=0, le=3)], Annotated[int, Field(ge=0, le=64)], Size, int, int]


class Strict(BaseModel):
    """Base class: no other fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MapModel(Strict):
    """A feature map, or a KV cache."""

    channels: Size
    narrow: bool
    signed: bool
    scale: Size
    initial_above: Name | None = None
    initial_left: Name | None = None
    num_heads: Size | None = None
    key_channels: Size | None = None


class InstructionModel(Strict):
    """An instruction; `out` and `in` are views: number of the value, first channel, channels."""

    op: Name
    inputs: list[ViewModel] = Field(alias="in", max_length=8)
    out: ViewModel | None = None
    constants: dict[str, Name] = Field({}, max_length=16)
    map: Count | None = None
    taps: list[tuple[Offset, Offset]] = Field([], max_length=2**14)
    key: Name = ""
    row_parity: Literal[0, 1] | None = None


class InputModel(Strict):
    """A condition."""

    kind: Literal["vector", "map"]
    channels: Size
    unit: Name


class HeadModel(Strict):
    """The distribution. With a least log-scale, its tables are the standard ones."""

    kind: LikelihoodKind
    channels: Annotated[int, Field(ge=1, le=1024)]
    levels: Annotated[int, Field(ge=2, le=65_536)]
    mixtures: Annotated[int, Field(ge=0, le=1024)]
    precision: Annotated[int, Field(ge=8, le=24)]
    tables: dict[str, Name] = Field(max_length=16)
    min_log_scale: Annotated[int, Field(ge=-16, le=0)] | None = None


class StoredProgram(Strict):
    """A program; of a grid, it has no head."""

    num_sub_steps: Annotated[int, Field(ge=1, le=1024)]
    canvas_width: Size
    canvas_values: Name | None
    s_curve: bool
    values: list[ValueModel] = Field(max_length=2**17)
    maps: list[MapModel] = Field(max_length=2**14)
    inputs: dict[Name, InputModel] = Field(max_length=1024)
    code: tuple[list[InstructionModel], list[InstructionModel], list[InstructionModel], list[InstructionModel]]
    params: ViewModel
    head: HeadModel | None


class PartModel(BaseModel):
    """A part of the condition; an encoder that computes its features stands under the key of its class."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", frozen=True, defer_build=True)

    name: Name
    kind: Literal["vector", "map", "tokens"]
    rows: Name
    names: list[Name] = Field(max_length=2**20)
    program: StoredProgram | None = None


class ImageModel(Strict):
    """The images."""

    channels: Size
    height: Size
    width: Size
    levels: Annotated[int, Field(ge=2, le=65_536)]


class IntegerDocument(Strict):
    """An integer model."""

    image: ImageModel
    fixed_size: bool
    source: Name
    orders: dict[Name, Count] = Field(min_length=1, max_length=64)
    parts: list[list[PartModel]] = Field(max_length=1024)
    programs: list[StoredProgram] = Field(min_length=1, max_length=1024)


def decode_model(document: Any, arrays: ArrayReader, fingerprint: str) -> ProgramModel:
    """Read a model.

    Raises:
        CheckpointError: if the document or an array is not what it must be.
        EngineError: if a sum could overflow, or an opcode is of a later release.
    """
    try:
        result = IntegerDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise arrays.damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    programs = tuple(ProgramDecoder(stored, arrays).decode() for stored in result.programs)
    if any(number >= len(programs) for number in result.orders.values()) or len(result.parts) != len(programs):
        raise arrays.damaged("an order has no program")
    parts = tuple(tuple(decode_part(part, arrays) for part in each) for each in result.parts)
    image = ImageSpec(**result.image.model_dump())
    return ProgramModel(
        image=image,
        fixed_size=result.fixed_size,
        source=result.source,
        programs=programs,
        program_numbers=result.orders,
        parts=parts,
        conditions=StoredConditions(parts[0], image),
        fingerprint=fingerprint,
    )


def _dtype(narrow: int, signed: int) -> DType:
    return INT32 if not narrow else INT8 if signed else UINT8


class ProgramDecoder:
    """Read one program."""

    model: StoredProgram
    arrays: ArrayReader

    def __init__(self, model: StoredProgram, arrays: ArrayReader) -> None:
        self.model, self.arrays, self._is_grid = model, arrays, model.head is None
        self.values: list[Value] = [
            Value(index, channels, Phase(phase), depth, scale, _dtype(narrow, signed))
            for index, (channels, phase, depth, scale, narrow, signed) in enumerate(model.values)
        ]
        self.maps: list[FeatureMap] = [self._map(index, stored) for index, stored in enumerate(model.maps)]

    def decode(self) -> Program:
        model = self.model
        code = [tuple(self._instruction(i, Phase(n)) for i in part) for n, part in enumerate(model.code)]
        for part in code:
            prove_ranges(part)
        if len({i.constants["numbers"].shape[:2] for part in code for i in part if i.opcode == "MAP_CONSTANT"}) > 1:
            raise self.arrays.damaged("its maps have several sizes")
        if (
            not self.maps
            or self.maps[0].is_narrow != (model.canvas_values is not None or self._is_grid)
            or self.maps[0].channels != model.num_sub_steps * model.canvas_width
        ):
            raise self.arrays.damaged("the first map is not the canvas")
        inputs = {
            name: ConditionInput(
                stored.kind, stored.channels, unit=self.arrays.get(stored.unit, "float64", (stored.channels,))
            )
            for name, stored in model.inputs.items()
        }
        head, values = (None, np.zeros((0, 1), np.int8)) if model.head is None else self._head(model.head)
        return Program(
            num_sub_steps=model.num_sub_steps,
            canvas_width=model.canvas_width,
            canvas=self.maps[0],
            maps=tuple(m for m in self.maps if not isinstance(m, KeyValueCache)),
            kv_caches=tuple(m for m in self.maps if isinstance(m, KeyValueCache)),
            inputs=inputs,
            per_image=code[0],
            per_row=code[1],
            per_site=code[2],
            sub_steps=(code[2],) * model.num_sub_steps,
            post_draw=code[3],
            params=self._view(model.params),
            size=size_of(*code),
            integer_head=head,
            canvas_values=values,
            s_curve=model.s_curve,
            is_grid=self._is_grid,
        )

    def _head(self, head: HeadModel) -> tuple[IntegerHead, IntArray]:
        """Read the distribution, and what levels write to the canvas."""
        model = self.model
        tables: dict[str, IntArray] = {}
        for name, table in head.tables.items():
            tables[name] = self.arrays.get(table, "int32", (None,))
        if head.min_log_scale is not None:
            tables = dict(standard_tables(head.kind, head.levels, head.min_log_scale))
        width = model.num_sub_steps * model.canvas_width // head.channels
        if model.canvas_values is None and (head.kind != "mixture" or width != 1):
            raise self.arrays.damaged("its canvas has levels as they are without a mixture of ordered levels")
        values = (
            even_levels(head.levels)
            if model.canvas_values is None
            else self.arrays.get(model.canvas_values, "int8", (head.levels, width))
        )
        integer_head = IntegerHead(head.kind, head.channels, head.levels, head.mixtures, head.precision, tables)
        if model.params[2] < integer_head.num_params or (not integer_head.has_table and tables["exp"][0] != 1 << 24):
            raise self.arrays.damaged("its head has other parameters or tables")
        return integer_head, values

    def _map(self, index: int, stored: MapModel) -> FeatureMap:
        initial: dict[str, Any] = {
            name: self.arrays.get(getattr(stored, name), "int32", (stored.channels,))
            for name in ("initial_above", "initial_left")
            if getattr(stored, name) is not None
        }
        dtype = _dtype(stored.narrow, stored.signed)
        low, high = RANGES[dtype]
        if any(array.min() < low or array.max() > high for array in initial.values()):
            raise self.arrays.damaged(f"an initial state of the map {index} is out of its range")
        common = (str(index), stored.channels, stored.scale, dtype)
        if stored.num_heads is None:
            return FeatureMap(*common, **initial)
        keys = stored.key_channels or 0
        if keys % stored.num_heads or (stored.channels - keys) % stored.num_heads or not 0 < keys < stored.channels:
            raise self.arrays.damaged(f"the heads of the cache {index} have no whole channels")
        return KeyValueCache(*common, num_heads=stored.num_heads, key_channels=keys)

    def _view(self, numbers: tuple[int, int, int]) -> View:
        index, start, channels = numbers
        if index >= len(self.values) or start + channels > self.values[index].channels:
            raise self.arrays.damaged(f"there is no value {list(numbers)}")
        return View(self.values[index], start, channels)

    def _instruction(self, stored: InstructionModel, phase: Phase) -> Instruction:
        if stored.op not in OPCODES or not OPCODES[stored.op].has_integers:
            raise self.arrays.damaged(f"the instruction {stored.op!r} is unknown; or upgrade pointillist")
        opcode = OPCODES[stored.op]
        output = None if stored.out is None else self._view(stored.out)
        inputs = tuple(self._view(numbers) for numbers in stored.inputs)
        if set(stored.constants) != set(opcode.constants):
            raise self.arrays.damaged(f"{stored.op} has the constants {sorted(stored.constants)}")
        constants = {
            name: self._constant(name, opcode.constants[name], stored, output, inputs) for name in stored.constants
        }
        feature_map = None
        if stored.map is not None:
            if stored.map >= len(self.maps):
                raise self.arrays.damaged(f"there is no map {stored.map}")
            feature_map = self.maps[stored.map]
            if any(dy > 0 for dy, _ in stored.taps) and not self._is_grid:
                raise self.arrays.damaged(f"{stored.op} reads a row below")
            if stored.taps:
                feature_map.extend(tuple(stored.taps))
        result = Instruction(
            stored.op,
            phase,
            output,
            inputs,
            "",
            constants,
            feature_map,
            tuple(stored.taps),
            stored.key,
            row_parity=stored.row_parity,
        )
        self._check_shapes(result)
        self._check_input(result)
        return result

    def _check_input(self, i: Instruction) -> None:
        """Check that a condition that is read is one that the program declares, of the same width and phase."""
        if i.opcode != "INPUT" or i.output is None:
            return
        declared = self.model.inputs.get(i.key)
        if declared is None:
            raise self.arrays.damaged(f"INPUT reads the condition {quote(i.key)}, which is not declared")
        if declared.channels != i.output.channels or (declared.kind == "vector") != (i.phase == Phase.IMAGE):
            raise self.arrays.damaged(f"INPUT reads the condition {quote(i.key)} in another shape")

    def _constant(
        self, name: str, kind: ConstantType, stored: InstructionModel, output: View | None, inputs: tuple[View, ...]
    ) -> IntArray:
        outputs = 0 if output is None else output.channels
        sizes = kind.sizes(outputs, inputs[0].channels if inputs else 0)
        array = self.arrays.get(stored.constants[name], kind.dtype, sizes)
        if kind.is_table and (len(array) % 2 == 0 or len(array) > MAX_TABLE):
            raise self.arrays.damaged(f"a table of {stored.op} has {len(array)} entries")
        if array.size and not (kind.low <= int(array.min()) and int(array.max()) <= kind.high):
            raise self.arrays.damaged(f"{'a shift' if kind.bits else f'`{name}`'} of {stored.op} is too large")
        return array

    def _check_shapes(self, i: Instruction) -> None:
        """Check channels, kinds and phases, which the executors rely on."""
        problem = OPCODES[i.opcode].problem(i)
        if problem or any(view.phase > i.phase for view in i.inputs) or (i.output and i.output.phase != i.phase):
            raise self.arrays.damaged(f"{i.opcode}: {problem or 'a value is not known in its phase'}")
        scales = {view.scale for view in i.views if view.phase > Phase.IMAGE}
        if len(scales) > 1 or any(scale & (scale - 1) for scale in scales):
            raise self.arrays.damaged(f"{i.opcode} combines grids of {sorted(scales)}")


def decode_part(part: PartModel, arrays: ArrayReader) -> IntegerPart:
    """Read a part of the condition.

    Raises:
        CheckpointError: if an array is not what it must be.
    """
    shape = (None, None, None, None) if part.kind == "map" else (None, None)
    rows = arrays.get(part.rows, "int32", shape)
    if len(rows) < max(1, len(part.names)):
        raise arrays.damaged(f"the condition `{part.name}` has too few rows")
    encoders = {key: document for key, document in (part.model_extra or {}).items() if document is not None}
    if not encoders and part.program is None:
        return IntegerPart(part.name, part.kind, rows, tuple(part.names))
    key, document = next(iter(encoders.items()), ("", None))
    encoder = portable_encoder(key)
    if len(encoders) > 1 or encoder is None:
        raise arrays.damaged(f"the condition `{part.name}` has the encoders {', '.join(sorted(encoders))}")
    decoded = encoder.decode(document, part.kind, rows.shape[-1], arrays)
    program = None if part.program is None else ProgramDecoder(part.program, arrays).decode()
    grid = decoded if isinstance(decoded, GridFeatures) else None
    if (program is None) != (grid is None) or (grid is not None and part.kind != "map"):
        raise arrays.damaged(f"the condition `{part.name}` has no encoder of a map with a program")
    if grid is not None and program is not None:
        _check_grid(part.name, grid, program, rows.shape[-1], arrays)
    return IntegerPart(part.name, part.kind, rows, tuple(part.names), decoded, program)


def _check_grid(name: str, encoder: GridFeatures, program: Program, width: int, arrays: ArrayReader) -> None:
    """Check that a program reads what an encoder writes, and makes the map of its part, in one phase."""
    later = [i for phase, part in program.parts() for i in part if phase != Phase.ROW]
    others = {i.opcode for i in program.per_row} & {"SCAN", "SHIFT_DOWN", "UPSAMPLE", "MAP_CONSTANT"}
    grids: list[FeatureMap | Value] = [*program.maps, *(view.value for i in program.per_row for view in i.views)]
    if program.inputs or program.kv_caches or later or others or any(grid.scale > 1 for grid in grids):
        raise arrays.damaged(f"the program of the condition `{name}` does not run over a grid")
    params = program.params
    levels = len(encoder.table.levels) if encoder.key == OBSERVED and encoder.table.levels is not None else 0
    kind = (program.is_grid, params.phase, params.value.dtype, params.channels - width in (0, levels), params.is_whole)
    if kind != (True, Phase.ROW, INT8, True, True) or program.canvas.channels != len(encoder.unit):
        raise arrays.damaged(f"the program of the condition `{name}` has other channels, or makes no map")
