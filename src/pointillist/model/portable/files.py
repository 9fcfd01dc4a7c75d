"""Write integer models as JSON and arrays, and read them: `program.json` and `program.safetensors` in a model folder.

`program.json` names the weights in the folder by their checksum, and a program next to other weights is rejected. The
two files alone are an integer model, too: without weights nothing is compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.engine.head.tables import min_log_scale_of
from pointillist.engine.program import UINT8, FeatureMap, Instruction, KeyValueCache, Program, Value, View
from pointillist.errors import CheckpointError
from pointillist.files.arrays import (
    PROGRAM,
    PROGRAM_TENSORS,
    WEIGHTS,
    ArrayReader,
    ArrayWriter,
    open_weights,
    weights_checksum,
)
from pointillist.files.reading import read_document, read_json
from pointillist.files.writing import atomic_path
from pointillist.model.portable.conditions import IntegerPart
from pointillist.model.portable.decode import decode_model
from pointillist.model.portable.model import ProgramModel

LOCAL_GAIN = ("PREDICT", "NORMALISE", "PLACE")
"""Opcodes of version 2."""


def has_local_gain(program: Program) -> bool:
    """Check whether a program has the opcodes and the tables of version 2 of the format."""
    return any(i.opcode in LOCAL_GAIN for _, part in program.parts() for i in part)


ENCODERS_OF_3 = ("attributes", "vectors", "tokens")
"""Keys of encoders of version 3."""


def version_of(model: ProgramModel) -> int:
    """Return the least version of the format that can hold a model."""
    grids = [part for parts in model.parts for part in parts if part.program is not None]
    if grids:
        return 7 if any(part.has_marginals for part in grids) else 6
    if any(not program.head.has_table and program.head.kind == "mixture" for program in model.programs):
        return 5
    encoders = [part.encoder for parts in model.parts for part in parts if part.encoder is not None]
    opcodes = {i.opcode for program in model.programs for _, part in program.parts() for i in part}
    version = max(LIKELIHOODS[program.head.kind].format_version for program in model.programs)
    if any(encoder.key in ENCODERS_OF_3 for encoder in encoders) or "CROSS_ATTEND" in opcodes:
        version = 3
    return max(version, 2) if any(has_local_gain(program) for program in model.programs) else version


def encode_model(model: ProgramModel, arrays: ArrayWriter) -> dict[str, Any]:
    """Return the JSON values of a model; its arrays are added to `arrays`."""
    return {
        "image": {name: getattr(model.image, name) for name in ("channels", "height", "width", "levels")},
        "fixed_size": model.fixed_size,
        "source": model.source,
        "orders": dict(model.program_numbers),
        "parts": [[_encode_part(part, arrays) for part in parts] for parts in model.parts],
        "programs": [encode_program(program, arrays) for program in model.programs],
    }


def _encode_part(part: IntegerPart, arrays: ArrayWriter) -> dict[str, Any]:
    rows = arrays.name(part.rows)
    result: dict[str, Any] = {"name": part.name, "kind": part.kind, "rows": rows, "names": list(part.names)}
    if part.encoder is not None:
        result[part.encoder.key] = part.encoder.encode(arrays)
    if part.program is not None:
        result["program"] = encode_program(part.program, arrays)
    return result


def encode_program(program: Program, arrays: ArrayWriter) -> dict[str, Any]:
    """Return the JSON values of a program: values and maps are numbers in its lists."""
    values: dict[Value, int] = {}
    maps = {each: index for index, each in enumerate([*program.maps, *program.kv_caches])}
    code = [[_encode_instruction(i, values, maps, arrays) for i in part] for _, part in program.parts()]
    params = _encode_view(program.params, values)
    writes_values = program.canvas.is_narrow and not program.is_grid
    return {
        "num_sub_steps": program.num_sub_steps,
        "canvas_width": program.canvas_width,
        "canvas_values": arrays.name(program.canvas_values) if writes_values else None,
        "s_curve": program.s_curve,
        "values": [_encode_value(value) for value in values],
        "maps": [_encode_map(each, arrays) for each in maps],
        "inputs": {
            name: {"kind": entry.kind, "channels": entry.channels, "unit": arrays.name(entry.unit)}
            for name, entry in program.inputs.items()
        },
        "code": code,
        "params": params,
        "head": None if program.is_grid else _encode_head(program, arrays),
    }


def _encode_head(program: Program, arrays: ArrayWriter) -> dict[str, object]:
    head = program.head
    fields = {name: getattr(head, name) for name in ("kind", "channels", "levels", "mixtures", "precision")}
    if has_local_gain(program):  # the tables are those that every reader computes
        return {**fields, "tables": {}, "min_log_scale": min_log_scale_of(head.tables["inverse"])}
    return {**fields, "tables": {name: arrays.name(table) for name, table in head.tables.items()}}


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


FORMAT, VERSIONS = "pointillist-program", (1, 2, 3, 5, 6, 7)
"""Version 4 had several stages."""
MAX_BYTES = 64 * 2**20
"""Largest size of the JSON file."""


def has_program(folder: Path) -> bool:
    """Return True if a model folder holds an integer model.

    Raises:
        CheckpointError: if it holds half of one: other pixels would be painted for a seed.
    """
    there = [name for name in (PROGRAM, PROGRAM_TENSORS) if (folder / name).is_file()]
    if len(there) == 1:
        raise CheckpointError(f"{folder} has {there[0]} without the rest of its program: copy the whole folder again.")
    return bool(there)


def program_files(folder: Path) -> tuple[bytes, bytes]:
    """Return the JSON text and the arrays of the integer program of a model folder.

    Raises:
        CheckpointError: if it holds none.
    """
    paths = folder / PROGRAM, folder / PROGRAM_TENSORS
    if not all(path.is_file() for path in paths):
        raise CheckpointError(
            f"{folder} has no integer program, which an export runs: make one with `pointillist quantize`."
        )
    return paths[0].read_bytes(), paths[1].read_bytes()


def remove_program(folder: Path) -> None:
    """Delete the integer model of a folder, if it holds one."""
    for name in (PROGRAM, PROGRAM_TENSORS):
        (folder / name).unlink(missing_ok=True)


def save_integer_model(model: ProgramModel, folder: str | Path) -> ProgramModel:
    """Write an integer model to a folder; each file appears whole or not at all.

    Weights that are in the folder must be those that the integer model was made from: `program.json` names them.

    Returns:
        The model with its fingerprint.
    """
    folder = Path(folder)
    arrays = ArrayWriter()
    document = encode_model(model, arrays)
    fingerprint = fingerprint_of(document, arrays.arrays)
    head = {
        "format": FORMAT,
        "format_version": version_of(model),
        "fingerprint": fingerprint,
        "weights": weights_checksum(folder),
    }
    text = json.dumps(head | document, separators=(",", ":"))
    with atomic_path(folder / PROGRAM_TENSORS) as temporary:
        temporary.write_bytes(save(arrays.arrays))
    with atomic_path(folder / PROGRAM) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return replace(model, fingerprint=fingerprint)


def load_integer_model(folder: str | Path) -> ProgramModel:
    """Load the integer model of a model folder, without torch.

    Raises:
        CheckpointError: if there is none, it is damaged or of another version, or the weights next to it are not those
            that it was made from.
        EngineError: if a sum of it could overflow.

    Example:
        integer_model = load_integer_model("my-model")
        integer_model.fingerprint
    """
    folder = Path(folder)
    if not has_program(folder):
        raise CheckpointError(
            f"{folder} holds no integer program ({PROGRAM}, {PROGRAM_TENSORS}): make it with `pointillist quantize "
            "MODEL DATA --out DIR`."
        )
    document, path = _read_document(folder), folder / PROGRAM
    fingerprint, checksum, version = (document.pop(key, None) for key in ("fingerprint", "weights", "format_version"))
    with open_weights(folder / PROGRAM_TENSORS) as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        result = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (not a dict)
    if fingerprint != fingerprint_of(document, result):
        raise CheckpointError(
            f"{path} and {PROGRAM_TENSORS} are damaged (their fingerprint is wrong): copy them again."
        )
    _compare_weights(folder, checksum)
    model = decode_model(document, ArrayReader(result, str(path)), str(fingerprint))
    if version != version_of(model):
        raise CheckpointError(f"{path} is damaged (its format version is not {version_of(model)}): copy it again.")
    return model


def check_program(folder: Path) -> None:
    """Reject a model folder whose program was made from other weights; one without a program passes.

    Raises:
        CheckpointError: naming both files.
    """
    if has_program(folder):
        _compare_weights(folder, _read_document(folder).get("weights"))


def _compare_weights(folder: Path, checksum: Any) -> None:
    weights = weights_checksum(folder)
    if weights is not None and weights != checksum:
        raise CheckpointError(
            f"{folder / PROGRAM} was made from other weights than those in {folder / WEIGHTS}: copy the whole folder "
            f"again, or delete {PROGRAM} and make it again with `pointillist quantize MODEL DATA --out DIR`."
        )


def _read_document(folder: Path) -> dict[str, Any]:
    return read_document(folder / PROGRAM, "an integer program", FORMAT, VERSIONS, MAX_BYTES)


def with_fingerprint(model: ProgramModel) -> ProgramModel:
    """Return a model with its fingerprint, as if it had been stored."""
    arrays = ArrayWriter()
    return replace(model, fingerprint=fingerprint_of(encode_model(model, arrays), arrays.arrays))


def stored_fingerprint(folder: Path) -> str | None:
    """Read the fingerprint of the integer model of a folder, which is not checked; None if there is none."""
    path = folder / PROGRAM
    if not has_program(folder) or path.stat().st_size > MAX_BYTES:
        return None
    document = read_json(path, "copy or make it again", CheckpointError)
    result = document.get("fingerprint")
    return result if isinstance(result, str) else None


def fingerprint_of(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Compute the SHA-256 of a program: of its JSON values and of the bytes of its arrays."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
