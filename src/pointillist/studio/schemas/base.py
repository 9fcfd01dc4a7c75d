"""What all messages share: no field that is not known, and arrays as base64."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pointillist.errors import DataError, ShapeError

MAX_SAFE = 2**53 - 1  # the largest integer that a browser's numbers hold exactly
MAX_SIDE = 4096

Dtype = Literal["uint8", "uint16", "float32"]


def _whole(text: str) -> str:
    """JSON can hold half of a character (a surrogate), which nothing can write or encode."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("half of a character is no text")
    return text


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(max_length=500)]
# a list: a tuple has no description that OpenAPI 3.1 allows
Pair = Annotated[list[int], Field(min_length=2, max_length=2)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Place = Annotated[int, Field(ge=0, lt=MAX_SIDE)]


class Message(BaseModel):
    """Base of every message; a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=(), allow_inf_nan=False)


class Packed(Message):
    """An array of numbers: row-major, little-endian, as base64 (RFC 4648, with padding).

    Attributes:
        dtype: `uint8`, `uint16` or `float32`.
        shape: its axes; the product times the size of a number is the number of bytes.
        data: the bytes.
    """

    dtype: Dtype
    shape: list[Annotated[int, Field(ge=0, le=MAX_SIDE * MAX_SIDE)]] = Field(max_length=4)
    data: str

    @classmethod
    def of(cls, array: np.ndarray, dtype: Dtype) -> Packed:
        """From an array, whose numbers must fit `dtype`."""
        raw = np.ascontiguousarray(array).astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        return cls(dtype=dtype, shape=list(array.shape), data=base64.b64encode(raw).decode("ascii"))

    def array(self) -> np.ndarray:
        """The array.

        Raises:
            DataError: if `data` is not base64.
            ShapeError: if it has another number of bytes than `shape` says.
        """
        kind = np.dtype(self.dtype).newbyteorder("<")
        try:
            raw = base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(f"`data` of an array is not base64 ({error}).") from error
        wanted = math.prod(self.shape) * kind.itemsize
        if len(raw) != wanted:
            raise ShapeError(
                f"`data` of an array has {len(raw)} bytes, but shape {self.shape} of {self.dtype} takes {wanted}."
            )
        found: np.ndarray = np.frombuffer(raw, kind).reshape(self.shape).astype(self.dtype)
        return found


class Told(Message):
    """What a model is told of an image; what is null is not told. A model refuses what it does not listen to.

    Attributes:
        label: number or name of a class.
        text: a prompt.
        attributes: number or name of a value, by the name of the attribute; those that are left out are not told.
        vector: as many finite numbers as `conditions.vector` says.
        hint: levels `[c h w]` of the hint's own kind (uint8 or uint16), or numbers (float32) where it has no levels.
    """

    label: int | Name | None = None
    text: Annotated[Text, Field(max_length=2000)] | None = None
    attributes: dict[Name, int | Name | None] | None = Field(None, max_length=256)
    vector: list[float] | None = Field(None, max_length=65_536)
    hint: Packed | None = None


class Fault(Message):
    """Every answer that is not a success.

    Attributes:
        error: one sentence: what, the value, the rule, the remedy.
        code: what kind of fault, for a program; see docs/studio_api.md.
        size: height and width of the picture, with code `size`.
        wanted: height and width that the model wants, with code `size`.
        resize: the ways that are offered, with code `size`.
    """

    error: str
    code: str
    size: Pair | None = None
    wanted: Pair | None = None
    resize: list[str] | None = None

    def body(self) -> dict[str, Any]:
        """As it is sent: without what is not there."""
        return self.model_dump(mode="json", exclude_none=True)
