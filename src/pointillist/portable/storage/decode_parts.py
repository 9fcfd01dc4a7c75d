"""Read the conditions of an integer model, with every type and shape checked."""

from __future__ import annotations

from pointillist.conditioning.registry import portable_encoders
from pointillist.files.arrays import ArrayReader
from pointillist.portable.conditions import IntegerPart
from pointillist.portable.storage import schema


def decode_part(part: schema.PartModel, arrays: ArrayReader) -> IntegerPart:
    """Read a part of the condition.

    Raises:
        CheckpointError: if an array is not what it must be.
    """
    shape = (None, None) if part.kind == "vector" else (None, None, None, None)
    rows = arrays.get(part.rows, "int32", shape)
    if len(rows) < max(1, len(part.names)):
        raise arrays.damaged(f"the condition `{part.name}` has too few rows")
    encoders = {key: document for key, document in (part.model_extra or {}).items() if document is not None}
    unknown = encoders.keys() - portable_encoders().keys()
    if unknown or len(encoders) > 1:
        raise arrays.damaged(f"the condition `{part.name}` has the encoders {', '.join(sorted(encoders))}")
    encoder = None
    for key, document in encoders.items():
        encoder = portable_encoders()[key].decode(document, part.kind, rows.shape[-1], arrays)
    return IntegerPart(part.name, part.kind, rows, tuple(part.names), encoder)
