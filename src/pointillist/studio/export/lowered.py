"""A program as the library in C reads it, for a page that has the arrays of the program already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pointillist.engine.c.blob import TYPES, constants_of, pack
from pointillist.engine.c.lower import gathers_of_products, lower, rows_together
from pointillist.engine.program import Program

_NAMES = {number: f"{'U' if dtype.kind == 'u' else 'I'}{8 * dtype.itemsize}" for dtype, number in TYPES.items()}
_LEAST = 64
"""Bytes of an array below which it stays where it is."""


@dataclass(frozen=True)
class PackedProgram:
    """The bytes of a program without its large arrays, and where each of them belongs.

    Attributes:
        data: the bytes, with zeros in place of these arrays.
        arrays: offset, name, type and rank of each, and `rows`: the inputs of a packed matrix that are read
            together; none for an array that is stored as it is.
    """

    data: bytes
    arrays: list[dict[str, Any]]

    @classmethod
    def of(cls, program: Program, document: Any) -> PackedProgram:
        """Lower a program; `document` is its entry of `program.json`, which names the arrays.

        Raises:
            EngineError: if the library in C cannot run it.
        """
        data, arrays = bytearray(lower(program).tobytes()), []
        offsets = constants_of(bytes(data))
        written, gathers = [i for part in document["code"] for i in part], gathers_of_products(program)
        for i, stored in zip((i for _, part in program.parts() for i in part), written, strict=True):
            for name, array in i.constants.items():
                packed = name == "matrix" and i.opcode in ("LINEAR", "SCAN")
                rows = rows_together(i, gathers) if packed else []
                content = (pack(array, rows) if packed else array).tobytes()
                offset = offsets.pop(content, None) if len(content) >= _LEAST else None
                if offset is not None:
                    data[offset : offset + len(content)] = bytes(len(content))
                    kind = {"dtype": _NAMES[TYPES[array.dtype]], "rank": array.ndim}
                    arrays.append({"offset": offset, "tensor": stored["constants"][name], **kind, "rows": rows})
        return cls(bytes(data), arrays)
