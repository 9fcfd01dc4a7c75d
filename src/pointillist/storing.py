"""How the tensors of a model lie in its file: rounded matrices as what gives them back, recalled images compressed.

Only the file differs: what is read again is the model to the bit. Images are compressed by xz (`lzma`), which sees all
of them as one row of bytes and so finds what they have in common.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping

import torch
from torch import Tensor

from pointillist.checkpoint import Stored
from pointillist.errors import CheckpointError
from pointillist.rounding import from_int8, is_matrix, kind_of, output_axis, to_int8

RECALLED = "recall.images"
"""The one tensor that is no weight: bytes."""
_SCALE = "_scale"
_MOST_MEMORY = 1 << 27
"""Bytes that reading xz may take: its own header could ask for gigabytes."""


def compact(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a model as they are stored: those of a rounded one in int8 (with `NAME_scale`) or bf16."""
    kind = kind_of(tensors)
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name == RECALLED:
            stored[name] = _compressed(tensor)
        elif kind == "int8" and is_matrix(name, tensor.shape):
            stored[name], stored[name + _SCALE] = to_int8(tensor)
        else:
            stored[name] = tensor.bfloat16() if kind == "bf16" and is_matrix(name, tensor.shape) else tensor
    return stored


def expand(stored: Mapping[str, Tensor], promised: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of a model, to the bit, from those of `compact`.

    Args:
        promised: the shapes that the settings of the model promise.

    Raises:
        CheckpointError: if images to recall are not as many bytes as is promised.
    """
    found: dict[str, Tensor] = {}
    scales = {name + _SCALE for name, tensor in stored.items() if tensor.dtype == torch.int8}
    for name, tensor in stored.items():
        if name == RECALLED:
            found[name] = _decompressed(tensor, promised[name][0])
        elif tensor.dtype == torch.int8:
            found[name] = from_int8(tensor, stored[name + _SCALE])
        elif name not in scales:
            found[name] = tensor.float()
    return found


def expanded_shapes(
    stored: Mapping[str, Stored], promised: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The shapes that `expand` will give, before anything is read.

    Raises:
        CheckpointError: if a tensor is of a type that no weights have, or int8 without the scales that belong to it.
    """
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    for name, tensor in stored.items():
        if name == RECALLED and tensor.kind == "U8" and len(tensor.shape) == 1:
            shapes[name] = promised.get(name, tensor.shape)  # held to it when it is read
        elif tensor.kind == "I8":
            scale = stored.get(name + _SCALE)
            wanted = Stored("F32", tensor.shape[output_axis(len(tensor.shape)) :][:1])
            if not is_matrix(name, tensor.shape) or scale != wanted:
                raise CheckpointError(
                    f"The int8 weights `{name}` {tensor.shape} have the scales {scale}, and need {wanted}: "
                    "copy the whole folder again."
                )
            del shapes[name + _SCALE]
        elif tensor.kind not in ("F64", "F32", "F16", "BF16"):
            raise CheckpointError(
                f"The weights `{name}` are of type {tensor.kind}, not floating point or int8 with scales: "
                "copy the whole folder again."
            )
    return shapes


def _compressed(images: Tensor) -> Tensor:
    whole = images.cpu().numpy().tobytes()
    window = min(max(len(whole), 1 << 12), 1 << 26)
    how = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0, "dict_size": window}
    packed = lzma.compress(whole, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=[how])  # the file has its own checksum
    return torch.frombuffer(bytearray(packed), dtype=torch.uint8)


def _decompressed(packed: Tensor, size: int) -> Tensor:
    """Never more than one byte over the promised size is made of hostile bytes."""
    try:
        reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_MEMORY)
        images = reader.decompress(packed.numpy().tobytes(), size + 1)
        whole = reader.eof and len(images) == size
    except (lzma.LZMAError, EOFError):
        whole = False
    if not whole:
        raise CheckpointError(
            f"The images to recall `{RECALLED}` are not the {size:,} bytes that the settings promise: "
            "copy the whole folder again."
        )
    return torch.frombuffer(bytearray(images), dtype=torch.uint8)
