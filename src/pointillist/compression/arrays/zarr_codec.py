"""Codec of Zarr's format 3: chunks of an array of any shape, compressed without loss by a model.

The last two axes of an array are rows and columns, before the channels if the model has several; all others number the
images.

```python
from pointillist.compression.arrays.zarr_codec import Pointillist

zarr.create_array(store, data=scans, chunks=(1, 512, 512), compressors=Pointillist("photos-grey"))
```
"""

from __future__ import annotations

import asyncio
import io
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from zarr.abc.codec import BytesBytesCodec
from zarr.registry import register_codec

from pointillist.compression.about import About, ValueMap
from pointillist.compression.archive import Archive
from pointillist.compression.models import as_integer_model
from pointillist.compression.writer import ArchiveWriter
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, ConfigError, ShapeError
from pointillist.model.portable import ProgramModel


def encode_array(array: IntArray, model: ProgramModel, name: str = "") -> bytes:
    """Compress an array of integers, whose values and type the archive restores.

    ```python
    encode_array(np.zeros((4, 64, 64), np.uint16), pt.portable.load("runs/depth"))
    ```

    Args:
        array: `[..., h, w]`, or `[..., h, w, c]` for a model of several channels; one axis is a single row.
        model: the model.
        name: of the model, a hint for who decompresses.

    Raises:
        ShapeError: if the last axis does not hold the channels of the model.
        DataError: if the model has too few levels.
    """
    values = ValueMap.choose(array, model.image.levels)
    images = _as_images(values.to_levels(array), model.image.channels)
    file = io.BytesIO()
    with ArchiveWriter(file, model, verify=False, largest=max(images.shape[2:])) as archive:
        archive.add_metadata(About(name, values=values).to_json())
        for levels in images if images.size else ():
            archive.add(levels)
    return file.getvalue()


def decode_array(archive: bytes, model: ProgramModel) -> IntArray:
    """Return the values of `encode_array`, in one axis.

    Raises:
        ArchiveError: if they are damaged, or of another model.
    """
    opened = Archive(archive, model)
    if opened.damage is not None:
        raise opened.damage
    values = opened.about.values
    if values is None:
        raise ArchiveError("The archive holds pictures, not an array with a type: read it with `pt.decompress`.")
    axes = (0, 2, 3, 1)
    images = [levels[None].transpose(axes).reshape(-1) for levels in opened]
    return values.to_values(np.concatenate([np.zeros(0, np.int64), *images]))


def _as_images(levels: IntArray, channels: int) -> IntArray:
    """Return levels as images `[n, c, h, w]`."""
    if channels == 1:
        levels = levels[..., None]
    if levels.shape[-1:] != (channels,):
        raise ShapeError(
            f"An array of shape {levels.shape} must end with the {channels} channels of the model: choose another "
            "model."
        )
    shape = (1, 1, 1, *levels.shape)[-4:] if levels.ndim < 4 else (math.prod(levels.shape[:-3]), *levels.shape[-3:])
    return levels.reshape(shape).transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class Pointillist(BytesBytesCodec):
    """Codec of chunks in Zarr's format 3, right behind the codec of bytes, which is little-endian.

    Args:
        model: name or folder of a model with an integer program.
    """

    model: str
    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Pointillist:
        """Return the codec of an array.

        Raises:
            ConfigError: if its settings are not known.
        """
        settings = data.get("configuration") or {}
        if data.get("name") != "pointillist" or set(settings) != {"model"}:
            raise ConfigError(f"The codec {data.get('name')!r} with {sorted(settings)} is not known: give a `model`.")
        return cls(settings["model"])

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored with an array."""
        return {"name": "pointillist", "configuration": {"model": self.model}}

    @cached_property
    def integer_model(self) -> ProgramModel:
        """The model, which is loaded at the first use."""
        return as_integer_model(self.model)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Say that no size is known beforehand."""
        raise NotImplementedError

    async def _encode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        dtype = chunk_spec.dtype.to_native_dtype().newbyteorder("<")
        array = np.frombuffer(chunk_bytes.to_bytes(), dtype).reshape(chunk_spec.shape)
        coded = await asyncio.to_thread(encode_array, array, self.integer_model, self.model)
        return chunk_spec.prototype.buffer.from_bytes(coded)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        values = await asyncio.to_thread(decode_array, chunk_bytes.to_bytes(), self.integer_model)
        dtype, count = chunk_spec.dtype.to_native_dtype().newbyteorder("<"), math.prod(chunk_spec.shape)
        if values.dtype != dtype or len(values) != count:
            raise ArchiveError(
                f"The chunk holds {len(values):,} values of type {values.dtype}, not {count:,} of type {dtype} as the "
                "array says: it is of another array."
            )
        return chunk_spec.prototype.buffer.from_bytes(values.tobytes())


register_codec("pointillist", Pointillist)
