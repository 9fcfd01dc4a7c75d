"""Shared parts of all schemas: strict validation, arrays as base64, condition values and errors."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from pointillist.errors import DataError, ShapeError
from pointillist.files.reading import MAX_NAME, MAX_TEXT
from pointillist.sampling.config import SamplingConfig

MAX_SAFE = 2**53 - 1  # the largest integer that a browser's numbers hold exactly
MAX_SIDE = 4096

Dtype = Literal["uint8", "uint16", "float32"]


def reject_surrogates(text: str) -> str:
    """Reject half of a character (a surrogate): JSON can hold it, but nothing can write or encode it."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("half of a character is not text")
    return text


Text = Annotated[str, AfterValidator(reject_surrogates)]
Name = Annotated[Text, Field(max_length=MAX_NAME)]
# a list: a tuple has no description that OpenAPI 3.1 allows
Pair = Annotated[list[int], Field(min_length=2, max_length=2)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Index = Annotated[int, Field(ge=0, lt=MAX_SIDE)]


class Schema(BaseModel):
    """Base class of all schemas; unknown fields are rejected."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), allow_inf_nan=False
    )


def setting(name: str, **bounds: float) -> Any:
    """Declare a field of a message by the one of `SamplingConfig`, with its default, its bounds and narrower ones.

    Example:
        top_p: float = setting("top_p")
    """
    declared = SamplingConfig.__dataclass_fields__[name]
    limits = getattr(declared.metadata.get("rule"), "bounds", {})
    return Field(declared.default, **{**limits, **bounds})


class EncodedArray(Schema):
    """An array of numbers: row-major, little-endian, as base64 (RFC 4648, with padding).

    Attributes:
        dtype: `uint8`, `uint16` or `float32`.
        shape: the axes; their product times the size of a number is the number of bytes.
        data: the bytes.
    """

    dtype: Dtype
    shape: list[Annotated[int, Field(ge=0, le=MAX_SIDE * MAX_SIDE)]] = Field(max_length=4)
    data: str

    @classmethod
    def of(cls, array: np.ndarray, dtype: Dtype) -> EncodedArray:
        """Encode an array, whose numbers must fit `dtype`."""
        raw = np.ascontiguousarray(array).astype(np.dtype(dtype).newbyteorder("<")).tobytes()
        return cls(dtype=dtype, shape=list(array.shape), data=base64.b64encode(raw).decode("ascii"))

    def array(self) -> np.ndarray:
        """Decode the array.

        Raises:
            DataError: if `data` is not base64.
            ShapeError: if the number of bytes does not match `shape`.
        """
        kind = np.dtype(self.dtype).newbyteorder("<")
        try:
            raw = base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(f"`data` of an array is not base64 ({error}).") from error
        expected = math.prod(self.shape) * kind.itemsize
        if len(raw) != expected:
            raise ShapeError(
                f"`data` of an array has {len(raw)} bytes, but shape {self.shape} of {self.dtype} takes {expected}."
            )
        return np.frombuffer(raw, kind).reshape(self.shape).astype(self.dtype)


class ConditionValues(Schema):
    """The conditions of one image; null means unconditional. A model rejects conditions that it does not support.

    Attributes:
        label: number or name of a class.
        text: a prompt.
        letters: whether the prompt is read by its letters alone, without a frozen encoder: as an exported page reads a
            prompt that it does not hold.
        attributes: number or name of a value, by the name of the attribute; attributes left out are unconditional.
        others: values of further kinds by name, such as a list of numbers for `vector`; see `SupportedConditions`.
        hint: levels `[c h w]` of the hint's own kind (uint8 or uint16), or float32 numbers if the hint has no levels.
    """

    label: int | Name | None = None
    text: Annotated[Text, Field(max_length=MAX_TEXT)] | None = None
    letters: bool = False
    attributes: dict[Name, int | Name | None] | None = Field(None, max_length=256)
    others: dict[Name, JsonValue] = Field({}, max_length=64)
    hint: EncodedArray | None = None


class DrawSettings(Schema):
    """Changes of the distributions that are drawn from.

    Attributes:
        guidance: 0 or more: 0 is unconditional, 1 is the model, above strengthens the conditions.
        temperature: 0 or more: 0 takes the most likely level, 1 is the model.
        top_p: above 0, at most 1: keep the most likely levels up to this total probability; 1 keeps all.
    """

    guidance: float = setting("guidance")
    temperature: float = setting("temperature")
    top_p: float = setting("top_p")


class ErrorResponse(Schema):
    """The body of every response with a status of 400 or above.

    Attributes:
        error: one sentence: name, value, rule, remedy.
        code: the kind of error, for programs; see docs/reference/studio_api.md.
        size: height and width of the picture, with code `size`.
        expected_size: height and width that the model expects, with code `size`.
        resize: the available resize methods, with code `size`.
    """

    error: str
    code: str
    size: Pair | None = None
    expected_size: Pair | None = None
    resize: list[str] | None = None

    def body(self) -> dict[str, Any]:
        """Convert to JSON values, without the fields that are null."""
        return self.model_dump(mode="json", exclude_none=True)
