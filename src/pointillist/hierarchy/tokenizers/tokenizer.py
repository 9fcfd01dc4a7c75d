"""The tokenizer: a convolutional encoder from a grid of integers to a smaller grid of codes, and a decoder back.

The decoder is deterministic: it makes one picture of the codes, and has no likelihood.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from pointillist.errors import CheckpointError, ConfigError, ShapeError, counted, format_validation_error
from pointillist.files.checkpoint.header import CONFIG, read_config
from pointillist.files.checkpoint.tensors import write_folder
from pointillist.files.settings_tree import StrictNumbers
from pointillist.hierarchy.tokenizers.fsq import FSQ, CodeVectors, OrderedLevels, Signal, UnorderedLevels
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float, Int
from pointillist.model.folder.files import read_weights

MAX_UNORDERED = 4096
"""Most levels of an unordered image: the decoder has a logit for each."""


class TokenizerSettings(StrictNumbers):
    """Settings of a tokenizer: `[tokenizer]`.

    Attributes:
        levels: Values of each number of a code; their product is the number of codes.
        downsample: Pixels of the side of a code, a power of two.
        channels: Features of a layer on the grid of codes; half as many on a grid of twice the side.
        layers: Residual layers on the grid of codes, in the encoder and in the decoder.
        level_channels: Features of the embedding of an unordered level.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    levels: tuple[Annotated[int, Field(ge=2, le=65_536)], ...] = Field((8, 5, 5, 5), min_length=1, max_length=16)
    downsample: int = Field(4, ge=2, le=64)
    channels: int = Field(64, ge=1, le=4096)
    layers: int = Field(2, ge=0, le=256)
    level_channels: int = Field(16, ge=1, le=1024)

    @model_validator(mode="after")
    def _check(self) -> TokenizerSettings:
        FSQ(self.levels)
        if self.downsample & (self.downsample - 1):
            raise ConfigError(f"`downsample` (={self.downsample}) must be a power of two: 2, 4, 8, 16, 32 or 64.")
        return self


class TokenizerConfig(TokenizerSettings):
    """Everything needed to build a tokenizer again.

    Attributes:
        image: grid that it encodes.
        finer_levels: FSQ levels of that grid, where it holds codes; None for an image.
    """

    image: ImageSpec
    finer_levels: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> TokenizerConfig:
        image, side = self.image, self.downsample
        if image.height % side or image.width % side or min(image.height, image.width) < side:
            raise ConfigError(
                f"`size` (={image.height}x{image.width}) must be a multiple of the {side} pixels that a code covers: "
                f"try {max(1, image.height // side) * side}x{max(1, image.width // side) * side}."
            )
        if max(image.height, image.width) > 65_536 or image.channels > 64:
            raise ConfigError(f"`image` (={image}) of a tokenizer must have at most 65,536 pixels a side, 64 channels.")
        if not image.ordered and self.finer_levels is None and image.levels > MAX_UNORDERED:
            raise ConfigError(
                f"`levels` (={image.levels:,}) of unordered images must be at most {MAX_UNORDERED:,} for a tokenizer: "
                "bring codes of your own, or use fewer levels."
            )
        if self.finer_levels is not None and FSQ(self.finer_levels).size != image.levels:
            raise ConfigError(f"`finer_levels` (={list(self.finer_levels)}) must make the {image.levels:,} codes.")
        return self

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TokenizerConfig:
        """Parse a dictionary as `model_dump(mode="json")` makes it.

        Raises:
            ConfigError: naming the first setting that is wrong.
        """
        try:
            return cls(**data)
        except (ValidationError, TypeError) as error:
            if isinstance(error, TypeError):
                raise ConfigError(f"The settings of a tokenizer are not valid ({error}): copy them again.") from error
            raise ConfigError(format_validation_error(error, "a setting of a tokenizer")) from error


class Residual(nn.Module):
    """x + W silu(3x3 convolution of silu(x)); at first the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv: nn.Conv2d = nn.Conv2d(channels, channels, 3, padding=1)
        self.out: nn.Conv2d = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Add the layer to its input."""
        result: Tensor = x + self.out(F.silu(self.conv(F.silu(x))))
        return result


class Tokenizer(nn.Module):
    """An encoder to codes, by finite scalar quantisation, and a deterministic decoder.

    Codes are computed in float64: they depend neither on the batch size nor on the number of threads, but for
    differences in the sixteenth digit.

    ```python
    tokenizer = Tokenizer(TokenizerConfig(image=pt.ImageSpec.infer((3, 64, 64)), downsample=4))
    tokenizer.encode(x).shape  # (n, 1, 16, 16)
    ```

    Attributes:
        config: its settings.
        fsq: numbers and vectors of its codes.
        codes: meaning of the integers of its grids.
    """

    config: TokenizerConfig
    fsq: FSQ

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config, self.fsq = config, FSQ(config.levels)
        image, side = config.image, config.downsample
        self.codes: ImageSpec = ImageSpec(
            channels=1, height=image.height // side, width=image.width // side, levels=self.fsq.size, ordered=False
        )
        self.signal: Signal = _signal(config)
        # features from the finest grid, of half the side of the image, to the grid of the codes
        steps = range(side.bit_length() - 2, -1, -1)
        widths = [max(min(16, config.channels), config.channels >> step) for step in steps]
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(4 * self.signal.channels, widths[0], 3, padding=1)]
        for width, coarser in pairwise(widths):
            layers += [Residual(width), nn.Conv2d(width, coarser, 4, stride=2, padding=1)]
        layers += [*_residuals(config), nn.SiLU(), nn.Conv2d(config.channels, len(config.levels), 1)]
        self.encoder: nn.Sequential = nn.Sequential(*layers)
        layers = [nn.Conv2d(len(config.levels), config.channels, 3, padding=1), *_residuals(config)]
        for width, finer in pairwise(widths[::-1]):
            layers += [nn.Conv2d(width, 4 * finer, 1), nn.PixelShuffle(2), Residual(finer)]
        layers += [nn.SiLU(), nn.Conv2d(widths[0], 4 * self.signal.outputs, 3, padding=1), nn.PixelShuffle(2)]
        self.decoder: nn.Sequential = nn.Sequential(*layers)

    def __repr__(self) -> str:
        return f"Tokenizer({self.config.image} -> {self.codes}, {self.num_parameters():,} parameters)"

    def num_parameters(self) -> int:
        """Return the number of weights."""
        return sum(p.numel() for p in self.parameters())

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def forward(self, x: Int[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """Loss of the reconstruction: the training step."""
        z = self.encoder(self.signal(x).to(next(self.encoder.parameters()).dtype))
        vectors = self.fsq.quantize(z if z.dtype == torch.float64 else z.float())
        y = self.decoder(vectors)
        return self.signal.loss(y if y.dtype == torch.float64 else y.float(), x)

    def encode(self, x: Int[Tensor, "b c h w"]) -> Int[Tensor, "b 1 rows columns"]:
        """Encode grids of integers, of any size that `downsample` divides.

        Raises:
            ShapeError: if it does not.
        """
        side = self.config.downsample
        if x.shape[2] % side or x.shape[3] % side or x.shape[1] != self.config.image.channels:
            raise ShapeError(
                f"Images of shape {tuple(x.shape[1:])} must have {counted(self.config.image.channels, 'channel')}, and "
                f"a height and width that are multiples of {side}: resize them."
            )
        with torch.no_grad():
            result = _in_float64(self.encoder)(self.signal(x.to(self.device)).double())
            return self.fsq.ids(self.fsq.quantize(result))

    def decode(self, ids: Int[Tensor, "b 1 rows columns"]) -> Int[Tensor, "b c h w"]:
        """Decode codes to the one grid of integers that the decoder makes of them."""
        with torch.no_grad():
            vectors = self.fsq.vectors(ids.to(self.device), torch.float64)
            return self.signal.decode(_in_float64(self.decoder)(vectors))

    def save(self, folder: Path) -> None:
        """Write the folder of the tokenizer; each file appears whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        write_folder(folder, self.state_dict(), {"tokenizer": self.config.model_dump(mode="json")}, _card(self))

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read the folder of a tokenizer, with every size checked before memory is taken for it.

        Raises:
            CheckpointError: if it is not a Pointillist model, or damaged.
        """
        record = read_config(folder)
        settings = record.get("tokenizer")
        if not isinstance(settings, dict):
            raise CheckpointError(f'{folder / CONFIG} is damaged: "tokenizer" must be a table; copy the folder again.')
        tensors = read_weights(folder, record, lambda: cls(TokenizerConfig.from_dict(settings)))
        tokenizer = cls(TokenizerConfig.from_dict(settings))
        tokenizer.load_state_dict(tensors)
        return tokenizer.eval()


def _signal(config: TokenizerConfig) -> Signal:
    if config.finer_levels is not None:
        return CodeVectors(FSQ(config.finer_levels))
    if config.image.ordered:
        return OrderedLevels(config.image)
    return UnorderedLevels(config.image, config.level_channels)


def _residuals(config: TokenizerConfig) -> list[nn.Module]:
    return [Residual(config.channels) for _ in range(config.layers)]


def _in_float64(module: nn.Module) -> nn.Module:
    """Copy a small module in float64."""
    return copy.deepcopy(module).double()


def _card(tokenizer: Tokenizer) -> str:
    config = tokenizer.config
    return (
        f"# Tokenizer: {config.image} to {tokenizer.codes}\n\nThe encoder of a hierarchy, by finite scalar "
        f"quantisation with the levels {list(config.levels)}, and its deterministic decoder. Load the folder above it "
        "with `pointillist.Hierarchy.load`.\n"
    )
