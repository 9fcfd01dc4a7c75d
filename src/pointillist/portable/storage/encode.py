"""Write integer models as JSON and arrays."""

from __future__ import annotations

from typing import Any

from pointillist.engine.head.tables import min_log_scale_of
from pointillist.engine.program import UINT8, FeatureMap, Instruction, KeyValueCache, Program, Value, View
from pointillist.files.arrays import ArrayWriter
from pointillist.portable.conditions import IntegerPart
from pointillist.portable.model import IntegerModel
from pointillist.portable.stages import IntegerStage
from pointillist.portable.storage.decode import has_local_gain
from pointillist.portable.upsampler import FixedLayer


def encode_model(model: IntegerModel, arrays: ArrayWriter) -> dict[str, Any]:
    """Return the JSON values of a model; its arrays are added to `arrays`."""
    several = {"stages": [_encode_stage(stage, arrays) for stage in model.stages]} if len(model.stages) > 1 else {}
    return {
        "image": {name: getattr(model, name) for name in ("channels", "height", "width", "levels")},
        "fixed_size": model.fixed_size,
        "source": model.source,
        "orders": dict(model.orders),
        "parts": [[_encode_part(part, arrays) for part in parts] for parts in model.parts],
        "programs": [encode_program(program, arrays) for program in model.programs],
        **several,
    }


def _encode_stage(stage: IntegerStage, arrays: ArrayWriter) -> dict[str, Any]:
    result: dict[str, Any] = {"step": list(stage.step)}
    upsampler = stage.upsampler
    if upsampler is not None:
        result["upsampler"] = {
            "factor": list(upsampler.factor),
            "levels": arrays.name(upsampler.levels),
            "first": _encode_layer(upsampler.first, arrays),
            "blocks": [_encode_layer(block, arrays) for block in upsampler.blocks],
            "dilations": list(upsampler.dilations),
            "spread": _encode_layer(upsampler.spread, arrays),
            "conditions": {name: _encode_layer(layer, arrays) for name, layer in upsampler.conditions.items()},
            "heads": upsampler.heads,
        }
    return result


def _encode_layer(layer: FixedLayer, arrays: ArrayWriter) -> dict[str, str]:
    return {name: arrays.name(getattr(layer, name)) for name in ("matrix", "scale", "bias", "cut")}


def _encode_part(part: IntegerPart, arrays: ArrayWriter) -> dict[str, Any]:
    rows = arrays.name(part.rows)
    result: dict[str, Any] = {"name": part.name, "kind": part.kind, "rows": rows, "names": list(part.names)}
    if part.encoder is not None:
        result[part.encoder.key] = part.encoder.encode(arrays)
    return result


def encode_program(program: Program, arrays: ArrayWriter) -> dict[str, Any]:
    """Return the JSON values of a program: values and maps are numbers in its lists."""
    values: dict[Value, int] = {}
    maps = {each: index for index, each in enumerate([*program.maps, *program.kv_caches])}
    code = [[_encode_instruction(i, values, maps, arrays) for i in part] for _, part in program.parts()]
    params = _encode_view(program.params, values)
    head = program.head
    if has_local_gain(program):  # the tables are those that every reader computes
        tables: dict[str, Any] = {"tables": {}, "min_log_scale": min_log_scale_of(head.tables["inverse"])}
    else:
        tables = {"tables": {name: arrays.name(table) for name, table in head.tables.items()}}
    return {
        "num_sub_steps": program.num_sub_steps,
        "canvas_width": program.canvas_width,
        "canvas_values": arrays.name(program.canvas_values) if program.canvas.is_narrow else None,
        "s_curve": program.s_curve,
        "values": [_encode_value(value) for value in values],
        "maps": [_encode_map(each, arrays) for each in maps],
        "inputs": {
            name: {"kind": entry.kind, "channels": entry.channels, "unit": arrays.name(entry.unit)}
            for name, entry in program.inputs.items()
        },
        "code": code,
        "params": params,
        "head": {
            "kind": head.kind,
            "channels": head.channels,
            "levels": head.levels,
            "mixtures": head.mixtures,
            "precision": head.precision,
            **tables,
        },
    }


def _encode_value(value: Value) -> list[int]:
    assert isinstance(value, Value)
    return [value.channels, int(value.phase), value.depth, value.scale, int(value.is_narrow), int(value.dtype != UINT8)]


def _encode_map(each: FeatureMap, arrays: ArrayWriter) -> dict[str, Any]:
    result: dict[str, Any] = {
        "channels": each.channels,
        "narrow": each.is_narrow,
        "signed": each.dtype != UINT8,
        "scale": each.scale,
    }
    for name in ("initial_above", "initial_left"):
        if getattr(each, name) is not None:
            result[name] = arrays.name(getattr(each, name))
    if isinstance(each, KeyValueCache):
        result |= {"num_heads": each.num_heads, "key_channels": each.key_channels}
    return result


def _encode_view(view: View, values: dict[Value, int]) -> list[int]:
    return [values.setdefault(view.value, len(values)), view.start, view.channels]


def _encode_instruction(
    i: Instruction, values: dict[Value, int], maps: dict[FeatureMap, int], arrays: ArrayWriter
) -> dict[str, Any]:
    result: dict[str, Any] = {"op": i.opcode, "in": [_encode_view(view, values) for view in i.inputs]}
    if i.output is not None:
        result["out"] = _encode_view(i.output, values)
    if i.constants:
        result["constants"] = {name: arrays.name(array) for name, array in i.constants.items()}
    if i.map is not None:
        result["map"] = maps[i.map]
    if i.taps:
        result["taps"] = [list(tap) for tap in i.taps]
    if i.key:
        result["key"] = i.key
    if i.row_parity is not None:
        result["row_parity"] = i.row_parity
    return result
