"""The JSON document of an integer model, with the limits that a file of a stranger is held to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointillist.distributions.kinds import LikelihoodKind

Count = Annotated[int, Field(ge=0, le=2**24, strict=True)]
Size = Annotated[int, Field(ge=1, le=2**20, strict=True)]
Name = Annotated[str, Field(max_length=1000)]
Offset = Annotated[int, Field(ge=-4096, le=4096, strict=True)]
ViewModel = tuple[Count, Count, Size]
ValueModel = tuple[Size, Annotated[int, Field(ge=0, le=3)], Annotated[int, Field(ge=0, le=64)], Size, int, int]


class Strict(BaseModel):
    """Base class: no other fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MapModel(Strict):
    """A feature map, or a KV cache."""

    channels: Size
    narrow: bool
    signed: bool
    scale: Size
    initial_above: Name | None = None
    initial_left: Name | None = None
    num_heads: Size | None = None
    key_channels: Size | None = None


class InstructionModel(Strict):
    """An instruction; `out` and `in` are views: number of the value, first channel, channels."""

    op: Name
    inputs: list[ViewModel] = Field(alias="in", max_length=8)
    out: ViewModel | None = None
    constants: dict[str, Name] = Field({}, max_length=16)
    map: Count | None = None
    taps: list[tuple[Offset, Offset]] = Field([], max_length=2**14)
    key: Name = ""
    row_parity: Literal[0, 1] | None = None


class InputModel(Strict):
    """A condition."""

    kind: Literal["vector", "map"]
    channels: Size
    unit: Name


class HeadModel(Strict):
    """The distribution. With a least log-scale, its tables are the standard ones."""

    kind: LikelihoodKind
    channels: Annotated[int, Field(ge=1, le=1024)]
    levels: Annotated[int, Field(ge=2, le=65_536)]
    mixtures: Annotated[int, Field(ge=0, le=1024)]
    precision: Annotated[int, Field(ge=8, le=24)]
    tables: dict[str, Name] = Field(max_length=16)
    min_log_scale: Annotated[int, Field(ge=-16, le=0)] | None = None


class StoredProgram(Strict):
    """A program; of a grid, it has no head."""

    num_sub_steps: Annotated[int, Field(ge=1, le=1024)]
    canvas_width: Size
    canvas_values: Name | None
    s_curve: bool
    values: list[ValueModel] = Field(max_length=2**17)
    maps: list[MapModel] = Field(max_length=2**14)
    inputs: dict[Name, InputModel] = Field(max_length=1024)
    code: tuple[list[InstructionModel], list[InstructionModel], list[InstructionModel], list[InstructionModel]]
    params: ViewModel
    head: HeadModel | None


class PartModel(BaseModel):
    """A part of the condition; an encoder that computes its features stands under the key of its class."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", frozen=True, defer_build=True)

    name: Name
    kind: Literal["vector", "map", "tokens"]
    rows: Name
    names: list[Name] = Field(max_length=2**20)
    program: StoredProgram | None = None


class ImageModel(Strict):
    """The images."""

    channels: Size
    height: Size
    width: Size
    levels: Annotated[int, Field(ge=2, le=65_536)]


class IntegerDocument(Strict):
    """An integer model."""

    image: ImageModel
    fixed_size: bool
    source: Name
    orders: dict[Name, Count] = Field(min_length=1, max_length=64)
    parts: list[list[PartModel]] = Field(max_length=1024)
    programs: list[StoredProgram] = Field(min_length=1, max_length=1024)
