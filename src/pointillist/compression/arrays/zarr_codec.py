"""Codec of Zarr's format 3: chunks of an array, compressed without loss by a model.

```python
from pointillist.compression.arrays.zarr_codec import Pointillist

zarr.create_array(store, data=scans, chunks=(1, 512, 512), compressors=Pointillist("photos-grey"))
```
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from zarr.abc.codec import BytesBytesCodec
from zarr.registry import register_codec

from pointillist.compression.arrays.chunks import decode_array, encode_array
from pointillist.compression.models import as_integer_model
from pointillist.errors import ArchiveError, ConfigError
from pointillist.model.portable import IntegerModel


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
    def integer_model(self) -> IntegerModel:
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
