"""A painting: what is asked for, and the events of its stream."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pointillist.errors import ConfigError
from pointillist.studio.messages.base import MAX_SAFE, Message, Name, Packed, Side, Told

MAX_CANVASES = 16

Seed = Annotated[int, Field(ge=0, le=MAX_SAFE)]
Engine = Literal["auto", "cpu", "cuda", "cuda-jacobi", "step"]


class Start(Message):
    """An image to go on from, the same for all canvases.

    Attributes:
        levels: `[c h w]`; read where it is known.
        known: which pixels are kept, uint8 `[h w]`, 0 or 1. At least one must be 0.
    """

    levels: Packed
    known: Packed


class Canvas(Message):
    """One image of a painting.

    Attributes:
        seed: null for one that the server takes. The same seed and index draw with the same uniforms, place by place,
            whatever the model (of images of that shape), the settings and the condition.
        index: which image of that seed: canvas `index` is image `index` of `pointillist sample --seed`.
        told: what the model is told.
    """

    seed: Seed | None = None
    index: Annotated[int, Field(ge=0, le=MAX_SAFE)] = 0
    told: Told = Told()


class PaintRequest(Message):
    """What is to be painted.

    Attributes:
        canvases: 1 to 16 images, painted together.
        guidance: 0 or more: 0 ignores the condition, 1 is the model, above stresses it.
        temperature: 0 or more: 0 takes the likeliest level, 1 is the model.
        top_p: above 0, at most 1: the likeliest levels up to this probability are kept; 1 keeps all.
        order: one of the model's; null for the usual one.
        size: height and width; null for the usual size, or that of `start`.
        start: an image to go on from; null for an empty canvas.
        engine: `auto` but for experiments.
        distributions: whether the stream also carries the distribution of every sub-pixel.
    """

    canvases: list[Canvas] = Field(min_length=1, max_length=MAX_CANVASES)
    guidance: float = Field(1.0, ge=0, le=1000)
    temperature: float = Field(1.0, ge=0, le=1000)
    top_p: float = Field(1.0, gt=0, le=1)
    order: Name | None = None
    size: list[Side] | None = Field(None, min_length=2, max_length=2)
    start: Start | None = None
    engine: Engine = "auto"
    distributions: bool = False

    @model_validator(mode="after")
    def _one_size(self) -> PaintRequest:
        if self.size is not None and self.start is not None and self.start.levels.shape[1:] != self.size:
            raise ConfigError("`size` must be left out, or be the size of `start`.")
        return self


class Queued(Message):
    """The first event: at once. `painting` is the name under which it can be stopped; `ahead` how many go before."""

    type: Literal["queued"] = "queued"
    painting: str
    ahead: int


class Started(Message):
    """The second event: the work begins.

    Attributes:
        engine, order: those that were taken.
        height, width: of the images.
        seeds: of each canvas.
        sequence: the pixels that will be painted, in that order: `row * width + column`. Known ones are not in it.
    """

    type: Literal["started"] = "started"
    engine: str
    order: str
    height: int
    width: int
    seeds: list[int]
    sequence: list[int]


class Pixels(Message):
    """Pixels of all canvases, one after the other in `Started.sequence`, from its place `first` on.

    Attributes:
        first: place in the sequence; always the number of pixels sent before.
        count: how many pixels, at least 1; `n` in the shapes below.
        levels: what was drawn, `[canvases n c]`.
        entropy: the surprise that the model expected at each sub-pixel, in bits, float32 `[canvases n c]`.
        surprise: of what was drawn, in bits, float32 `[canvases n c]`.
        probs: with `distributions`, of every level, uint16 `[canvases n c * levels]`: 65,535 times the probability,
            rounded. Channel by channel, each given the channels of the pixel before it.

    All three are the model's own: told what the canvas is told, at guidance 1, temperature 1 and top-p 1.
    """

    type: Literal["pixels"] = "pixels"
    first: int
    count: int
    levels: Packed
    entropy: Packed
    surprise: Packed
    probs: Packed | None = None


class Painted(Message):
    """A finished image.

    Attributes:
        levels: `[c h w]`.
        bits: of the whole image, known pixels included, under the model at guidance 1; `bits_per_dim` a sub-pixel.
        sha256: of the bytes of `levels` as they are sent, 64 hexadecimal digits.
    """

    levels: Packed
    bits: float
    bits_per_dim: float
    sha256: str


class PaintingModel(Message):
    """The model of a recipe: its name for people, and the hash of weights and settings."""

    name: Name
    sha256: Name


class Machine(Message):
    """Where a recipe was painted, as far as bits may depend on it."""

    processor: Name
    pointillist: Name
    torch: Name
    numpy: Name


class Recipe(Message):
    """Everything that a painting depends on, and what came out. Send it, or keep it in a file as it is.

    Attributes:
        format, version: of this kind of file.
        model: that painted it.
        machine: on which.
        request: what was asked for, with every seed, order, size and engine filled in.
        sha256: of each image; see `Painted.sha256`.
    """

    format: Literal["pointillist-recipe"] = "pointillist-recipe"
    version: Literal[1] = 1
    model: PaintingModel
    machine: Machine
    request: PaintRequest
    sha256: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(min_length=1, max_length=MAX_CANVASES)


class Finished(Message):
    """The last event of a painting that succeeded: seconds since `started`, the images, and how to paint them again."""

    type: Literal["finished"] = "finished"
    seconds: float
    images: list[Painted]
    recipe: Recipe


class Failed(Message):
    """The last event of one that did not: a sentence, and `stopped`, `time`, `changed` or `internal`."""

    type: Literal["failed"] = "failed"
    error: str
    code: str


Event = Annotated[Queued | Started | Pixels | Finished | Failed, Field(discriminator="type")]
