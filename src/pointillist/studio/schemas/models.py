"""Description of the studio and of each of its models."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from pointillist.distributions.kinds import LikelihoodKind
from pointillist.images import Mode
from pointillist.studio.schemas.base import DrawSettings, EncodedArray, Schema
from pointillist.studio.schemas.sampling import MAX_SAMPLES

State = Literal["waiting", "loading", "ready", "failed"]
Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=4, max_length=4)]


class ImageKind(Schema):
    """The meaning of the integers of an image.

    Attributes:
        mode: `grey`, `rgb`, `rgba`, `palette` or `codes` (integers that are not a picture).
        channels, height, width: the default size, `c h w`.
        levels: number of values of a sub-pixel, 0 to `levels - 1`.
        ordered: true if a level is a quantity, false if it is a category.
        dtype: of encoded levels: `uint8` up to 256 levels, else `uint16`.
        palette: straight-alpha RGBA colours of the levels, 0 to 255, for `palette`; for `codes` with tiles the mean
            colour of each tile; else null.
        values: the 8-bit value of each level of a channel, for `grey`, `rgb` and `rgba` only.
        min_is_white: true if level 0 is white paper and the greatest black ink; paper is transparent in PNG files.
        channel_names: names to display; empty if there is one channel.
        level_names: name of each level, for `codes` only; null if they have none.
        tiles: picture of each level, straight-alpha RGBA, uint8 `[k th tw 4]`, for `codes` of a model with a tileset;
            null if there are none. Large tiles are shrunk to at most 65,536 pixels in all.
    """

    mode: Mode
    channels: int
    height: int
    width: int
    levels: int
    ordered: bool
    dtype: Literal["uint8", "uint16"]
    palette: list[Colour] | None
    values: list[int] | None
    min_is_white: bool
    channel_names: list[str]
    level_names: list[str] | None
    tiles: EncodedArray | None


class TextKind(Schema):
    """Support for text: `encoder` names the frozen encoder, if any; `learned` is true if the model learns words."""

    encoder: str | None
    learned: bool


class HintKind(Schema):
    """The hint image that a model is conditioned on.

    Attributes:
        image: the meaning of its integers; null if the hint is float32 numbers. Height and width are for
            an image of the default size.
        channels: number of channels of the hint.
        derive: how the hint is derived from an image: `lowres:N`, `grey`, `outline`, `half:SIDE`; null if it is
            independent data.
    """

    image: ImageKind | None
    channels: int
    derive: str | None


class SupportedConditions(Schema):
    """The conditions that a model supports; empty or null for those that it does not.

    Attributes:
        labels: names of the classes, by class number.
        attributes: names of the values of each attribute.
        others: further kinds by name, each with a few words on its values.
    """

    labels: list[str]
    attributes: dict[str, list[str]]
    others: dict[str, str]
    text: TextKind | None
    hint: HintKind | None


class NamedHint(Schema):
    """A hint that shows what a model can do: a name, and levels `[c h w]`."""

    name: str
    levels: EncodedArray


class NamedPicture(Schema):
    """A picture that shows what a model can do: levels `[c h w]`, and its bytes in other formats, by name."""

    name: str
    levels: EncodedArray
    sizes: dict[str, int]


class WordChoices(Schema):
    """Words of the captions of a model by kind, and the sentence that they are put into; see `prompts.json`.

    Attributes:
        kinds: words, or phrases, by the name of their kind.
        sentence: groups in brackets, with a slot in braces for a word of a kind; empty for none.
    """

    kinds: dict[str, list[str]]
    sentence: str


class GenerationDefaults(DrawSettings):
    """Contents of a model's `generation_config.json` and `prompts.json`; without the files, the model as it is.

    Attributes:
        prompts, labels, hints, pictures: examples of what the model can do.
        recognised: names that its samples were recognised by.
        words: words of its captions by kind.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_serialization_defaults_required=True)

    prompts: list[str]
    labels: list[str]
    hints: list[NamedHint]
    pictures: list[NamedPicture]
    recognised: list[str]
    words: WordChoices


class ModelDetails(Schema):
    """Description of a model that is ready.

    Attributes:
        network: such as `gated-pixelcnn`.
        parameters: number of parameters.
        sha256: hash of weights and config together, 64 hexadecimal digits.
        image: the images that the model samples.
        fixed_size: whether the model supports its default size only.
        likelihood: name of the distribution of a level.
        mixtures: number of components of a mixture, or of a factored distribution; else 0.
        conditions: the supported conditions.
        orders: the supported generation orders, the default first; see `Order` in docs/reference/studio_api.md.
        bits_top: upper end of the colour scale for maps of entropy and surprisal, in bits per sub-pixel; the same for
            all images of a model, so that maps can be compared.
        engine: the engine that `auto` selects on this machine.
        generation: the sampling settings that suit the model, and example prompts and labels.
        endless: whether the model draws endless maps.
        redraws: whether parts of an image can be drawn again, given the rest, so that it tiles, too; on an exported
            page a model has to be trained for that.
    """

    network: str
    parameters: int
    sha256: str
    image: ImageKind
    fixed_size: bool
    likelihood: LikelihoodKind
    mixtures: int
    conditions: SupportedConditions
    orders: list[str]
    bits_top: float
    engine: str
    generation: GenerationDefaults
    endless: bool
    redraws: bool = True


class ModelInfo(Schema):
    """Loading state of a model of the studio.

    Attributes:
        id: identifier in paths; letters, digits, `-`, `_`, `.`.
        name: name to display.
        state: `waiting`, `loading`, `ready` or `failed`.
        step: the current step while loading, a few words.
        error: why loading failed, one sentence.
        details: description of the model once it is ready.
    """

    id: str
    name: str
    state: State
    step: str | None
    error: str | None
    details: ModelDetails | None


class Limits(Schema):
    """Limits that the server enforces.

    Attributes:
        body_bytes: bytes of a request, uploads included.
        upload_pixels: pixels of an uploaded picture, width times height, read from its header.
        samples: images per job.
        pixels: width times height of an image that is sampled or queried.
        numbers: numbers that a job may hold: samples x network outputs per pixel x pixels.
        queued: jobs in the queue.
        concurrent: jobs that run at the same time.
        timeout: seconds that a job may take.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_serialization_defaults_required=True)

    body_bytes: int = 16 * 2**20
    upload_pixels: int = 25_000_000
    samples: int = MAX_SAMPLES
    pixels: int = 65_536
    numbers: int = 64_000_000
    queued: int = 8
    concurrent: int = 2
    timeout: float = 300.0


LIMITS = Limits()
"""The usual limits of the studio, and of a page that it exports."""


class ServerInfo(Schema):
    """Version, limits and models of the studio.

    Attributes:
        models: in the order in which they were named.
        run: name of the training run that the studio watches, see `RunState`; null if none.
    """

    version: str
    limits: Limits
    models: list[ModelInfo]
    run: str | None
