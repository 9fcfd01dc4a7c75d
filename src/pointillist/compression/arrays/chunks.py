"""Arrays of any shape as archives, and the codec of `numcodecs`, through which Zarr stores chunks.

The last two axes of an array are rows and columns, before the channels if the model has several; all others number the
images.
"""

from __future__ import annotations

import io
import math
from typing import Any, ClassVar

import numpy as np
from numcodecs import register_codec
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_contiguous_ndarray, ensure_ndarray, ndarray_copy

from pointillist.compression.archive import Archive
from pointillist.compression.arrays.values import ValueMap
from pointillist.compression.models import as_integer_model
from pointillist.compression.writer import ArchiveWriter
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, ShapeError
from pointillist.model.portable import IntegerModel


def encode_array(array: IntArray, model: IntegerModel, name: str = "", *, columns_first: bool = False) -> bytes:
    """Compress an array of integers, whose values and type the archive restores.

    ```python
    encode_array(np.zeros((4, 64, 64), np.uint16), pt.portable.load("runs/depth"))
    ```

    Args:
        array: `[..., h, w]`, or `[..., h, w, c]` for a model of several channels; one axis is a single row.
        model: the model.
        name: of the model, a hint for who decompresses.
        columns_first: True if the values come back in the order of Fortran, the first axis fastest.

    Raises:
        ShapeError: if the last axis does not hold the channels of the model.
        DataError: if the model has too few levels.
    """
    values = ValueMap.choose(array, model.levels)
    images = _as_images(values.to_levels(array), model.channels)
    file = io.BytesIO()
    with ArchiveWriter(file, model, verify=False, largest=max(images.shape[2:])) as archive:
        shape = {"shape": list(array.shape)} if columns_first else {}
        archive.add_metadata({"model": name, "values": values.to_json(), **shape})
        for levels in images if images.size else ():
            archive.add(levels)
    return file.getvalue()


def decode_array(archive: bytes, model: IntegerModel) -> IntArray:
    """Return the values of `encode_array`, in one axis.

    Raises:
        ArchiveError: if they are damaged, or of another model.
    """
    opened = Archive(archive, model)
    if opened.damage is not None:
        raise opened.damage
    if "values" not in opened.metadata:
        raise ArchiveError("The archive holds pictures, not an array with a type: read it with `pt.decompress`.")
    axes = (0, 2, 3, 1)
    images = [levels[None].transpose(axes).reshape(-1) for levels in opened]
    values = ValueMap.from_json(opened.metadata["values"]).to_values(np.concatenate([np.zeros(0, np.int64), *images]))
    shape = opened.metadata.get("shape")
    if shape is None:
        return values
    if (
        not isinstance(shape, list)
        or not all(type(n) is int and n >= 0 for n in shape)
        or math.prod(shape) != len(values)
    ):
        raise ArchiveError("The archive has no valid shape of its array: it was not written by this package.")
    return values.reshape(shape).ravel(order="F")


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


class PointillistCodec(Codec):  # type: ignore[misc]
    """Codec of `numcodecs`: chunks of an array, compressed without loss by a model.

    ```python
    from pointillist.compression.arrays.chunks import PointillistCodec

    codec = PointillistCodec("photos-grey")
    zarr.create_array(store, data=scans, chunks=(1, 512, 512), zarr_format=2, compressors=codec)
    ```

    For Zarr's format 3 see `pointillist.compression.arrays.zarr_codec`.

    Args:
        model: name or folder of a model with an integer program.
    """

    codec_id: ClassVar[str] = "pointillist"

    def __init__(self, model: str) -> None:
        self.model = model
        self._integer_model: IntegerModel | None = None

    @property
    def integer_model(self) -> IntegerModel:
        """The model, which is loaded at the first use."""
        if self._integer_model is None:
            self._integer_model = as_integer_model(self.model)
        return self._integer_model

    def encode(self, buf: Any) -> bytes:
        """Compress a chunk, whose shape says what is an image; its values come back in the order of its memory."""
        array = np.asarray(ensure_ndarray(buf))
        columns_first = array.flags.f_contiguous and not array.flags.c_contiguous
        return encode_array(array, self.integer_model, self.model, columns_first=columns_first)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the values of a chunk, in one axis, or write them to `out`."""
        values = decode_array(ensure_bytes(buf), self.integer_model)
        return values if out is None else ndarray_copy(values, ensure_contiguous_ndarray(out))

    def get_config(self) -> dict[str, Any]:
        """Return what is stored with an array."""
        return {"id": self.codec_id, "model": self.model}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PointillistCodec:
        return cls(config["model"])

    def __repr__(self) -> str:
        return f"PointillistCodec({self.model!r})"


register_codec(PointillistCodec)
